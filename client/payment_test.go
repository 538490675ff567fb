package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/schema"
)

// statuses takes n statuses, all if n is 0.
func statuses(t *testing.T, p *client.Payment, n int) (got []string) {
	t.Helper()
	for status, err := range p.Statuses(limited(t)) {
		if err != nil {
			t.Fatalf("got %q and then %v", got, err)
		}
		got = append(got, describe(status))
		if len(got) == n {
			break
		}
	}
	return got
}

func compare(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each status arrives once and in order, whatever the bus repeats or leaves out.
func TestStatuses(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{Silent: true})
	p := start(t, s.client)
	one, two, three, four := event("a", 1, "initialized"), event("a", 2, "declined"), event("a", 3, "initialized"), event("a", 4, "completed")
	s.bridge.Store(one, two, three, four)
	s.bridge.Tell(one, one, three) // two is missing, and one is told twice
	compare(t, statuses(t, p, 3), "T1/a 1 initialized", "T1/a 2 declined", "T1/a 3 initialized")
	s.bridge.Tell(two, four, three)
	want := []string{"T1/a 1 initialized", "T1/a 2 declined", "T1/a 3 initialized", "T1/a 4 completed"}
	compare(t, statuses(t, p, 0), want...)
	compare(t, statuses(t, p, 0), want...) // after the end, too
	ends(t, p, schema.Paid)
}

// What happened while the connection was away is read from the stream.
func TestStatusesAfterALostConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	p := start(t, s.client)
	s.bridge.Store(event("a", 1, "initialized"))
	compare(t, statuses(t, p, 1), "T1/a 1 initialized")
	s.wire.Cut()
	s.bridge.Store(event("a", 2, "declined"), event("a", 3, "completed"))
	s.wire.Mend()
	compare(t, statuses(t, p, 0), "T1/a 1 initialized", "T1/a 2 declined", "T1/a 3 completed")
}

// Without the right to read the stream the bridge is asked, as often as options say.
func TestStatusesWithoutTheStream(t *testing.T) {
	t.Parallel()
	bus, bridge := rights(t, []string{"pos.T1.payment.*"}, []string{"pos.T1.*.status", "_INBOX.>"})
	bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = created
		h.Get = func(schema.OrderRequest) (any, error) { return bridgetest.Session(event("a", 3, "completed")), nil }
	})
	p := start(t, bus)
	compare(t, statuses(t, p, 0), "asked T1/a 3 completed, 2 missed")
}

// A payment that is over is still followed for the settle window: it may be reversed at
// once.
func TestWaitStaysForTheSettleWindow(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}, func(o *client.Options) { o.SettleWindow = time.Second })
	p := start(t, s.client)
	s.bridge.Store(event("a", 1, "completed"))
	statuses(t, p, 1)
	s.bridge.Store(event("a", 2, "reversed"))
	ends(t, p, schema.Returned)
}

func TestWaitAtOnceWhenNothingFollows(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]schema.Outcome{schema.StatusUnresolved: schema.Unsettled, schema.StatusNotCreated: schema.Unpaid} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}, func(o *client.Options) { o.SettleWindow = never })
			p := start(t, s.client)
			e := event("a", 1, status)
			e.Final = true
			s.bridge.Store(e)
			ends(t, p, want)
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	p := start(t, s.client)
	s.bridge.Store(event("a", 1, "declined"))
	statuses(t, p, 1)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if result, err := p.Wait(ctx); !errors.Is(err, why) || result.Last.Status != "declined" || result.Outcome != schema.Open {
		t.Errorf("got %v, %v, want the last status and %v", result, err, why)
	}
	last := error(nil)
	for _, err := range p.Statuses(ctx) {
		last = err
	}
	if !errors.Is(last, why) {
		t.Errorf("got %v, want %v", last, why)
	}
	p.Close()
	p.Close()
	if _, err := p.Wait(limited(t)); !errors.Is(err, client.ErrLeft) {
		t.Errorf("got %v, want ErrLeft", err)
	}
}

func TestPaymentEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	p := start(t, s.client)
	s.nc.Close()
	if _, err := p.Wait(limited(t)); !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// The context of Start bounds the start, not the payment.
