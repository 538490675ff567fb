package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
)

// world is a provider in memory and virtual time. It shares no code with the
// bridge or the simulator. What it showed to whom is what the auditor goes by.
type world struct {
	mu     sync.Mutex
	random *rand.Rand
	orders map[string]*worldOrder
	// away is true while the provider cannot be reached.
	away bool
	// trouble is how many of 1000 calls go wrong.
	trouble int
	limit   time.Duration // the bridge's REQUEST_TIMEOUT
}

// worldOrder is one order and everything that ever became of it.
type worldOrder struct {
	id, terminal string
	amount       int64
	history      []string
	creates      int
	// withdrawn is set when a bridge cancelled it.
	withdrawn bool
	readers   []*listener
	// shown says which replicas' streams were shown a place in the history, and when.
	shown map[int][]showing
}

// showing is a replica's being shown something.
type showing struct {
	to *link
	at time.Time
}

// binds reports whether the replica had to pass on what it was shown: nothing
// befell it, or it was killed later than a moment after.
func (s showing) binds() bool {
	killed := s.to.killed.Load()
	return !s.to.disturbed.Load() && (killed == nil || killed.Sub(s.at) > moment)
}

// moment is what a replica needs to write down what it was shown, on a bus that
// answers at once.
const moment = 20 * time.Millisecond

// listener is one connection to an order's event stream.
type listener struct {
	events chan event
	gone   chan struct{}
	once   sync.Once
}

// event is a status and its place in the order's history.
type event struct {
	status string
	place  int
}

func (r *listener) end() { r.once.Do(func() { close(r.gone) }) }

func newWorld(random *rand.Rand, trouble int, limit time.Duration) *world {
	return &world{random: random, orders: map[string]*worldOrder{}, trouble: trouble, limit: limit}
}

func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(1000) < n
}

func (w *world) upTo(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(d)))
}

// courses are what a customer may do: the pause before each step in multiples
// of 100 ms at random, and the status it leads to.
var courses = [][]string{
	{"initialized", "completed"},
	{"initialized", "declined", "initialized", "completed"},
	{"initialized", "declined", "cancelled"},
	{"cancelled"},
	{"initialized", "completed", "reversed"},
	{"initialized", "declined", "initialized", "declined", "initialized", "completed"},
	{"initialized", "some_new_name", "completed"},
}

// create makes an order and lets its customer act.
func (w *world) create(o multisafepay.Order) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if there := w.orders[o.OrderID]; there != nil {
		return &multisafepay.Error{Op: "create", Kind: multisafepay.KindUsed, Status: 400, Code: 1006}
	}
	for _, other := range w.orders {
		if other.terminal == o.TerminalID && !over(other.history) {
			return &multisafepay.Error{Op: "create", Kind: multisafepay.KindRejected, Status: 400, Code: 1002}
		}
	}
	order := &worldOrder{id: o.OrderID, terminal: o.TerminalID, amount: o.Amount, creates: 1, history: []string{"initialized"}, shown: map[int][]showing{}}
	w.orders[o.OrderID] = order
	w.schedule(order, courses[w.random.IntN(len(courses))])
	return nil
}

// schedule lets the rest of a course happen. w.mu is held.
func (w *world) schedule(o *worldOrder, rest []string) {
	if len(rest) == 0 {
		return
	}
	wait := 100*time.Millisecond + time.Duration(w.random.Int64N(int64(8*time.Second)))
	if rest[0] == "reversed" {
		wait = 100*time.Millisecond + time.Duration(w.random.Int64N(int64(5*time.Second)))
	}
	time.AfterFunc(wait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if over(o.history) && rest[0] != "reversed" || o.withdrawn {
			return
		}
		w.happen(o, rest[0])
		w.schedule(o, rest[1:])
	})
}

// happen changes an order's status and shows it on its streams. w.mu is held.
func (w *world) happen(o *worldOrder, status string) {
	o.history = append(o.history, status)
	for _, r := range o.readers {
		select {
		case r.events <- event{status, len(o.history) - 1}:
		default:
			r.end() // a reader that does not read is cut off
		}
	}
}

func over(history []string) bool {
	return slices.ContainsFunc(history, func(s string) bool {
		return s == "completed" || s == "cancelled"
	})
}

// link is one replica's way to the provider.
type link struct {
	*world
	// disturbed is set once the replica was paused or cut off: what it was shown may
	// be shut out by then.
	disturbed atomic.Bool
	// killed is when the replica was killed; what it was shown just then is lost.
	killed  atomic.Pointer[time.Time]
	process *bustest.Client
	// readers are the open streams, guarded by world.mu.
	readers []*listener
}

var errCut = errors.New("connection reset by peer")

