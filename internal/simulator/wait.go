package simulator

import (
	"context"
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/journal"
)

// until waits until ok, which runs with mu held, says true. The error says that
// ctx ended first, or that the simulator was closed.
func (s *Simulator) until(ctx context.Context, what string, ok func() bool) error {
	for {
		s.mu.Lock()
		if ok() {
			s.mu.Unlock()
			return nil
		}
		if s.closed {
			s.mu.Unlock()
			return fmt.Errorf("wait for %s: %w", what, ErrClosed)
		}
		changed := s.journal.Next()
		s.mu.Unlock()
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
func (s *Simulator) WaitOrder(ctx context.Context, id string, ok func(Order) bool) (Order, error) {
	var found Order
	err := s.until(ctx, fmt.Sprintf("order %.64q", id), func() bool {
		o := s.orders.byID[id]
		if o == nil {
			return false
		}
		found = s.view(o)
		return ok(found)
	})
	return found, err
}

// WaitStatus waits until the order has had a status, not only until it has it.
func (s *Simulator) WaitStatus(ctx context.Context, id, status string) (Order, error) {
	return s.WaitOrder(ctx, id, func(o Order) bool { return slices.Contains(o.Statuses(), status) })
}

// WaitStream waits until an event stream is open for the order.
func (s *Simulator) WaitStream(ctx context.Context, id string) (Order, error) {
	return s.WaitOrder(ctx, id, func(o Order) bool { return o.Streams > 0 })
}

// WaitEntry waits for a journal entry after seq that ok accepts, and returns
// it. Entries that are no longer in the journal are not seen.
func (s *Simulator) WaitEntry(ctx context.Context, seq uint64, ok func(journal.Entry) bool) (journal.Entry, error) {
	var found journal.Entry
	err := s.until(ctx, "journal entry", func() bool {
		entries, _ := s.journal.Since(seq, s.opts.LogSize)
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
