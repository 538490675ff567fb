package simulator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// order is one payment. The simulator's lock guards it; an order and its terminal know
// each other.
type order struct {
	facts
	terminal  *terminal
	visit     visit
	idle      *alarm.Alarm
	gone      bool // forgotten by Reset or for age: its streams end
	listeners map[listener]struct{}
	hidden    veil
}

// visit is that of the virtual customer.
type visit struct {
	waiting bool // the first step is held back for a stream
	step    *alarm.Alarm
}

// veil keeps an order from being asked for.
type veil struct {
	until time.Time
	fault fault.Fault // how it is refused
}

// listener is an event stream that is open for an order. Its methods are called
// with the simulator's lock held and do not block.
type listener interface {
	WakeUp() // there may be news
	CutOff()
	Push(event []byte) bool // tells a whole event of a load; false when too many are waiting
}

// untouched tells whether the payment is open and nobody has shown a card.
func (o *order) untouched() bool {
	return !o.Finished && len(o.Events) == 0 && len(o.Steps) == 0 && !o.Stuck && o.terminal.screen == ScreenAmountDue
}

// wakeStreams lets every stream of the order look for news.
func (o *order) wakeStreams() {
	for l := range o.listeners {
		l.WakeUp()
	}
}

// entry is a journal entry about o.
func (o *order) entry(kind journal.Kind, text string) journal.Entry {
	return journal.Entry{Kind: kind, Terminal: o.terminal.id, Order: o.id(), Text: text}
}

// group is a terminal group at work.
type group struct {
	id        string
	number    int64 // as the terminals list prints it
	key       string
	terminals []*terminal
}

// terminal is one virtual terminal. The simulator's lock guards it.
type terminal struct {
	id       string
	group    *group
	mode     Mode
	scenario scenario.Scenario
	screen   Screen
	since    time.Time
	deadline time.Time
	order    *order       // open payment, nil when free
	last     *order       // the open or the latest payment
	revert   *alarm.Alarm // takes a result off the screen
}

func newTerminal(id string, g *group, manual bool, now time.Time) *terminal {
	t := &terminal{id: id, group: g, mode: Auto, scenario: scenario.Approve, screen: ScreenIdle, since: now}
	if manual {
		t.mode = Manual
	}
	return t
}
