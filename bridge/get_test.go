package bridge_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

func TestGet(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run()
	for _, subject := range []string{"pos.payment.get", "pos.SIM00001.payment.get"} {
		b.do(subject, fields{"order_id": "a", "terminal_id": terminal1}).failed(schema.NotFound)
	}
	before := time.Now()
	started := b.start(order("a", terminal1))
	b.await("a", "initialized")
	get := func() schema.Session {
		t.Helper()
		got := b.getOrder(terminal1, "a")
		for what, at := range map[string]time.Time{"started": got.StartedAt, "updated": got.UpdatedAt} {
			if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
				t.Errorf("%s at %s", what, at)
			}
		}
		got.StartedAt, got.UpdatedAt = time.Time{}, time.Time{}
		return got
	}
	want := schema.Session{
		OrderID: "a", TerminalID: terminal1, SessionID: started.SessionID, Status: "initialized", FinancialStatus: "initialized",
		Sequence: 1, Active: true, Amount: 1000, Currency: "EUR", Replica: r.id,
	}
	got := get()
	want.TransactionID = got.TransactionID
	if got != want || got.TransactionID == "" {
		t.Errorf("open: got %+v, want %+v", got, want)
	}
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	want.Status, want.FinancialStatus, want.Sequence, want.Final, want.Active = "completed", "completed", 2, true, false
	for range 2 {
		if got := get(); got != want {
			t.Errorf("over: got %+v, want %+v", got, want)
		}
		b.waitFree(terminal1)
	}
	b.do("pos.payment.get", fields{"order_id": "a", "terminal_id": terminal2}).failed(schema.NotFound)
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.run()
	if got := b.do("pos.payment.list", ""); string(got.body) != `{"sessions":[]}` {
		t.Errorf("with nothing in the request: got %s", got.body)
	}
	if got := b.do("pos.payment.list", `{}`); string(got.body) != `{"sessions":[]}` {
		t.Errorf("without a session: got %s", got.body)
	}
	var want []string
	for i := range 4 {
		terminal := fmt.Sprintf("SIM0000%d", 4-i)
		b.start(order(fmt.Sprintf("o-%d", 4-i), terminal))
		want = append([]string{terminal}, want...)
		var got []string
		for _, s := range b.list() { // by either replica, right after the reply
			got = append(got, s.TerminalID)
			if s != b.getOrder(s.TerminalID, s.OrderID) && s.Sequence > 0 {
				t.Logf("list and get differ by what happened in between: %+v", s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for i := range 4 {
		b.await(fmt.Sprintf("o-%d", i+1), "initialized")
		b.act(fmt.Sprintf("SIM0000%d", i+1), simulator.ActCancel)
		b.await(fmt.Sprintf("o-%d", i+1), "initialized", "cancelled")
		if got := b.list(); len(got) != 3-i { // over with the final event
			t.Errorf("got %+v, want %d sessions", got, 3-i)
		}
	}
}

// A replica that has just started lists what was there before it.
func TestListOfANewReplica(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.run()
	first.drain()
	got := b.list()
	if len(got) != 1 || got[0].OrderID != "a" || got[0].Status != "initialized" {
		t.Errorf("got %+v", got)
	}
}
