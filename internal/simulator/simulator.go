package simulator

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/tokens"
)

// Simulator is the provider and its terminals. Make one with New; all methods
// may be called from any goroutine.
type Simulator struct {
	opts   Options
	logger *zap.Logger
	run    string // tells this simulator from one that was there before at its address
	tokens *tokens.Signer

	ctx    context.Context // ends with Close: every stream and wait hangs on it
	cancel context.CancelCauseFunc
	// background counts requests, alarms and webhook workers; Close waits for it.
	background sync.WaitGroup

	mu        sync.Mutex // guards everything below, and the orders and terminals in it
	closed    bool
	terminals fleet
	orders    book
	listeners map[listener]*order // open event streams
	calls     callBook
	faults    fault.Set // what SetFault set; an order's own are in calls
	faultSeq  uint64
	alarms    alarm.Set
	journal   journal.Journal
	trapped   int
	away      outage
	load      *loading // the latest; nil before the first
	// watchers are called for every order that was made or has changed.
	watchers []func(*order)
	store    store // nil when nothing is kept
}

// outage is a time in which the provider cannot be reached.
type outage struct {
	until  time.Time
	status int // of every answer; 0 cuts the connection
}

// store keeps what a simulator must not forget. It is called with the simulator's
// lock held.
type store interface {
	append(memory)
	close()
}

// remember keeps m, if anything is kept. The caller holds mu.
func (s *Simulator) remember(m memory) {
	if s.store != nil {
		s.store.append(m)
	}
}

// fleet is every terminal.
type fleet struct {
	groups []*group
	byKey  map[string]*group
	byID   map[string]*terminal
	listed []*terminal // in the order of Options.Groups
}

// book is every order that is remembered.
type book struct {
	byID      map[string]*order
	bySession map[string]*order
	finished  []*order // oldest first; what Options.History bounds
	number    int64    // the latest transaction id
}

// next returns a new transaction id: seventeen digits, as the provider's, more
// than a float64 holds exactly.
func (b *book) next(now time.Time) int64 {
	b.number = max(b.number+1, now.UnixMicro()*10)
	return b.number
}

// clear makes every terminal idle and forgets all orders and faults. The caller
// holds mu, or is the only one who knows s.
func (s *Simulator) clear() {
	s.alarms.StopAll()
	for _, o := range s.orders.byID {
		o.gone = true
		o.wakeStreams()
	}
	s.terminals = newFleet(s.opts)
	s.orders = book{byID: map[string]*order{}, bySession: map[string]*order{}, number: s.orders.number}
	s.faults = nil
	s.trapped = 0
	s.away = outage{}
	s.load.stop()
	s.load = nil
	s.calls = newCallBook(s.opts.History)
}

func newFleet(opts Options) fleet {
	f := fleet{byKey: map[string]*group{}, byID: map[string]*terminal{}}
	for i, g := range opts.Groups {
		made := &group{id: g.ID, key: g.APIKey, number: int64(57_958 + i)}
		if n, err := strconv.ParseInt(g.ID, 10, 64); err == nil {
			made.number = n
		}
		for _, id := range g.Terminals {
			t := newTerminal(id, made, opts)
			made.terminals = append(made.terminals, t)
			f.byID[id] = t
			f.listed = append(f.listed, t)
		}
		f.groups = append(f.groups, made)
		f.byKey[g.APIKey] = made
	}
	return f
}

// Reset forgets all orders, faults and settings made since New; open streams
// end. The journal goes on.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.clear()
	s.remember(memory{Reset: true})
	s.journal.Note(journal.Entry{Kind: journal.KindReset, Text: "everything was reset"})
}

// Close ends streams, timers and webhooks and waits for them. Requests that
// come later are answered with 503. It may be called more than once.
func (s *Simulator) Close() {
	s.mu.Lock()
	s.closed = true
	s.load.stop()
	s.alarms.StopAll()
	s.journal.Wake()
	s.mu.Unlock()
	s.cancel(ErrClosed)
	s.background.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		s.store.close()
		s.store = nil
	}
}

// enter counts a request in; false when the simulator is closed.
func (s *Simulator) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.background.Add(1)
	return true
}

func (s *Simulator) now() time.Time { return s.opts.Now().UTC() }

// scaled is d at the chosen pace.
func (s *Simulator) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.opts.Pace)
}
