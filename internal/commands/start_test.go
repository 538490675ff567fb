package commands

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// A start locks the terminal with a session that has everything its follower needs,
// and is answered by that.
func TestStartQueuesTheSession(t *testing.T) {
	t.Parallel()
	s := setup(t)
	before := s.bus.Now()
	r := s.send("pos.T1.payment.start", `{"order_id":"A","amount":1250,"currency":"EUR","customer":{},"custom_info":{}}`)
	d := s.queued("T1", "A")
	q := d.Session
	want := schema.StartRequest{OrderID: "A", TerminalID: "T1", Amount: 1250, Currency: "EUR", Description: "A"}
	if q.Request != want || q.Hash != contentHash(want) || q.Group != "g" || q.Nonce == "" {
		t.Errorf("got %+v", q)
	}
	if left := q.Deadline.Sub(before); left < patience || left > patience+time.Minute {
		t.Errorf("deadline: %s after the request", left)
	}
	s.claim(d, payment.ClaimCreating)
	s.claim(d, payment.ClaimOpen)
	if err := s.bus.Reply(q.Reply, nil, []byte(`{"order_id":"A","created":true}`)); err != nil {
		t.Fatal(err)
	}
	if got := r.started(); !got.Created {
		t.Errorf("got %+v", got)
	}
	s.stop()
	r.silent()
}

func TestRepeatedStarts(t *testing.T) {
	t.Parallel()
	want := schema.StartReply{OrderID: "A", TerminalID: "T1", SessionID: "session", Status: "created", StatusSubject: "pos.T1.A.status"}
	t.Run("while it is created, open, paid, and long after", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		s.start("T1", "A")
		d := s.queued("T1", "A")
		s.claim(d, payment.ClaimCreating)
		waiting := []reply{s.start("T1", "A"), s.start("T1", "A"), s.start("T1", "A")}
		s.claim(d, payment.ClaimOpen)
		for _, r := range waiting {
			if got := r.started(); got != want {
				t.Errorf("joined: got %+v, want %+v", got, want)
			}
		}
		s.publish(d, "initialized", 1)
		want := want
		want.Status = "initialized"
		if got := s.start("T1", "A").started(); got != want {
			t.Errorf("open: got %+v, want %+v", got, want)
		}
		s.publish(d, "completed", 2)
		want.Status = "completed"
		if got := s.start("T1", "A").started(); got != want {
			t.Errorf("paid: got %+v, want %+v", got, want)
		}
		s.unlock(d)
		s.open("T1", "B") // another order's payment does not hide it
		if got := s.start("T1", "A").started(); got != want {
			t.Errorf("long after: got %+v, want %+v", got, want)
		}
	})
	t.Run("of a session that ends without an order", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		s.start("T1", "A")
		d := s.queued("T1", "A")
		r := s.start("T1", "A")
		s.claim(d, payment.ClaimClosed, func(c *payment.Claim) { c.Answer = schema.NewError(schema.ProviderRejected, "no") })
		if got := r.failed(schema.ProviderRejected); got.Message != "no" {
			t.Errorf("got %+v", got)
		}
		// Once it is unlocked, the same order starts afresh, with other content too.
		r = s.send("pos.payment.start", strings.Replace(orderA, "1250", "1251", 1))
		s.unlock(d)
		if again := s.queued("T1", "A"); again.Session.Request.Amount != 1251 {
			t.Errorf("got %+v", again.Session)
		}
		r.silent()
	})
	t.Run("with other content", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		other := strings.Replace(orderA, "1250", "1251", 1)
		s.start("T1", "A")
		d := s.queued("T1", "A")
		for _, more := range []string{
			`"description":"b"`, `"customer":{"email":"a@example.com"}`, `"notification_url":"https://example.com"`, `"custom_info":{"custom_1":"1"}`,
		} {
			s.send("pos.payment.start", strings.Replace(orderA, "{", "{"+more+",", 1)).failed(schema.OrderConflict)
		}
		s.send("pos.payment.start", strings.Replace(orderA, "EUR", "USD", 1)).failed(schema.OrderConflict)
		s.send("pos.payment.start", other).failed(schema.OrderConflict)
		s.claim(d, payment.ClaimOpen)
		s.send("pos.payment.start", other).failed(schema.OrderConflict)
		s.publish(d, "completed", 1)
		s.send("pos.payment.start", other).failed(schema.OrderConflict)
	})
}

