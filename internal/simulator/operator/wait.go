package operator

import (
	"context"
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/view"
)

// until waits until ok, which runs with the lock held, says true. The error says that
// ctx ended first, or that the simulator was closed.
func (op *Operator) until(ctx context.Context, what string, ok func() bool) error {
	for {
		op.s.Lock()
		if ok() {
			op.s.Unlock()
			return nil
		}
		if op.s.Closed() {
			op.s.Unlock()
			return fmt.Errorf("wait for %s: %w", what, orders.ErrClosed)
		}
		changed := op.s.Journal.Next()
		op.s.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// WaitOrder waits until the order is there and ok says that it is as wanted,
// and returns it. ok must not call the simulator. The error is that of ctx, or
// ErrClosed.
func (op *Operator) WaitOrder(ctx context.Context, id string, ok func(view.Order) bool) (view.Order, error) {
	var found view.Order
	err := op.until(ctx, fmt.Sprintf("order %.64q", id), func() bool {
		o := op.s.Orders.ByID[id]
		if o == nil {
			return false
		}
		found = view.OfOrder(op.s, o)
		return ok(found)
	})
	return found, err
}

// WaitStatus waits until the order has had a status, not only until it has it.
func (op *Operator) WaitStatus(ctx context.Context, id, status string) (view.Order, error) {
	return op.WaitOrder(ctx, id, func(o view.Order) bool { return slices.Contains(o.Statuses(), status) })
}

// WaitStream waits until an event stream is open for the order.
func (op *Operator) WaitStream(ctx context.Context, id string) (view.Order, error) {
	return op.WaitOrder(ctx, id, func(o view.Order) bool { return o.Streams > 0 })
}

// WaitEntry waits for a journal entry after seq that ok accepts, and returns
// it. Entries that are no longer in the journal are not seen.
func (op *Operator) WaitEntry(ctx context.Context, seq uint64, ok func(journal.Entry) bool) (journal.Entry, error) {
	var found journal.Entry
	err := op.until(ctx, "journal entry", func() bool {
		entries, _ := op.s.Journal.Since(seq, op.s.LogSize)
		for _, e := range entries {
			seq = e.Seq
			if ok(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found, err
}
