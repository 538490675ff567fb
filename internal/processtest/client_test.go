package processtest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// paying is a payment of package client, and the statuses that it has shown.
type paying struct {
	*hand
	payment *client.Payment
	shown   chan client.Status
}

func newClient(h *hand) *client.Client {
	h.t.Helper()
	c, err := client.New(h.Conn, client.Options{Every: time.Second, SettleWindow: 2 * time.Second})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *hand) request(faults string) schema.StartRequest {
	return schema.StartRequest{
		OrderID: h.order, TerminalID: h.terminal, Amount: 1250, Currency: "EUR",
		CustomInfo: &schema.CustomInfo{Custom2: faults},
	}
}

// follow shows a payment's statuses.
func follow(h *hand, payment *client.Payment) *paying {
	p := &paying{h, payment, make(chan client.Status, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(p.shown)
		sequence := uint64(0)
		for status, err := range payment.Statuses(h.ctx) {
			if err != nil {
				h.t.Errorf("statuses: %v", err)
				return
			}
			if sequence++; status.Sequence != sequence {
				h.t.Errorf("got status %d, want %d", status.Sequence, sequence)
			}
			p.shown <- status
		}
	}()
	h.t.Cleanup(func() {
		payment.Close()
		<-done
	})
	return p
}

// sees waits for the next status.
func (p *paying) sees(sequence uint64, status string) {
	p.t.Helper()
	select {
	case got, ok := <-p.shown:
		if !ok || got.Sequence != sequence || got.Status != status || got.Missed > 0 {
			p.t.Fatalf("got %d %s (%t), want %d %s", got.Sequence, got.Status, ok, sequence, status)
		}
	case <-p.ctx.Done():
		p.t.Fatalf("no status %d %s", sequence, status)
	}
}

// ends waits for the end.
func (p *paying) ends(want schema.Outcome) {
	p.t.Helper()
	result, err := p.payment.Wait(p.ctx)
	if err != nil || result.Outcome != want {
		p.t.Fatalf("got %s, %v, want %s", result.Outcome, err, want)
	}
	for range p.shown { // what nobody waited for
	}
}

// A payment of package client passes through the kill of the replica that follows it,
// and the kill and the restart of NATS: it shows every status once, in order.
func TestClientWhileOthersAreKilled(t *testing.T) {
	t.Parallel()
	h := setupHand(t, nil, "a", "b")
	for _, r := range h.replicas {
		r.WaitReady(t)
	}
	payment, err := newClient(h).Start(h.ctx, h.request(""))
	if err != nil {
		t.Fatal(err)
	}
	p := follow(h, payment)
	h.stream()
	h.act(simulator.ActTap)
	p.sees(1, "initialized")
	owner, _ := h.owner()
	h.Kill(owner)
	h.act(simulator.ActDecline)
	p.sees(2, "declined")
	back := h.NATSAway()
	h.NATS[0].Kill()
	h.act(simulator.ActTap, simulator.ActApprove)
	h.NATS[0].Start(t)
	h.NATS[0].WaitReady(t)
	back()
	p.sees(3, "initialized")
	p.sees(4, "completed")
	p.ends(schema.Paid)
	// A plain subscription misses what is published before it has connected again.
	want := []string{"initialized", "declined", "initialized", "completed"}
	if got := h.Auditor.Stored(t, h.order); !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	h.next()
}

// The replica that took a start is killed before it has answered: the start is answered
// all the same, and there is one order.
func TestClientStartsWhileTheReplicaIsKilled(t *testing.T) {
	t.Parallel()
	h := setupHand(t, nil, "a")
	h.replicas[0].WaitReady(t)
	type started struct {
		payment *client.Payment
		err     error
	}
	result := make(chan started, 1)
	go func() {
		payment, err := newClient(h).Start(h.ctx, h.request("fault:slow_api:operation=create,delay=2s"))
		result <- started{payment, err}
	}()
	processtest.Until(t, time.Minute, "the create is at the provider", func() bool {
		calls := h.Provider.Calls(h.order)
		return calls.Create > 0
	})
	h.Kill(h.replicas[0])
	h.replicas = append(h.replicas, h.Serve(t, "b"))
	var s started
	select {
	case s = <-result:
	case <-h.ctx.Done():
		t.Fatal("the start does not end")
	}
	if s.err != nil || s.payment.Doubt() != nil {
		t.Fatalf("got %v", s.err)
	}
	p := follow(h, s.payment) // the successor asks: nobody has the token of the event stream
	h.act(simulator.ActTap, simulator.ActApprove)
	p.ends(schema.Paid)
	if calls := h.Provider.Calls(h.order); calls.Made != 1 {
		t.Errorf("got %d orders, want 1", calls.Made)
	}
	if heard := h.Auditor.Heard(h.order); !slices.Contains(heard, "completed") {
		t.Errorf("heard %v", heard)
	}
}

// A till that is started anew resumes the payment with all of its statuses.
func TestClientResumes(t *testing.T) {
	t.Parallel()
	h := setupHand(t, nil, "a")
	h.replicas[0].WaitReady(t)
	first, err := newClient(h).Start(h.ctx, h.request(""))
	if err != nil {
		t.Fatal(err)
	}
	h.stream()
	h.step(simulator.ActTap, "initialized")
	first.Close() // as if its program had been killed
	h.step(simulator.ActDecline, "declined")
	ctx, cancel := context.WithTimeout(h.ctx, time.Minute)
	defer cancel()
	again, err := newClient(h).Resume(ctx, h.terminal, h.order)
	if err != nil {
		t.Fatal(err)
	}
	p := follow(h, again)
	p.sees(1, "initialized")
	p.sees(2, "declined")
	if _, err := again.Cancel(h.ctx); err != nil {
		t.Fatal(err)
	}
	p.sees(3, "cancelled")
	p.ends(schema.Unpaid)
	h.end("initialized", "declined", "cancelled")
}