func TestPaymentOutlivesTheContextOfItsStart(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	ctx, cancel := context.WithCancel(limited(t))
	p, err := s.client.Start(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cancel()
	s.bridge.Store(event("a", 1, "completed"))
	ends(t, p, schema.Paid)
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	if _, err := s.client.Resume(limited(t), "T1", "a"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v, want not_found", err)
	}
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Get = func(schema.OrderRequest) (any, error) { return bridgetest.Session(event("a", 1, "initialized")), nil }
	})
	s.bridge.Store(event("a", 1, "initialized"))
	p, err := s.client.Resume(limited(t), "T1", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	compare(t, statuses(t, p, 1), "T1/a 1 initialized")
	s.bridge.Store(event("a", 2, "completed"))
	ends(t, p, schema.Paid)
}

// The order was being made when the payment was resumed, and nothing came of it.
func TestResumeOfAPaymentThatIsNotMade(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{}, often)
	var gets atomic.Int64
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Get = func(schema.OrderRequest) (any, error) {
			if gets.Add(1) > 2 {
				return nil, schema.NewError(schema.NotFound, "the order is not known")
			}
			making := bridgetest.Session(event("a", 0, schema.StatusCreated))
			making.SessionID = ""
			return making, nil
		}
	})
	p, err := s.client.Resume(limited(t), "T1", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !errors.Is(p.Doubt(), client.ErrNoReply) {
		t.Errorf("got doubt %v", p.Doubt())
	}
	if result, err := p.Wait(limited(t)); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v, %v, want not_found", result, err)
	}
}

// A payment that was over long ago ends at once, with all of its statuses.
func TestResumeOfAnOldPayment(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{}, func(o *client.Options) { o.SettleWindow = 5 * time.Second })
	var old []schema.StatusEvent
	for i, status := range []string{"initialized", "completed", "refunded"} {
		e := event("a", uint64(i+1), status)
		e.ObservedAt = e.ObservedAt.Add(-time.Hour)
		old = append(old, e)
	}
	s.bridge.Store(old...)
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Get = func(schema.OrderRequest) (any, error) { return bridgetest.Session(old[2]), nil }
	})
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	p, err := s.client.Resume(ctx, "T1", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if result, err := p.Wait(ctx); err != nil || result.Last.Sequence != 3 {
		t.Errorf("got %v, %v, want the third status at once", result, err)
	}
}

// A cancel whose answer is lost, and one that meets a replica that stops, is sent again.
func TestCancel(t *testing.T) {
	t.Parallel()
	var cancels atomic.Int64
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Cancel = func(r schema.OrderRequest) (any, error) {
			switch cancels.Add(1) {
			case 1:
				return nil, bridgetest.ErrNoReply
			case 2:
				return nil, schema.NewError(schema.ShuttingDown, "draining")
			}
			s.bridge.Store(event(r.OrderID, 1, "cancelled"))
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: "cancelled"}, nil
		}
	})
	p := start(t, s.client)
	s.client.AnswerWithin(50 * time.Millisecond)
	if reply, err := p.Cancel(limited(t)); err != nil || reply.Status != "cancelled" {
		t.Errorf("got %v, %v", reply, err)
	}
	ends(t, p, schema.Unpaid)
}

func TestCancelRefused(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created, Cancel: func(schema.OrderRequest) (any, error) {
		return nil, schema.NewError(schema.ProviderRejected, "too late")
	}}, bridgetest.Options{})
	p := start(t, s.client)
	_, err := p.Cancel(limited(t))
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || !errors.Is(err, client.ErrProviderRejected) {
		t.Fatalf("got %v", err)
	}
	if advice, _ := schema.AdviceOn(refused.Command, refused.Reply.Code); advice.Next != schema.Follow {
		t.Errorf("got %q, want to follow", advice.Next)
	}
}

// Everything but statuses is told beside.
func TestNotices(t *testing.T) {
	t.Parallel()
	told := make(chan string, 100)
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}, func(o *client.Options) {
		o.Notice = func(u client.Update) {
			if retry, ok := u.(client.Retry); ok {
				told <- fmt.Sprintf("again %s: %v", retry.Command, retry.Err)
				return
			}
			told <- describe(u)
		}
	})
	p := start(t, s.client)
	s.bridge.StoreInvalid(schema.InvalidEvent{TerminalID: "T1", OrderID: "a", Reason: "no status"})
	want := func(text string) {
		t.Helper()
		select {
		case got := <-told:
			if got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		case <-time.After(bridgetest.Limit):
			t.Fatalf("no %q", text)
		}
	}
	want("invalid T1/a no status")
	s.wire.Cut()
	want("link false blind false")
	s.wire.Mend()
	want("link true blind false")
	s.bridge.Store(event("a", 1, "completed"))
	ends(t, p, schema.Paid)
}
