package bridge

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// silence is an event stream that neither opens nor ends.
func silence(ctx context.Context, _ multisafepay.StreamHandler) error {
	<-ctx.Done()
	return ctx.Err()
}

var oneEuro = complete(schema.StartRequest{OrderID: "o", TerminalID: "T", Amount: 100, Currency: "EUR"})

// scripted answers creates, questions and cancels by function.
type scripted struct {
	*quietProvider
	create  func() error
	get     func() (multisafepay.OrderState, error)
	cancels atomic.Int32
}

func (p *scripted) Create(ctx context.Context, key redact.Secret, o multisafepay.Order) (multisafepay.Created, error) {
	if err := p.create(); err != nil {
		return multisafepay.Created{}, err
	}
	return p.quietProvider.Create(ctx, key, o)
}

func (p *scripted) Get(context.Context, redact.Secret, string) (multisafepay.OrderState, error) {
	return p.get()
}

func (p *scripted) Cancel(context.Context, redact.Secret, string) (string, error) {
	p.cancels.Add(1)
	return "cancelled", nil
}

var notFound = &multisafepay.Error{Op: multisafepay.OpGet, Kind: multisafepay.KindNotFound, Status: 404}

// The answer to a create is cut, and the order comes to be some seconds later:
// it is not true that nothing was created, and the order is followed.
func TestCutAnswerAndALateOrder(t *testing.T) {
	t.Parallel()
	var made atomic.Bool
	var creates atomic.Int32
	p := &scripted{
		quietProvider: &quietProvider{follow: silence},
		create: func() error {
			if creates.Add(1) == 1 {
				time.AfterFunc(4*time.Second, func() { made.Store(true) })
			}
			return &multisafepay.Error{Op: multisafepay.OpCreate, Kind: multisafepay.KindLost, Sent: true}
		},
		get: func() (multisafepay.OrderState, error) {
			if made.Load() {
				return multisafepay.OrderState{OrderID: "o", Status: "initialized"}, nil
			}
			return multisafepay.OrderState{}, notFound
		},
	}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		r.Start(r.work, oneEuro, Requester{Inbox: "i"})
		time.Sleep(time.Minute)
		if statuses := server.Statuses("T", "o"); len(statuses) == 0 || statuses[0].Event.Status != "initialized" {
			t.Errorf("statuses %+v; the till was told %s", statuses, server.Replies("i"))
		}
	})
}

// A create that timed out is not repeated while it may still arrive, though the
// provider does not know the order yet.
func TestTimedOutCreateIsNotRepeatedTooSoon(t *testing.T) {
	t.Parallel()
	var creates atomic.Int32
	var made atomic.Bool
	p := &scripted{
		quietProvider: &quietProvider{follow: silence},
		create: func() error {
			creates.Add(1)
			time.Sleep(10 * time.Second)
			time.AfterFunc(5*time.Second, func() { made.Store(true) }) // it was held somewhere
			return &multisafepay.Error{Op: multisafepay.OpCreate, Kind: multisafepay.KindTimeout, Sent: true}
		},
		get: func() (multisafepay.OrderState, error) {
			if made.Load() {
				return multisafepay.OrderState{OrderID: "o", Status: "initialized"}, nil
			}
			return multisafepay.OrderState{}, notFound
		},
	}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		r.Start(r.work, oneEuro, Requester{Inbox: "i"})
		time.Sleep(time.Minute)
		if n := creates.Load(); n != 1 || len(server.Statuses("T", "o")) != 1 {
			t.Errorf("%d creates, statuses %+v; want one of each", n, server.Statuses("T", "o"))
		}
	})
}

// An earlier follower's create may have left just before the start deadline; a
// create of this one's that times out makes "not found" believable no sooner.
func TestOwnTimeoutDoesNotShortenTheDoubt(t *testing.T) {
	t.Parallel()
	p := &scripted{
		quietProvider: &quietProvider{follow: silence},
		create: func() error {
			time.Sleep(10 * time.Second)
			return &multisafepay.Error{Op: multisafepay.OpCreate, Kind: multisafepay.KindTimeout, Sent: true}
		},
		get: func() (multisafepay.OrderState, error) { return multisafepay.OrderState{}, notFound },
	}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		began := time.Now()
		if _, err := r.Queue.Enqueue(r.work, bus.Session{
			Request: oneEuro, Hash: contentHash(oneEuro), Nonce: "n", Reply: "i",
			StartedAt: r.Clock.Now(), Deadline: r.Clock.Now().Add(19 * time.Second), Requeued: true,
		}); err != nil {
			t.Fatal(err)
		}
		for len(server.Statuses("T", "o")) == 0 && time.Since(began) < 2*time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < 39*time.Second {
			t.Errorf("given up after %s, want not before the deadline and twice REQUEST_TIMEOUT, 39 s", took)
		}
	})
}

