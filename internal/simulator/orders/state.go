// Package orders is the state of the simulated provider: terminals, orders, what is to go
// wrong with them, and every change of theirs. Nothing in it knows of HTTP. Who wants to
// hear of changes watches the State or listens to an order.
package orders

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// Settings of a State. All are needed.
type Settings struct {
	Groups            []GroupOptions
	Pace              float64 // how fast virtual customers act; 1 is a second between steps
	Manual            bool    // every terminal begins in mode Manual
	InactivityTimeout time.Duration
	StreamGrace       time.Duration // how long a customer waits for a stream; 0 or less does not
	History           int           // finished orders that are remembered
	LogSize           int           // entries of the journal
	Clock             func() time.Time
	Logger            *zap.Logger
}

// State is every terminal and every order, what is to go wrong with them and what
// happened lately. Its exported fields, and the orders and terminals in it, are
// guarded by its lock; methods say when they want it to be held.
type State struct {
	Settings

	mu     sync.Mutex
	closed bool
	ctx    context.Context // ends with Close: every stream and wait hangs on it
	cancel context.CancelCauseFunc
	// background counts requests, alarms and webhook workers; Close waits for it.
	background sync.WaitGroup

	Terminals Fleet
	Orders    Book
	Faults    FaultBook
	Listeners map[Listener]*Order // open event streams
	Alarms    alarm.Set
	Journal   journal.Journal

	watchers []func(*Order)
	cleared  []func()
	store    Store // nil when nothing is kept
}

// New returns a state with every terminal idle.
func New(settings Settings) *State {
	s := &State{Settings: settings, Listeners: map[Listener]*Order{}}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.Alarms = alarm.NewSet(&s.mu, &s.background)
	s.Journal = journal.New(s.Now, settings.Logger, settings.LogSize)
	s.clear()
	return s
}

// Lock keeps everybody else from the state until Unlock.
func (s *State) Lock() { s.mu.Lock() }

// Unlock ends Lock.
func (s *State) Unlock() { s.mu.Unlock() }

// Closed tells whether Close was called. The caller holds the lock.
func (s *State) Closed() bool { return s.closed }

// Done is closed by Close.
func (s *State) Done() <-chan struct{} { return s.ctx.Done() }

// Context ends with Close.
func (s *State) Context() context.Context { return s.ctx }

// Go runs f; Close waits for it, so it must end with Context.
func (s *State) Go(f func()) { s.background.Go(f) }

// Enter counts a request in, which must Leave; false when the state is closed.
func (s *State) Enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.background.Add(1)
	return true
}

// Leave ends Enter.
func (s *State) Leave() { s.background.Done() }

// Watch has f called, with the lock held, for every order that was made or has
// changed.
func (s *State) Watch(f func(*Order)) { s.watchers = append(s.watchers, f) }

// OnClear has f called, with the lock held, when everything is forgotten.
func (s *State) OnClear(f func()) { s.cleared = append(s.cleared, f) }

// Keep has everything that must not be forgotten told to a store from now on. The
// caller holds the lock.
func (s *State) Keep(in Store) {
	s.store = in
	s.Watch(func(o *Order) { s.remember(Memory{Order: s.memoryOf(o)}) })
}

// remember keeps m, if anything is kept. The caller holds the lock.
func (s *State) remember(m Memory) {
	if s.store != nil {
		s.store.Append(m)
	}
}

// memoryOf is o as a store keeps it.
func (s *State) memoryOf(o *Order) *orderMemory {
	counts, asked := s.Faults.Of(o.ID())
	return &orderMemory{facts: o.facts, Calls: counts, Asked: asked}
}

// clear makes every terminal idle and forgets all orders and faults. The caller
// holds the lock, or is the only one who knows s.
func (s *State) clear() {
	s.Alarms.StopAll()
	for _, o := range s.Orders.ByID {
		o.Gone = true
		o.wakeStreams()
	}
	s.Terminals = newFleet(s.Groups, s.Manual, s.Now())
	s.Orders = Book{ByID: map[string]*Order{}, BySession: map[string]*Order{}, number: s.Orders.number}
	s.Faults = FaultBook{journal: &s.Journal, orders: s.Orders.ByID, changed: s.rememberFaults, calls: newCallBook(s.History)}
	for _, f := range s.cleared {
		f()
	}
}

// rememberFaults keeps what was set for everybody. The caller holds the lock.
func (s *State) rememberFaults() {
	set := s.Faults.set
	s.remember(Memory{Faults: &set})
}

// Reset forgets all orders, faults and settings made since the beginning; open
// streams end. The journal goes on.
func (s *State) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.clear()
	s.remember(Memory{Reset: true})
	s.Journal.Note(journal.Entry{Kind: journal.KindReset, Text: "everything was reset"})
}

// Close ends streams, timers and webhooks and waits for them. Requests that
// come later are answered with 503. It may be called more than once.
func (s *State) Close() {
	s.mu.Lock()
	s.closed = true
	s.Alarms.StopAll()
	s.Journal.Wake()
	s.mu.Unlock()
	s.cancel(ErrClosed)
	s.background.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		s.store.Close()
		s.store = nil
	}
}

// Now is the time on the clock.
func (s *State) Now() time.Time { return s.Clock().UTC() }

// scaled is d at the chosen pace.
func (s *State) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.Pace)
}
