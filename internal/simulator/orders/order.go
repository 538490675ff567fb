package orders

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Order is one payment. The state's lock guards it; an order and its terminal know
// each other.
type Order struct {
	facts
	Terminal  *Terminal
	Visit     visit
	Idle      *alarm.Alarm
	Gone      bool // forgotten by Reset or for age: its streams end
	Listeners map[Listener]struct{}
	Hidden    Veil
}

// visit is that of the virtual customer.
type visit struct {
	Waiting bool // the first step is held back for a stream
	step    *alarm.Alarm
}

// Veil keeps an order from being asked for.
type Veil struct {
	Until time.Time
	Fault fault.Fault // how it is refused
}

// Listener is an event stream that is open for an order. Its methods are called
// with the state's lock held and do not block.
type Listener interface {
	WakeUp() // there may be news
	CutOff()
	Push(event []byte) bool // tells a whole event of a load; false when too many are waiting
}

// untouched tells whether the payment is open and nobody has shown a card.
func (o *Order) untouched() bool {
	return !o.Finished && len(o.Events) == 0 && len(o.Steps) == 0 && !o.Stuck && o.Terminal.Screen == ScreenAmountDue
}

// wakeStreams lets every stream of the order look for news.
func (o *Order) wakeStreams() {
	for l := range o.Listeners {
		l.WakeUp()
	}
}

// Entry is a journal entry about o.
func (o *Order) Entry(kind journal.Kind, text string) journal.Entry {
	return journal.Entry{Kind: kind, Terminal: o.Terminal.ID, Order: o.ID(), Text: text}
}

// Group is a terminal group at work.
type Group struct {
	ID        string
	Number    int64 // as the terminals list prints it
	Key       string
	Terminals []*Terminal
}

// Terminal is one virtual terminal. The state's lock guards it.
type Terminal struct {
	ID       string
	Group    *Group
	Mode     Mode
	Scenario scenario.Scenario
	Screen   Screen
	Since    time.Time
	Deadline time.Time
	Order    *Order       // open payment, nil when free
	Last     *Order       // the open or the latest payment
	revert   *alarm.Alarm // takes a result off the screen
}

func newTerminal(id string, g *Group, manual bool, now time.Time) *Terminal {
	t := &Terminal{ID: id, Group: g, Mode: Auto, Scenario: scenario.Approve, Screen: ScreenIdle, Since: now}
	if manual {
		t.Mode = Manual
	}
	return t
}
