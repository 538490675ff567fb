package simulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

// ErrClosed is returned by everything that is asked of a closed simulator.
var ErrClosed = errors.New("simulator is closed")

// Simulator is the provider and its terminals. Make one with New; all methods
// may be called from any goroutine.
type Simulator struct {
	opts   Options
	logger *zap.Logger
	secret []byte // signs events tokens; of this simulator alone
	run    string // tells this simulator from one that was there before at its address

	ctx    context.Context // ends with Close: every stream and wait hangs on it
	cancel context.CancelCauseFunc
	// background counts requests, alarms and webhook workers; Close waits for it.
	background sync.WaitGroup

	mu        sync.Mutex // guards everything below, and the orders and terminals in it
	closed    bool
	groups    []*group
	keys      map[string]*group
	terminals map[string]*terminal
	listed    []*terminal // every terminal, in the order of Options.Groups

	orders   map[string]*order // by order id
	sessions map[string]*order // by session id
	finished []*order          // oldest first; what Options.History bounds
	calls    callBook
	number   int64                    // the latest transaction id
	conns    map[*streamConn]struct{} // open event streams

	faults   []*fault
	faultSeq uint64
	alarms   map[*alarm]struct{}
	journal  journal
	changed  chan struct{} // closed and forgotten at the next journal entry; nil while nobody waits
	trapped  int
	hooks    *webhooks
}

// group is a terminal group at work.
type group struct {
	id        string
	number    int64 // as the terminals list prints it
	key       string
	terminals []*terminal
}

// New returns a simulator with every terminal idle. It starts nothing; what it
// starts later, Close ends.
func New(o Options) (*Simulator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check simulator options: %w", err)
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails, see crypto/rand
	s := &Simulator{opts: o, logger: o.Logger, secret: secret, run: randomID(12)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.hooks = newWebhooks(s)
	s.journal = newJournal(o.LogSize)
	s.alarms = map[*alarm]struct{}{}
	s.conns = map[*streamConn]struct{}{}
	s.clear()
	return s, nil
}

// clear makes every terminal idle and forgets all orders and faults. The caller
// holds mu, or is the only one who knows s.
func (s *Simulator) clear() {
	for a := range s.alarms {
		s.stopAlarm(a)
	}
	for _, o := range s.orders {
		o.gone = true
		o.wakeStreams()
	}
	s.groups, s.listed = nil, nil
	s.keys, s.terminals = map[string]*group{}, map[string]*terminal{}
	s.orders, s.sessions = map[string]*order{}, map[string]*order{}
	s.finished, s.faults = nil, nil
	s.trapped = 0
	s.calls = newCallBook(s.opts.History)
	for i, g := range s.opts.Groups {
		made := &group{id: g.ID, key: g.APIKey, number: int64(57_958 + i)}
		if n, err := strconv.ParseInt(g.ID, 10, 64); err == nil {
			made.number = n
		}
		for _, id := range g.Terminals {
			t := newTerminal(id, made, s.opts)
			made.terminals = append(made.terminals, t)
			s.terminals[id] = t
			s.listed = append(s.listed, t)
		}
		s.groups = append(s.groups, made)
		s.keys[g.APIKey] = made
	}
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
	s.note(Entry{Kind: KindReset, Text: "everything was reset"})
}

// Close ends streams, timers and webhooks and waits for them. Requests that
// come later are answered with 503. It may be called more than once.
func (s *Simulator) Close() {
	s.mu.Lock()
	s.closed = true
	for a := range s.alarms {
		s.stopAlarm(a)
	}
	s.hooks.stop()
	s.wakeWaiters()
	s.mu.Unlock()
	s.cancel(ErrClosed)
	s.background.Wait()
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

// Handler serves the order API under /v1/json/, the event stream at
// /events/stream/, the control API under /simulator/, and the virtual
// terminal, a page, at /.
func (s *Simulator) Handler() http.Handler {
	routes := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.background.Done()
		routes(w, r)
	})
}

func (s *Simulator) now() time.Time { return s.opts.Now().UTC() }

// alarm is a timer whose function runs with the simulator's lock held, and
// never after stopAlarm. Its fields are guarded by that lock.
type alarm struct {
	timer *time.Timer
	off   bool
}

// setAlarm runs f after d. The caller holds mu and the simulator is not closed.
func (s *Simulator) setAlarm(d time.Duration, f func()) *alarm {
	a := &alarm{}
	s.alarms[a] = struct{}{}
	s.background.Add(1)
	a.timer = time.AfterFunc(d, func() {
		defer s.background.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		if a.off {
			return
		}
		a.off = true
		delete(s.alarms, a)
		f()
	})
	return a
}

// stopAlarm keeps a from going off. The caller holds mu; a may be nil.
func (s *Simulator) stopAlarm(a *alarm) {
	if a == nil || a.off {
		return
	}
	a.off = true
	delete(s.alarms, a)
	if a.timer.Stop() {
		s.background.Done()
	}
}