func TestStartOnABusyTerminal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.start("T1", "A")
	d := s.queued("T1", "A")
	if got := s.start("T1", "B").failed(schema.TerminalBusy); !got.Retryable || !strings.Contains(got.Message, "order A") {
		t.Errorf("got %+v", got)
	}
	s.claim(d, payment.ClaimOpen)
	s.publish(d, "initialized", 1)
	s.start("T1", "B").failed(schema.TerminalBusy)
	// The terminal is free with the final event, a moment before it is unlocked.
	s.publish(d, "cancelled", 2)
	r := s.start("T1", "B")
	r.silent()
	s.unlock(d)
	s.queued("T1", "B")
	r.silent()
}

// The order of a later release's session cannot be read: the terminal is busy all the
// same, and what is known of the requested order goes first.
func TestStartOnATerminalOfALaterRelease(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.over("T1", "paid", "completed")
	if _, err := s.client.Request("pos.T1.session", []byte(`{"v":9}`), patience); err != nil {
		t.Fatal(err)
	}
	if got := s.start("T1", "B").failed(schema.TerminalBusy); !strings.Contains(got.Message, "later release") {
		t.Errorf("got %+v", got)
	}
	if got := s.start("T1", "paid").started(); got.Status != "completed" {
		t.Errorf("got %+v", got)
	}
}

func TestTerminalThatIsNotFreedInTime(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *Options) {
		b := o.Bus.(*bus.Bus)
		o.StartDeadline = 300 * time.Millisecond
		o.Bus = oddBus{Bus: b, enqueue: func(ctx context.Context, q payment.Session) (uint64, error) {
			if q.Request.OrderID == "B" {
				return 0, bus.ErrConflict // and the deadline cannot make it doubtful
			}
			return b.Enqueue(ctx, q)
		}}
	})
	s.start("T1", "A")
	d := s.queued("T1", "A")
	s.claim(d, payment.ClaimOpen)
	s.publish(d, "completed", 1)
	if got := s.start("T1", "B").failed(schema.TerminalBusy); !strings.Contains(got.Message, "still being freed by order A") {
		t.Errorf("got %+v", got)
	}
}

// Nobody takes the session: the requester is answered all the same.
func TestStartDeadline(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *Options) { o.StartDeadline = 100 * time.Millisecond })
	r := s.start("T1", "A")
	joined := s.start("T1", "A")
	r.failed(schema.OutcomeUnknown)
	joined.failed(schema.OutcomeUnknown)
}

// The follower answers from the order's log, and leaves no claim.
func TestAnsweredWithoutAClaim(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.over("T1", "A", "completed")
	done := make(chan *schema.Error, 1)
	go func() {
		r := schema.StartRequest{TerminalID: "T1", OrderID: "A", Amount: 1250, Currency: "EUR"}
		_, failure := s.service.starts.start(t.Context(), r, requester{queued: func() {}})
		done <- failure
	}()
	s.unlock(s.queued("T1", "A"))
	if failure := <-done; failure != nil {
		t.Errorf("got %v", failure)
	}
}

// The answer to a publish is lost, or NATS is away.
func TestUncertainPublish(t *testing.T) {
	t.Parallel()
	lost := errors.New("timed out")
	tests := []struct {
		name string
		// enqueue is the nth try.
		enqueue func(b *bus.Bus, n int32, s payment.Session) (uint64, error)
		want    schema.Code // empty: the session is queued, and its follower answers
	}{
		{"stored, answer lost", func(b *bus.Bus, n int32, s payment.Session) (uint64, error) {
			if _, err := b.Enqueue(context.Background(), s); n == 1 && err == nil {
				return 0, lost
			}
			return 0, bus.ErrConflict
		}, ""},
		{"not stored at first", func(b *bus.Bus, n int32, s payment.Session) (uint64, error) {
			if n < 3 {
				return 0, lost
			}
			return b.Enqueue(context.Background(), s)
		}, ""},
		{"never", func(*bus.Bus, int32, payment.Session) (uint64, error) { return 0, lost }, schema.OutcomeUnknown},
		{"refused for good", func(*bus.Bus, int32, payment.Session) (uint64, error) {
			return 0, &bus.RefusedError{Op: "publish session", Err: errors.New("maximum messages exceeded")}
		}, schema.ProviderUnavailable},
		{"lost, then refused for good", func(_ *bus.Bus, n int32, _ payment.Session) (uint64, error) {
			if n == 1 {
				return 0, lost
			}
			return 0, &bus.RefusedError{Op: "publish session", Err: errors.New("no rights")}
		}, schema.OutcomeUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			s := setup(t, func(o *Options) {
				b := o.Bus.(*bus.Bus)
				if tt.name == "never" {
					o.StartDeadline = 300 * time.Millisecond
				}
				o.Bus = oddBus{Bus: b, enqueue: func(_ context.Context, q payment.Session) (uint64, error) { return tt.enqueue(b, n.Add(1), q) }}
			})
			failed := make(chan *schema.Error, 1)
			go func() {
				r := schema.StartRequest{TerminalID: "T1", OrderID: "A", Amount: 1250, Currency: "EUR"}
				_, failure := s.service.starts.start(t.Context(), r, requester{queued: func() {}})
				failed <- failure
			}()
			if tt.want == "" {
				s.claim(s.queued("T1", "A"), payment.ClaimOpen)
			}
			failure := <-failed
			if (failure == nil) != (tt.want == "") || failure != nil && failure.Code != tt.want {
				t.Errorf("got %v, want %q", failure, tt.want)
			}
		})
	}
}

