package simulator

import (
	"context"
	"fmt"
	"slices"
)

// Order returns an order as it is now; false when the id is not an order's.
func (s *Simulator) Order(id string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	if o == nil {
		return Order{}, false
	}
	return s.snapshot(o), true
}

// Orders returns every order that is remembered, the oldest first.
func (s *Simulator) Orders() []Order {
	return s.ordersThat(func(*order) bool { return true })
}

// OpenOrders returns the orders that keep a terminal busy, the oldest first.
func (s *Simulator) OpenOrders() []Order {
	return s.ordersThat(func(o *order) bool { return !o.final() })
}

func (s *Simulator) ordersThat(want func(*order) bool) []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Order{}
	for _, o := range s.orders {
		if want(o) {
			list = append(list, s.snapshot(o))
		}
	}
	slices.SortFunc(list, func(a, b Order) int { return int(a.TransactionID - b.TransactionID) })
	return list
}

// WaitOrder waits until the order is there and ok says that it is as wanted,
// and returns it. ok must not call the simulator. The error is that of ctx, or
// ErrClosed.
func (s *Simulator) WaitOrder(ctx context.Context, id string, ok func(Order) bool) (Order, error) {
	var found Order
	err := s.until(ctx, fmt.Sprintf("order %.64q", id), func() bool {
		o := s.orders[id]
		if o == nil {
			return false
		}
		found = s.snapshot(o)
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
func (s *Simulator) WaitEntry(ctx context.Context, seq uint64, ok func(Entry) bool) (Entry, error) {
	var found Entry
	err := s.until(ctx, "journal entry", func() bool {
		entries, _ := s.journal.since(seq, s.opts.LogSize)
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

// DropStreams cuts the open event streams of an order, or all of them for the
// empty id, and returns how many there were. Clients may connect again at once.
func (s *Simulator) DropStreams(orderID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if orderID == "" || c.order.create.OrderID == orderID {
			c.cut = true
			c.wakeUp()
			n++
		}
	}
	return n
}

// OpenStreams is the number of event streams that are open now.
func (s *Simulator) OpenStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Trapped is how often a client followed the redirect fault to where no client
// should go.
func (s *Simulator) Trapped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trapped
}
