package till_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// clock is a clock that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 14, 5, 6, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// paying is "pos-bridge pay" under test.
type paying struct {
	stand
	out, notes *bridgetest.Output
	clock      *clock
	interrupts chan os.Signal
	stop       context.CancelFunc
	outcome    till.Outcome
	err        error
	ended      chan struct{}
}

var request = schema.StartRequest{TerminalID: "T1", OrderID: "a", Amount: 1250, Currency: "EUR"}

func created(r schema.StartRequest) (any, error) {
	return schema.StartReply{
		OrderID: r.OrderID, TerminalID: r.TerminalID, SessionID: "session-1",
		Status: schema.StatusCreated, StatusSubject: "pos.T1.a.status", Created: true,
	}, nil
}

// pay starts a payment against a stand. change may be nil.
func pay(t *testing.T, s stand, change func(*till.Payment)) *paying {
	t.Helper()
	p := &paying{
		stand: s, out: &bridgetest.Output{}, notes: &bridgetest.Output{}, clock: newClock(),
		interrupts: make(chan os.Signal, 2), ended: make(chan struct{}),
	}
	payment := till.Payment{
		Till: s.till, Screen: till.NewScreen(p.out, p.notes, env{}.get), Request: request,
		Timeout: bridgetest.Limit, Settle: time.Millisecond, Interrupts: p.interrupts, Now: p.clock.Now, Every: never,
	}
	if change != nil {
		change(&payment)
	}
	ctx, cancel := context.WithCancel(limited(t))
	p.stop = cancel
	go func() {
		defer close(p.ended)
		p.outcome, p.err = payment.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// ends waits for the end and compares the outcome.
func (p *paying) ends(t *testing.T, want till.Outcome) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(bridgetest.Limit):
		t.Fatalf("the payment does not end:\n%s%s", p.out, p.notes)
	}
	if p.outcome != want || p.err != nil {
		t.Fatalf("got outcome %d, %v, want %d:\n%s%s", p.outcome, p.err, want, p.out, p.notes)
	}
}

// fails waits for the end and returns the error.
func (p *paying) fails(t *testing.T) error {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(bridgetest.Limit):
		t.Fatalf("the payment does not end:\n%s%s", p.out, p.notes)
	}
	if p.err == nil || p.outcome != till.OutcomeUnknown {
		t.Fatalf("got outcome %d, %v, want an error:\n%s%s", p.outcome, p.err, p.out, p.notes)
	}
	return p.err
}

func TestPaymentShowsItsCourse(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), nil)
	p.out.Await(t, "accepted")
	for i, status := range []string{"initialized", "declined", "initialized", "completed"} {
		p.clock.advance(1300 * time.Millisecond)
		e := event("a", uint64(i+1), status)
		if i == 2 {
			e.Source = schema.SourceReconcile
		}
		p.bridge.Store(e)
		p.out.Await(t, fmt.Sprintf("%d.%ds  %s", (i+1)*13/10, (i+1)*13%10, status))
	}
	p.ends(t, till.OutcomePaid)
	want := `Payment a: 12.50 EUR on terminal T1
   0.0s  accepted     the order is at MultiSafepay, the terminal asks for the card
   1.3s  initialized  under way: the card is asked for, or being processed
   2.6s  declined     declined; the customer may try again on the terminal
   3.9s  initialized  under way: the card is asked for, or being processed (learnt by asking)
   5.2s  completed    paid
Paid: 12.50 EUR, transaction 4051823
`
	if got := p.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := p.notes.String(); got != "" {
		t.Errorf("got remarks %q", got)
	}
}

func TestPaymentOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status string
		want   till.Outcome
		last   string
	}{
		{"completed", till.OutcomePaid, "Paid: 12.50 EUR, transaction 4051823\n"},
		{"cancelled", till.OutcomeNotPaid, "Not paid: 12.50 EUR, transaction 4051823\n"},
		{"expired", till.OutcomeNotPaid, "Not paid: 12.50 EUR, transaction 4051823\n"},
		{"void", till.OutcomeNotPaid, "Not paid: 12.50 EUR, transaction 4051823\n"},
		{"reversed", till.OutcomeNotPaid, "Not paid: 12.50 EUR, transaction 4051823\n"},
		{"refunded", till.OutcomeNotPaid, "Not paid: 12.50 EUR, transaction 4051823\n"},
		{"unresolved", till.OutcomeUnknown, "Not known whether paid: 12.50 EUR, transaction 4051823\n"},
		{"something new", till.OutcomeUnknown, "Not known whether paid: 12.50 EUR, transaction 4051823\n"},
	} {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), nil)
			p.out.Await(t, "accepted")
			e := event("a", 1, test.status)
			e.Final = true
			p.bridge.Store(e)
			p.ends(t, test.want)
			if got := p.out.String(); !strings.HasSuffix(got, test.last) {
				t.Errorf("got\n%s\nwant its end\n%s", got, test.last)
			}
		})
	}
}