// "Nothing was created" is said only when it is so: what is stored about the order
// comes first.
func TestStartThatCannotBeCarriedOut(t *testing.T) {
	t.Parallel()
	down := &multisafepay.Error{Op: "terminals", Kind: multisafepay.KindUnreachable}
	refuses := func(context.Context, payment.Session) (uint64, error) {
		return 0, &bus.RefusedError{Err: errors.New("full")}
	}
	tests := []struct {
		name   string
		change func(*Options)
		age    time.Duration
		want   schema.Code
	}{
		{"group not found", func(o *Options) { o.Groups = groups{down} }, 0, schema.ProviderUnavailable},
		{"key refused", func(o *Options) { o.Groups = groups{&multisafepay.Error{Kind: multisafepay.KindKey, Status: 401}} }, 0, schema.ProviderError},
		{"queue refuses", func(o *Options) { o.Bus = oddBus{Bus: o.Bus.(*bus.Bus), enqueue: refuses} }, 0, schema.ProviderUnavailable},
		{"request too old", func(*Options) {}, patience, schema.ProviderUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.over("T1", "paid", "completed")
			s.open("T2", "open")
			opts := s.opts
			tt.change(&opts)
			odd := starts{Options: opts, stopping: t.Context()}
			try := func(terminal, order string, amount int64) (*schema.StartReply, *schema.Error) {
				r := schema.StartRequest{TerminalID: terminal, OrderID: order, Amount: amount, Currency: "EUR"}
				return odd.start(t.Context(), r, requester{age: tt.age, queued: func() {}})
			}
			if _, failure := try("T1", "new", 1250); failure == nil || failure.Code != tt.want {
				t.Errorf("new: got %v, want %s", failure, tt.want)
			}
			if _, failure := try("T2", "new", 1250); failure == nil || tt.name != "queue refuses" && failure.Code != tt.want {
				t.Errorf("new on a busy terminal: got %v, want %s", failure, tt.want)
			}
			if reply, failure := try("T1", "paid", 1250); failure != nil || reply.Status != "completed" || reply.Created {
				t.Errorf("paid: got %+v, %v", reply, failure)
			}
			if reply, failure := try("T2", "open", 1250); failure != nil || reply.Status != "created" || reply.Created {
				t.Errorf("open: got %+v, %v", reply, failure)
			}
			if _, failure := try("T1", "paid", 1251); failure == nil || failure.Code != schema.OrderConflict {
				t.Errorf("other content: got %v", failure)
			}
			if _, err := s.bus.Queued(t.Context(), "T1"); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("something was queued: %v", err)
			}
		})
	}
}

func TestStartOfAnUnknownTerminal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.start("none", "A").failed(schema.UnknownTerminal)
}

// One till cannot take all hands: what waits for one terminal is bounded, and other
// terminals go on.
func TestStartsOfOneTerminalAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.start("T1", "A")
	s.queued("T1", "A")
	var waiting []reply
	for range 100 {
		waiting = append(waiting, s.start("T1", "A"))
	}
	refused := 0
	for refused < 100-64 {
		for _, r := range waiting {
			if n, _, _ := r.sub.Pending(); n > 0 {
				r.failed(schema.OutcomeUnknown)
				refused++
			}
		}
	}
	s.start("T2", "B")
	s.queued("T2", "B")
}
