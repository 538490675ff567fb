package bridge_test

import (
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

func TestPaymentFromStartToRest(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.run()
	got := b.start(order("Order-1", terminal1, scenario(simulator.SoftDeclineThenApprove)))
	want := schema.StartReply{
		OrderID: "Order-1", TerminalID: terminal1, SessionID: got.SessionID, Status: got.Status,
		StatusSubject: "pos.SIM00001.Order-1.status", Created: true,
	}
	if got != want || got.SessionID == "" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	events := b.await("Order-1", "initialized", "declined", "initialized", "completed")
	for i, e := range events {
		if final := i == 3; e.Final != final {
			t.Errorf("%s: final is %v", e.Status, e.Final)
		}
		if e.Amount != 1000 || e.Currency != "EUR" || e.SessionID != got.SessionID || e.TransactionID == "" || e.FinancialStatus == "" {
			t.Errorf("got %+v", e)
		}
	}
	b.waitFree(terminal1)
	again := b.start(order("Order-2", terminal1))
	if !again.Created {
		t.Errorf("the terminal is not free for the next payment: %+v", again)
	}
	b.await("Order-2", "initialized", "completed")
}

func TestEveryScenario(t *testing.T) {
	t.Parallel()
	for _, sc := range simulator.Scenarios() {
		if sc.Name == simulator.WaitForHand || sc.Name == simulator.WalkAway {
			continue
		}
		t.Run(string(sc.Name), func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{})
			b.run()
			b.start(order("o", terminal1, scenario(sc.Name)))
			b.await("o", sc.Statuses...)
			b.waitFree(terminal1)
		})
	}
}