// A reversal right after the end is waited for.
func TestPaymentThatIsReversedAtOnce(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), func(p *till.Payment) { p.Settle = bridgetest.Limit })
	p.out.Await(t, "accepted")
	p.bridge.Store(event("a", 1, "completed"))
	p.out.Await(t, "completed")
	p.bridge.Store(event("a", 2, "reversed"))
	p.out.Await(t, "reversed")
	p.interrupts <- os.Interrupt
	p.ends(t, till.OutcomeNotPaid)
	if got, want := p.out.String(), "Not paid: 12.50 EUR, transaction 4051823\n"; !strings.HasSuffix(got, want) || strings.Contains(got, "\nPaid") {
		t.Errorf("got\n%s\nwant its end\n%s", got, want)
	}
	if got, want := p.notes.String(), "not waited for what may follow at once"; !strings.Contains(got, want) {
		t.Errorf("got remarks %q, want %q", got, want)
	}
}

// Whoever does not wait is told so, but not after a status that nothing follows.
func TestPaymentThatDoesNotWait(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{"completed": true, "cancelled": true, "unresolved": false, "not_created": false} {
		p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), func(p *till.Payment) { p.Settle = 0 })
		p.out.Await(t, "accepted")
		p.bridge.Store(event("a", 1, status))
		<-p.ended
		if got := strings.Contains(p.notes.String(), "not waited for"); got != want {
			t.Errorf("%s: got remarks %q", status, p.notes)
		}
	}
}

// The amount that was paid may come with the end, or on an event of its own after it.
func TestPaymentOfAnotherAmount(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), func(p *till.Payment) { p.Settle = bridgetest.Limit })
	p.out.Await(t, "accepted")
	p.bridge.Store(event("a", 1, "completed"))
	e := event("a", 2, "completed")
	e.AmountCharged = 1458
	p.bridge.Store(e)
	p.out.Await(t, "paid, 14.58 EUR")
	p.interrupts <- os.Interrupt
	p.ends(t, till.OutcomePaid)
	if got, want := p.out.String(), "Paid: 14.58 EUR (12.50 EUR was asked for), transaction 4051823\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant its end\n%s", got, want)
	}
}

// Whatever comes over the bus, nothing of it acts on the terminal window.
func TestPaymentShowsNoControlCharacters(t *testing.T) {
	t.Parallel()
	evil := "\x1b]0;owned\a\u202e"
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), nil)
	p.out.Await(t, "accepted")
	e := event("a", 1, "declined"+evil)
	p.bridge.StoreInvalid(schema.InvalidEvent{TerminalID: "T1", OrderID: "a", Reason: "bad" + evil})
	p.bridge.Store(e)
	e = event("a", 2, "completed")
	e.TransactionID += evil
	p.bridge.Store(e)
	p.ends(t, till.OutcomePaid)
	if all := p.out.String() + p.notes.String(); strings.ContainsAny(all, "\x1b\a\u202e") {
		t.Errorf("got %q", all)
	}
}

func TestPaymentRefused(t *testing.T) {
	t.Parallel()
	for _, code := range schema.Codes() {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			p := pay(t, setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
				return nil, schema.NewError(code, "no, for a reason")
			}}, bridgetest.Options{}), func(p *till.Payment) { p.Patience = 5 * time.Second })
			switch code {
			case schema.OutcomeUnknown, schema.ShuttingDown, schema.NotFound: // the payment may have begun
				p.notes.Await(t, "does not know yet whether the order exists: no, for a reason")
				return
			}
			err := p.fails(t)
			if !refusedWith(err, code) || !strings.Contains(till.Describe(err), "no, for a reason ("+string(code)) {
				t.Errorf("got %s, want %s", till.Describe(err), code)
			}
			if got := new(till.Screen).Advice(err, "T1", "a"); len(got) == 0 {
				t.Error("got no advice")
			}
		})
	}
}