// call carries one request to the provider and its answer back.
func (l *link) call(ctx context.Context, op string, do func() error) error {
	fail := func(kind multisafepay.Kind, status int, err error) error {
		l.process.Gate()
		return &multisafepay.Error{Op: op, Kind: kind, Status: status, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	l.mu.Lock()
	away := l.away
	l.mu.Unlock()
	if !l.process.Gate() || away {
		return fail(multisafepay.KindUnreachable, 0, errCut)
	}
	if !wait(ctx, l.upTo(200*time.Millisecond)) || !l.process.Gate() {
		return fail(multisafepay.KindCancelled, 0, context.Canceled)
	}
	if l.chance(l.trouble) {
		switch l.upTo(7) {
		case 0: // carried out, the answer is lost
			_ = do()
			return fail(multisafepay.KindLost, 0, errCut)
		case 1: // never arrives, and nobody says so
			<-ctx.Done()
			return fail(multisafepay.KindTimeout, 0, context.DeadlineExceeded)
		case 2: // carried out after the caller has given up
			late := l.limit + l.upTo(l.limit-time.Second)
			time.AfterFunc(late, func() { _ = do() })
			<-ctx.Done()
			return fail(multisafepay.KindTimeout, 0, context.DeadlineExceeded)
		case 3:
			return fail(multisafepay.KindUnavailable, 503, nil)
		case 4: // carried out, and a gateway says 502 all the same
			_ = do()
			return fail(multisafepay.KindUnavailable, 502, nil)
		case 5: // an answer that takes its time
			err := do()
			if !wait(ctx, l.upTo(l.limit)) {
				return fail(multisafepay.KindTimeout, 0, context.DeadlineExceeded)
			}
			l.process.Gate()
			return err
		case 6:
			return fail(multisafepay.KindUnreachable, 0, errCut)
		}
	}
	err := do()
	if !l.process.Gate() {
		return fail(multisafepay.KindLost, 0, errCut)
	}
	return err
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *link) Create(ctx context.Context, _ redact.Secret, o multisafepay.Order) (multisafepay.Created, error) {
	err := l.call(ctx, "create", func() error { return l.create(o) })
	if err != nil {
		return multisafepay.Created{}, err
	}
	return multisafepay.Created{
		SessionID: "session-" + o.OrderID,
		Stream:    multisafepay.Stream{URL: "https://provider.invalid/events", Token: redact.NewSecret(o.OrderID)},
	}, nil
}

func (l *link) Get(ctx context.Context, _ redact.Secret, id string) (multisafepay.OrderState, error) {
	var there multisafepay.OrderState
	err := l.call(ctx, "get", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		o := l.orders[id]
		if o == nil {
			return &multisafepay.Error{Op: "get", Kind: multisafepay.KindNotFound, Status: 404, Code: 1000}
		}
		there = multisafepay.OrderState{OrderID: id, TerminalID: o.terminal, Status: o.history[len(o.history)-1], Amount: o.amount, Currency: "EUR"}
		return nil
	})
	l.mu.Lock() // a call that is carried out late writes it after its caller has left
	defer l.mu.Unlock()
	return there, err
}

func (l *link) Cancel(ctx context.Context, _ redact.Secret, id string) (string, error) {
	status := ""
	err := l.call(ctx, "cancel", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		o := l.orders[id]
		switch {
		case o == nil:
			return &multisafepay.Error{Op: "cancel", Kind: multisafepay.KindNotFound, Status: 404, Code: 1000}
		case over(o.history):
			return &multisafepay.Error{Op: "cancel", Kind: multisafepay.KindRejected, Status: 400, Code: 1001}
		}
		o.withdrawn = true
		l.happen(o, "cancelled")
		status = "cancelled"
		return nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return status, err
}

func (l *link) Follow(ctx context.Context, s multisafepay.Stream, h multisafepay.StreamHandler) error {
	fail := func(err error) error {
		return &multisafepay.Error{Op: "stream", Kind: multisafepay.KindLost, Err: err}
	}
	r := &listener{events: make(chan event, 32), gone: make(chan struct{})}
	err := l.call(ctx, "stream", func() error { return nil })
	if err != nil {
		return err
	}
	l.mu.Lock()
	o := l.orders[s.Token.Reveal()]
	if o == nil || len(o.history) > 2 && over(o.history[:len(o.history)-1]) {
		l.mu.Unlock()
		return fail(multisafepay.ErrStreamRefused)
	}
	repeat := ""
	if l.random.IntN(3) == 0 { // some servers send the present state on connecting
		repeat = o.history[len(o.history)-1]
	}
	o.readers = append(o.readers, r)
	l.readers = append(l.readers, r)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		this := func(other *listener) bool { return other == r }
		o.readers, l.readers = slices.DeleteFunc(o.readers, this), slices.DeleteFunc(l.readers, this)
	}()
	h.Opened()
	show := func(status string) bool {
		if !l.process.Gate() {
			return false
		}
		id := s.Token.Reveal()
		h.Event(multisafepay.StreamEvent{Type: "session.order", Order: &multisafepay.OrderEvent{
			OrderID: id, SessionID: "session-" + id, Status: status, TransactionID: "1",
		}})
		return true
	}
	if repeat != "" && !show(repeat) {
		return fail(errCut)
	}
	life := time.NewTimer(l.upTo(60 * time.Second)) // connections break now and then
	defer life.Stop()
	for {
		select {
		case e := <-r.events:
			if !wait(ctx, l.upTo(50*time.Millisecond)) || !show(e.status) {
				return fail(errCut)
			}
			if ctx.Err() == nil {
				l.mu.Lock()
				o.shown[e.place] = append(o.shown[e.place], showing{l, time.Now()})
				l.mu.Unlock()
			}
			if l.chance(l.trouble) && !show(e.status) { // shown twice
				return fail(errCut)
			}
		case <-r.gone:
			return fail(errCut)
		case <-life.C:
			return fail(multisafepay.ErrStreamEnded)
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
}

// cutStreams ends every stream of the link, as a crash does.
func (l *link) cutStreams() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.readers {
		r.end()
	}
}

// String lists the orders. w.mu is held.
func (w *world) String() string {
	s := ""
	for id, o := range w.orders {
		s += fmt.Sprintf("%s on %s: %v withdrawn=%v\n", id, o.terminal, o.history, o.withdrawn)
	}
	return s
}