// A start was dropped by another replica, and the till has sent the same request
// again: the order that this replica then finds by asking is the second
// session's, and is not cancelled.
func TestWithdrawLeavesTheNextSessionsOrderAlone(t *testing.T) {
	t.Parallel()
	p := &scripted{
		quietProvider: &quietProvider{follow: silence},
		create:        func() error { return nil },
		get:           func() (multisafepay.OrderState, error) { return multisafepay.OrderState{}, errors.New("not now") },
	}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		cutOff := newSession(r, bus.Delivery{Session: bus.Session{Request: oneEuro, Hash: contentHash(oneEuro), Nonce: "first"}, Redelivered: true})
		r.Start(r.work, oneEuro, Requester{Inbox: "i"})
		time.Sleep(time.Second)
		if len(server.Replies("i")) != 1 || len(server.Locked()) != 1 {
			t.Fatalf("replies %v, locked %v", server.Replies("i"), server.Locked())
		}
		cutOff.withdraw(r.work, false)
		if n := p.cancels.Load(); n != 0 {
			t.Errorf("the open order of the second session was cancelled")
		}
	})
}

// All replicas were away for longer than SESSION_TIMEOUT. What the provider still
// shows when asked is published, and not unresolved.
func TestPaymentEndedWhileEverybodyWasAway(t *testing.T) {
	t.Parallel()
	p := &scripted{
		quietProvider: &quietProvider{follow: silence},
		create:        func() error { return nil },
		get: func() (multisafepay.OrderState, error) {
			return multisafepay.OrderState{OrderID: "o", Status: "completed"}, nil
		},
	}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		if _, err := r.Queue.Enqueue(r.work, bus.Session{
			Request: oneEuro, Hash: contentHash(oneEuro), Nonce: "n", Requeued: true,
			StartedAt: r.Clock.Now().Add(-time.Hour), Deadline: r.Clock.Now().Add(-time.Hour + r.StartDeadline),
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if statuses := server.Statuses("T", "o"); len(statuses) != 1 || statuses[0].Event.Status != "completed" {
			t.Errorf("statuses %+v, want completed", statuses)
		}
	})
}

// A start that waits for its terminal to be freed when its replica drains is not
// told that the terminal is busy.
func TestDrainIsNoBusyTerminal(t *testing.T) {
	t.Parallel()
	alone(t, &quietProvider{follow: silence}, func(r *Replica, _ *bustest.Memory) {
		over := oneEuro
		over.OrderID = "x"
		r.Queue = heldQueue{r.Queue, over}
		if _, err := r.Journal.Append(r.work, bus.Status{Event: schema.StatusEvent{OrderID: "x", TerminalID: "T", Status: "completed", Final: true, Sequence: 1}}, 0); err != nil {
			t.Fatal(err)
		}
		refusing, refuse := context.WithCancel(r.work)
		time.AfterFunc(time.Second, refuse) // service.stop
		if _, failure := r.Start(refusing, oneEuro, Requester{Inbox: "i"}); failure == nil || failure.Code != schema.OutcomeUnknown {
			t.Errorf("got %+v, want outcome_unknown, which service.fail turns into shutting_down", failure)
		}
		if _, failure := r.Start(r.work, oneEuro, Requester{Inbox: "i"}); failure == nil || failure.Code != schema.TerminalBusy {
			t.Errorf("got %+v, want terminal_busy when the terminal is not freed in time", failure)
		}
	})
}

// heldQueue has the terminal locked by an order all the time.
type heldQueue struct {
	Queue
	by schema.StartRequest
}

func (heldQueue) Enqueue(context.Context, bus.Session) (uint64, error) { return 0, bus.ErrConflict }

func (q heldQueue) Queued(context.Context, string) (bus.Session, uint64, error) {
	return bus.Session{Request: q.by, Nonce: "x"}, 1, nil
}
