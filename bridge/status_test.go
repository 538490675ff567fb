package bridge_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// One event, to the letter of the contract.
func TestStatusEvent(t *testing.T) {
	t.Parallel()
	p := &provider{stream: func(w http.ResponseWriter, r *http.Request) {
		openStream(w)
		send(w, "event: session.order\ndata: {\"order_id\":\"a/1\",\"session_id\":\"s\",\"status\":\" Declined\",\"financial_status\":\"NEW\",\"transaction_id\":12345678901234567}\n\n")
		<-r.Context().Done()
	}}
	b := setup(t, options{provider: p})
	b.run()
	before := time.Now()
	traced := nats.NewMsg("pos.payment.start")
	traced.Data = []byte(`{"order_id":"a/1","terminal_id":"SIM00001","amount":7,"currency":"JPY"}`)
	traced.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := b.nc.RequestMsgWithContext(b.ctx, traced); err != nil {
		t.Fatal(err)
	}
	b.await("a/1", "declined")
	b.recorder.mu.Lock()
	got := b.statuses[0]
	b.recorder.mu.Unlock()
	e := got.StatusEvent
	if e.ObservedAt.Before(before.Add(-time.Second)) || e.ObservedAt.After(time.Now().Add(time.Second)) {
		t.Errorf("observed at %s", e.ObservedAt)
	}
	e.ObservedAt = time.Time{}
	want := schema.StatusEvent{
		OrderID: "a/1", TerminalID: terminal1, SessionID: "s", TransactionID: "12345678901234567", Status: "declined",
		FinancialStatus: "new", Sequence: 1, Source: schema.SourceStream, Amount: 7, Currency: "JPY",
	}
	if e != want {
		t.Errorf("got %+v, want %+v", e, want)
	}
	if want := "pos.SIM00001.a%2F1.status"; got.msg.Subject != want {
		t.Errorf("published on %s, want %s", got.msg.Subject, want)
	}
	if trace := got.msg.Header["traceparent"]; len(trace) != 1 || len(trace[0]) != 55 || trace[0][3:35] != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("traceparent is %q, want the trace of the request", trace)
	}
}

// Names that nobody knows yet pass through.
func TestUnknownStatusNames(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	want := []string{"initialized"}
	for _, status := range []string{"awaiting_customer", "Partly Paid", "uncleared", "reserved", "shipped"} {
		if _, err := b.sim.SetStatus("a", status, "some_money"); err != nil {
			t.Fatal(err)
		}
		if status == "Partly Paid" {
			status = "partly paid"
		}
		want = append(want, status)
		events := b.await("a", want...)
		if e := events[len(events)-1]; e.Final || e.FinancialStatus != "some_money" {
			t.Errorf("got %+v", e)
		}
	}
	b.act(terminal1, simulator.ActApprove)
	events := b.await("a", append(want, "initialized", "completed")...)
	if !events[len(events)-1].Final {
		t.Error("completed is not final")
	}
}

// Each of the final statuses frees the terminal, and ends the session.
func TestFinalStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run()
	for _, status := range []string{"completed", "cancelled", "expired", "void"} {
		b.start(order(status, terminal1))
		b.await(status, "initialized")
		if _, err := b.sim.SetStatus(status, status, ""); err != nil {
			t.Fatal(err)
		}
		if events := b.await(status, "initialized", status); !events[1].Final {
			t.Errorf("%s is not final", status)
		}
		r.waitMetric(`pos_bridge_status_published_total{source="stream",status="`+status+`"}`, "1")
	}
	r.waitMetric("pos_bridge_sessions_active", "0")
}

// What follows a final status within the settle window is published, and is
// final too; what would take it back is not.
func TestSettleWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run(func(c *bridge.Config) { c.Timing.SettleWindow = 3 * time.Second })
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	b.start(order("b", terminal1)) // meanwhile the next customer pays
	for _, status := range []string{"initialized", "declined", "reversed", "initialized", "refunded"} {
		if _, err := b.sim.SetStatus("a", status, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range b.await("a", "initialized", "completed", "reversed", "refunded")[1:] {
		if !e.Final {
			t.Errorf("got %+v", e)
		}
	}
	b.await("b", "initialized")
	if got := b.getOrder(terminal1, "a"); got.Status != "refunded" || got.Active || got.Sequence != 4 {
		t.Errorf("got %+v", got)
	}
	eventually(t, "the settle window is over", func() bool { return r.metric("pos_bridge_sessions_active") == "1" })
	b.act(terminal1, simulator.ActCancel)
	b.await("b", "initialized", "cancelled")
}

// A reversal that no stream told of is found by the question that is asked at
// the end of the window when there is no stream.
func TestReversalWithoutAStream(t *testing.T) {
	t.Parallel()
	p := &provider{stream: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }}
	b := setup(t, options{provider: p})
	b.run(func(c *bridge.Config) { c.Timing.SettleWindow = 300 * time.Millisecond })
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	p.become("completed")
	b.await("a", "initialized", "completed")
	p.become("reversed")
	b.await("a", "initialized", "completed", "reversed")
}

// When the time is up the bridge gives the session up: final, and nothing
// follows it.
func TestUnresolved(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"stream is open": false, "provider says nothing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &provider{}
			if silent {
				p.get = func(w http.ResponseWriter, r *http.Request, id string) { panic(http.ErrAbortHandler) }
				p.stream = func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
			}
			b := setup(t, options{provider: p})
			r := b.run(func(c *bridge.Config) {
				c.Timing.SessionTimeout = 700 * time.Millisecond
				c.Timing.SettleWindow = 300 * time.Millisecond
			})
			b.start(order("a", terminal1))
			want := []string{"initialized", "unresolved"}
			if silent {
				want = want[1:]
			}
			events := b.await("a", want...)
			last := events[len(events)-1]
			if !last.Final || last.Source != schema.SourceBridge || last.SessionID != "session-of-a" {
				t.Errorf("got %+v", last)
			}
			b.waitFree(terminal1)
			p.become("completed")
			if got := b.getOrder(terminal1, "a"); got.Status != "unresolved" || got.Active || !got.Final {
				t.Errorf("got %+v", got)
			}
			r.waitMetric("pos_bridge_sessions_active", "0")
			r.waitMetric("pos_bridge_sessions_unresolved_total", "1")
			if got := b.start(order("a", terminal1)); got.Created || got.Status != "unresolved" {
				t.Errorf("the same start again: got %+v", got)
			}
			if got := into[schema.CancelReply](b.cancel(terminal1, "a"), "cancel-reply"); got.Status != "unresolved" {
				t.Errorf("cancel: got %+v", got)
			}
			b.start(order("b", terminal1))
			b.await("a", want...)
		})
	}
}

// The session's time ends while the settle window is open: the payment is over,
// and stays what it is.
func TestSessionTimeEndsInTheSettleWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run(func(c *bridge.Config) {
		c.Timing.SessionTimeout = 600 * time.Millisecond
		c.Timing.SettleWindow = time.Second
	})
	b.start(order("a", terminal1))
	b.await("a", "initialized", "completed")
	r.waitMetric("pos_bridge_sessions_active", "0")
	b.await("a", "initialized", "completed")
}
