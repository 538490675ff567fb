package bridge_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// patient is a replica that asks for an order only when it has a reason to.
func patient(c *bridge.Config) { c.Timing.ReconcileInterval = time.Hour }

func TestCancelOpenOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	want := schema.CancelReply{OrderID: "a", TerminalID: terminal1, Status: "cancelled"}
	if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	events := b.await("a", "initialized", "cancelled")
	if !events[1].Final {
		t.Errorf("got %+v", events[1])
	}
	b.waitFree(terminal1)
	if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got != want {
		t.Errorf("again: got %+v, want %+v", got, want)
	}
	if n := b.sim.Calls("a").Cancel; n != 1 {
		t.Errorf("the provider was asked %d times to cancel", n)
	}
	b.await("a", "initialized", "cancelled")
}

// The change arrives even though the stream does not tell of it.
func TestCancelThatTheStreamDoesNotTell(t *testing.T) {
	t.Parallel()
	p := &provider{}
	p.cancel = func(w http.ResponseWriter, r *http.Request, id string) {
		p.become("cancelled")
		yes(w, fields{"order_id": id, "status": "cancelled", "financial_status": nil})
	}
	b := setup(t, options{provider: p})
	b.run(patient)
	b.run(patient)
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got.Status != "cancelled" {
		t.Errorf("got %+v", got)
	}
	if e := b.await("a", "initialized", "cancelled")[1]; e.Source != schema.SourceReconcile {
		t.Errorf("got %+v", e)
	}
	b.waitFree(terminal1)
}

// The provider refuses because the payment has just been completed: that is
// the answer.
func TestCancelThatComesTooLate(t *testing.T) {
	t.Parallel()
	p := &provider{}
	p.cancel = func(w http.ResponseWriter, r *http.Request, id string) {
		p.become("completed")
		refuse(w, http.StatusBadRequest, 1000, "already completed")
	}
	b := setup(t, options{provider: p})
	b.run(func(c *bridge.Config) { c.Timing.ReconcileInterval = 100 * time.Millisecond })
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got.Status != "completed" {
		t.Errorf("got %+v", got)
	}
	b.await("a", "initialized", "completed")
}

// An answer to a cancel that was lost: the order is asked for.
func TestLostAnswerToACancel(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{simulator.LoseByCut, simulator.LoseByHang} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{simulator: simulator.Options{Manual: true}})
			b.run(func(c *bridge.Config) { c.Timing.RequestTimeout = time.Second })
			b.start(order("a", terminal1))
			b.await("a", "initialized")
			if _, err := b.sim.SetFault(simulator.Fault{Name: simulator.FaultLoseAnswer, Operation: simulator.OpCancel, Mode: mode}); err != nil {
				t.Fatal(err)
			}
			if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got.Status != "cancelled" {
				t.Errorf("got %+v", got)
			}
			b.await("a", "initialized", "cancelled")
		})
	}
	t.Run("nobody knows", func(t *testing.T) {
		t.Parallel()
		var blind atomic.Bool
		p := &provider{}
		p.cancel = func(w http.ResponseWriter, r *http.Request, id string) { panic(http.ErrAbortHandler) }
		p.get = func(w http.ResponseWriter, r *http.Request, id string) {
			if blind.Load() {
				panic(http.ErrAbortHandler)
			}
			p.state(w, id)
		}
		b := setup(t, options{provider: p})
		b.run(short)
		b.start(order("a", terminal1))
		b.await("a", "initialized")
		blind.Store(true)
		b.cancel(terminal1, "a").failed(schema.OutcomeUnknown)
		blind.Store(false)
		p.become("cancelled")
		b.await("a", "initialized", "cancelled")
	})
}

func TestCancelFails(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run(short)
	b.cancel(terminal1, "nobody").failed(schema.NotFound)
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.cancel(terminal2, "a").failed(schema.NotFound)
	for _, tt := range []struct {
		name  string
		fault simulator.Fault
		code  schema.Code
		http  int
	}{
		{"refused", simulator.Fault{Name: simulator.FaultFailAPI, Status: 400, ErrorCode: 1001, ErrorInfo: "No"}, schema.ProviderRejected, 400},
		{"key refused", simulator.Fault{Name: simulator.FaultFailAPI, Status: 401, ErrorCode: 1032, ErrorInfo: "No"}, schema.ProviderError, 401},
		{"limited", simulator.Fault{Name: simulator.FaultFailAPI, Status: 429, RetryAfter: "0.1"}, schema.ProviderUnavailable, 429},
		{"fails", simulator.Fault{Name: simulator.FaultFailAPI, Status: 503}, schema.OutcomeUnknown, 503},
		{"redirects", simulator.Fault{Name: simulator.FaultRedirect}, schema.ProviderError, 307},
	} {
		tt.fault.Operation, tt.fault.Order = simulator.OpCancel, "a"
		if _, err := b.sim.SetFault(tt.fault); err != nil {
			t.Fatal(err)
		}
		e := b.cancel(terminal1, "a").failed(tt.code)
		if e.Provider == nil || e.Provider.HTTPStatus != tt.http {
			t.Errorf("%s: got %+v, want HTTP status %d", tt.name, e.Provider, tt.http)
		}
	}
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
}

// A cancel that comes while the order is being created waits for it.
func TestCancelDuringCreate(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	release := make(chan struct{})
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		close(asked)
		<-release
		p.make(order)
		created(w, r, order)
	}
	p.cancel = func(w http.ResponseWriter, r *http.Request, id string) {
		p.become("cancelled")
		yes(w, fields{"order_id": id, "status": "cancelled"})
	}
	b := setup(t, options{provider: p})
	b.run(patient)
	started := b.later("pos.payment.start", order("a", terminal1))
	<-asked
	cancelled := b.later("pos.payment.cancel", fields{"order_id": "a", "terminal_id": terminal1})
	if got := b.getOrder(terminal1, "a"); got.Status != "created" || !got.Active {
		t.Errorf("get: got %+v", got)
	}
	close(release)
	if got := (<-started).started(); !got.Created {
		t.Errorf("start: got %+v", got)
	}
	if got := into[schema.CancelReply](<-cancelled, "cancel-reply"); got.Status != "cancelled" {
		t.Errorf("cancel: got %+v", got)
	}
	b.awaitLast("a", "cancelled")
}

// A cancel that cannot have left is answered as such, although asking for the order
// does not tell anything either.
func TestCancelThatCannotBeSent(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	server := newServer(t, p)
	server.Config.SetKeepAlivesEnabled(false) // no connection is there to send the cancel on
	b.apiURL = server.URL + "/v1/json"
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	server.CloseClientConnections()
	server.Close()
	if e := b.cancel(terminal1, "a").failed(schema.ProviderUnavailable); e.Provider != nil {
		t.Errorf("got %+v, though the provider said nothing", e.Provider)
	}
	if n := p.called("cancel"); n != 0 {
		t.Errorf("%d cancels", n)
	}
}
