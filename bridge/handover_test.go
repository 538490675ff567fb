package bridge

import (
	"context"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/schema"
)

// The successor of a replica that has handed a session over publishes soon after
// its record has said that it reads, whichever comes first, the note of the record's
// change or the end of its writing.
func TestSuccessorOfAHandOverPublishesSoon(t *testing.T) {
	t.Parallel()
	p := declining{&quietProvider{follow: func(ctx context.Context, h multisafepay.StreamHandler) error {
		h.Opened()
		h.Event(multisafepay.StreamEvent{Order: &multisafepay.OrderEvent{OrderID: "o", SessionID: "s", Status: "declined", TransactionID: "1"}})
		<-ctx.Done()
		return ctx.Err()
	}}}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		now := r.Clock.Now()
		start := bus.Session{Request: oneEuro, Hash: "h", Nonce: "n", StartedAt: now, Deadline: now.Add(r.StartDeadline)}
		e := schema.StatusEvent{OrderID: "o", TerminalID: "T", Status: "initialized", Sequence: 1, ObservedAt: now}
		if _, err := r.Journal.Append(r.work, bus.Status{Event: e, Hash: "h", Replica: "b", Epoch: 1}, 0); err != nil {
			t.Fatal(err)
		}
		sealed, err := seal(multisafepay.NewSecret("key"), "T/o/n", multisafepay.Stream{URL: "https://provider.invalid/events", Token: multisafepay.NewSecret("token")})
		if err != nil {
			t.Fatal(err)
		}
		record := bus.Record{Seq: 1, Order: "o", Hash: "h", Phase: bus.Open, Epoch: 1, Answered: true, StartedAt: now, Sealed: sealed}
		if _, err := r.Records.PutRecord(r.work, "T", record, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Queue.Enqueue(r.work, start); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * handOverSettle)
		if got := len(server.Statuses("T", "o")); got != 2 {
			t.Errorf("%d statuses published %s after the successor reads, want 2", got, 2*handOverSettle)
		}
	})
}
