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
	"github.com/posbridge/bridge/schema"
)

// A replica that takes a session over holds back for the one before also when the
// answers to its claims were lost, and its own claim stands in the record already.
func TestLostAnswersToClaims(t *testing.T) {
	t.Parallel()
	p := declining{&quietProvider{follow: func(ctx context.Context, h multisafepay.StreamHandler) error {
		h.Opened()
		h.Event(multisafepay.StreamEvent{Order: &multisafepay.OrderEvent{OrderID: "o", SessionID: "s", Status: "cancelled", TransactionID: "1"}})
		<-ctx.Done()
		return ctx.Err()
	}}}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		now := r.Clock.Now()
		start := bus.Session{Request: oneEuro, Hash: "h", Nonce: "n", StartedAt: now, Deadline: now.Add(r.StartDeadline)}
		append1 := func(status string, sequence, after uint64) uint64 {
			e := schema.StatusEvent{OrderID: "o", TerminalID: "T", Status: status, Sequence: sequence, ObservedAt: r.Clock.Now()}
			at, err := r.Journal.Append(r.work, bus.Status{Event: e, Hash: "h", Replica: "b", Epoch: 1}, after)
			if err != nil {
				t.Errorf("replica b could not publish %s: %v", status, err)
			}
			return at
		}
		at := append1("initialized", 1, 0)
		sealed, err := seal(multisafepay.NewSecret("key"), "T/o/n", multisafepay.Stream{URL: "https://provider.invalid/events", Token: multisafepay.NewSecret("token")})
		if err != nil {
			t.Fatal(err)
		}
		record := bus.Record{Seq: 1, Order: "o", Hash: "h", Phase: bus.Open, Replica: "b", Epoch: 1, Answered: true, StartedAt: now, Sealed: sealed}
		if _, err := r.Records.PutRecord(r.work, "T", record, 0); err != nil {
			t.Fatal(err)
		}
		r.Records = &forgetful{Records: r.Records}
		if _, err := r.Queue.Enqueue(r.work, start); err != nil {
			t.Fatal(err)
		}
		time.Sleep(calmOverlap + 2*maxRetryPause)
		append1("declined", 2, at) // what b was shown before, and could not publish yet
		time.Sleep(2 * stormOverlap)
		if got := len(server.Statuses("T", "o")); got != 3 {
			t.Errorf("%d statuses published, want 3", got)
		}
	})
}

// forgetful loses the answers to the first two writes.
type forgetful struct {
	Records
	lost atomic.Int32
}

func (f *forgetful) PutRecord(ctx context.Context, terminal string, r bus.Record, revision uint64) (uint64, error) {
	seq, err := f.Records.PutRecord(ctx, terminal, r, revision)
	if err == nil && f.lost.Add(1) <= 2 {
		return 0, errors.New("no answer in time")
	}
	return seq, err
}