func TestPaymentThatEndsBeforeItIsAccepted(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = func(schema.StartRequest) (any, error) {
			s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed"))
			return nil, bridgetest.ErrNoReply
		}
	})
	p := pay(t, s, nil)
	p.ends(t, till.OutcomePaid)
	if got, want := p.notes.String(), "the bridge's answer was lost; the payment is under way"; !strings.Contains(got, want) {
		t.Errorf("got remarks %q, want %q", got, want)
	}
}

func TestPaymentThatWasStartedBefore(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: func(r schema.StartRequest) (any, error) {
		return schema.StartReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: "completed", StatusSubject: "pos.T1.a.status"}, nil
	}}, bridgetest.Options{})
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed"))
	p := pay(t, s, nil)
	p.ends(t, till.OutcomePaid)
	for _, want := range []string{"this payment was started before", "initialized", "Paid: 12.50 EUR"} {
		if got := p.out.String(); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q", got, want)
		}
	}
}

// A NATS user who may not read the stream gets to the end by asking the bridge.
func TestPaymentThatWasStartedBeforeWithoutTheStream(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{
		Start: func(r schema.StartRequest) (any, error) {
			return schema.StartReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: "cancelled"}, nil
		},
		Get: func(schema.OrderRequest) (any, error) { return bridgetest.Session(event("a", 2, "cancelled")), nil },
	}, bridgetest.Options{NoStream: true})
	p := pay(t, s, nil)
	p.ends(t, till.OutcomeNotPaid)
	if got, want := p.notes.String(), "status 1 of order a was missed\n"; got != want {
		t.Errorf("got remarks %q, want %q", got, want)
	}
}

func TestPaymentWhoseOutcomeOfStartIsUnknown(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{
		Start: func(schema.StartRequest) (any, error) {
			return nil, schema.NewError(schema.OutcomeUnknown, "the provider did not answer")
		},
		Get: func(schema.OrderRequest) (any, error) {
			e := event("a", 0, schema.StatusCreated)
			return bridgetest.Session(e), nil
		},
	}, bridgetest.Options{}), nil)
	p.notes.Await(t, "does not know yet whether the order exists: the provider did not answer")
	p.bridge.Store(event("a", 1, "completed"))
	p.ends(t, till.OutcomePaid)
}

func TestPaymentThatTurnsOutNotToExist(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		return nil, schema.NewError(schema.OutcomeUnknown, "the provider did not answer")
	}}, bridgetest.Options{}), func(p *till.Payment) { p.Every = 20 * time.Millisecond })
	p.ends(t, till.OutcomeUnknown)
	if got, want := p.notes.String(), "the bridge does not know the order"; !strings.Contains(got, want) {
		t.Errorf("got remarks\n%s\nwant %q", got, want)
	}
}

func TestPaymentThatTakesTooLong(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), func(p *till.Payment) { p.Timeout = 50 * time.Millisecond })
	p.ends(t, till.OutcomeUnknown)
	if got, want := p.notes.String(), "pos-bridge watch --terminal T1 --order a"; !strings.Contains(got, want) {
		t.Errorf("got remarks\n%s\nwant %q", got, want)
	}
}

func TestPaymentInterrupted(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Cancel = func(r schema.OrderRequest) (any, error) {
			s.bridge.Store(event(r.OrderID, 1, "cancelled"))
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: "cancelled"}, nil
		}
	})
	p := pay(t, s, nil)
	p.out.Await(t, "accepted")
	p.interrupts <- os.Interrupt
	p.ends(t, till.OutcomeNotPaid)
	if got, want := p.notes.String(), "cancelling; Ctrl-C again leaves\n"; got != want {
		t.Errorf("got remarks %q, want %q", got, want)
	}
}

func TestPaymentLeft(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{
		Start: created,
		Cancel: func(schema.OrderRequest) (any, error) {
			return nil, schema.NewError(schema.ProviderRejected, "too late")
		},
	}, bridgetest.Options{}), nil)
	p.out.Await(t, "accepted")
	p.interrupts <- os.Interrupt
	p.notes.Await(t, "not cancelled: refused by the bridge: too late (provider_rejected)")
	p.interrupts <- os.Interrupt
	p.ends(t, till.OutcomeUnknown)
	if got, want := p.notes.String(), "the payment goes on; follow it with\n  pos-bridge watch --terminal T1 --order a --since 1h"; !strings.Contains(got, want) {
		t.Errorf("got remarks\n%s\nwant %q", got, want)
	}
}

func TestPaymentInterruptedBeforeTheReply(t *testing.T) {
	t.Parallel()
	reply := make(chan struct{})
	cancelled := make(chan struct{})
	s := setup(t, bridgetest.Handlers{
		Start: func(r schema.StartRequest) (any, error) {
			<-reply
			return created(r)
		},
		Cancel: func(r schema.OrderRequest) (any, error) {
			close(cancelled)
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: schema.StatusCreated}, nil
		},
	}, bridgetest.Options{})
	p := pay(t, s, nil)
	p.out.Await(t, "Payment a")
	p.interrupts <- os.Interrupt
	p.notes.Await(t, "cancelling as soon as the bridge has answered")
	close(reply)
	select {
	case <-cancelled:
	case <-time.After(bridgetest.Limit):
		t.Fatal("the payment is not cancelled")
	}
	p.bridge.Store(event("a", 1, "cancelled"))
	p.ends(t, till.OutcomeNotPaid)
}

func TestPaymentStoppedInTime(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	p := pay(t, setup(t, bridgetest.Handlers{Start: func(r schema.StartRequest) (any, error) {
		started <- struct{}{}
		return created(r)
	}}, bridgetest.Options{}), func(p *till.Payment) {
		interrupts := make(chan os.Signal, 1)
		interrupts <- os.Interrupt
		p.Interrupts = interrupts
	})
	if err := p.fails(t); err.Error() != "stopped before anything was started" {
		t.Errorf("got %v", err)
	}
	if len(started) > 0 {
		t.Error("the payment was started")
	}
}

func TestPaymentSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), nil)
	p.out.Await(t, "accepted")
	p.wire.Cut()
	p.notes.Await(t, "connection to NATS lost")
	p.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed"))
	p.wire.Mend()
	p.ends(t, till.OutcomePaid)
	if got, want := p.out.String(), "initialized"; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant %q", got, want)
	}
}

func TestPaymentAsJSON(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		return []byte("{ \"order_id\": \"a\", \"terminal_id\":\"T1\", \"status\":\"created\", \"created\":true,\n \"new_field\":\"\u009b\" }"), nil
	}}, bridgetest.Options{}), func(p *till.Payment) { p.JSON = true })
	p.out.Await(t, "created")
	e := event("a", 1, "completed")
	e.ObservedAt = time.Date(2026, 11, 23, 14, 5, 6, 7_000_000, time.UTC)
	p.bridge.Store(e)
	p.ends(t, till.OutcomePaid)
	want := `{"order_id":"a","terminal_id":"T1","status":"created","created":true,"new_field":"\u009b"}
{"order_id":"a","terminal_id":"T1","session_id":"session-1","transaction_id":"4051823","status":"completed","financial_status":"completed","previous_status":"","final":true,"sequence":1,"source":"stream","amount":1250,"currency":"EUR","observed_at":"2026-11-23T14:05:06.007Z"}
`
	if got := p.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPaymentWithoutABridge(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Prefix: "other"})
	bus := connect(t, env{till.EnvURL: s.wire.URL()}, "")
	p := pay(t, stand{s.bridge, s.wire, bus}, nil)
	err := p.fails(t)
	if _, ok := errors.AsType[*till.NoBridgeError](err); !ok {
		t.Errorf("got %v, want no bridge", err)
	}
	if got, want := till.Describe(err), "no bridge is serving at "+s.wire.URL()+` with subject prefix "pos"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPaymentWhoseConnectionIsClosed(t *testing.T) {
	t.Parallel()
	p := pay(t, setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{}), nil)
	p.out.Await(t, "accepted")
	p.till.Close()
	p.ends(t, till.OutcomeUnknown)
	if got, want := p.notes.String(), "no longer accepts these credentials; the payment goes on"; !strings.Contains(got, want) {
		t.Errorf("got remarks\n%s\nwant %q", got, want)
	}
}

// A reply that makes no sense says nothing about the payment: it is followed.
func TestPaymentWithABadReply(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"not JSON":      `accepted`,
		"another order": `{"order_id":"b","terminal_id":"T1","status":"created","created":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pay(t, setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) { return []byte(reply), nil }}, bridgetest.Options{}), nil)
			p.notes.Await(t, "whether the payment began is not known yet; to ask again is safe: the same command with --order a")
			p.bridge.Store(event("a", 1, "completed"))
			p.ends(t, till.OutcomePaid)
		})
	}
}
