package operator

import (
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/view"
)

// Order returns an order as it is now; false when the id is not an order's.
func (op *Operator) Order(id string) (view.Order, bool) {
	op.s.Lock()
	defer op.s.Unlock()
	o := op.s.Orders.ByID[id]
	if o == nil {
		return view.Order{}, false
	}
	return view.OfOrder(op.s, o), true
}

// Orders returns every order that is remembered, the oldest first.
func (op *Operator) Orders() []view.Order {
	return op.ordersThat(func(*orders.Order) bool { return true })
}

// OpenOrders returns the orders that keep a terminal busy, the oldest first.
func (op *Operator) OpenOrders() []view.Order {
	return op.ordersThat(func(o *orders.Order) bool { return !o.Finished })
}

func (op *Operator) ordersThat(want func(*orders.Order) bool) []view.Order {
	op.s.Lock()
	defer op.s.Unlock()
	list := []view.Order{}
	for _, o := range op.s.Orders.ByID {
		if want(o) {
			list = append(list, view.OfOrder(op.s, o))
		}
	}
	slices.SortFunc(list, func(a, b view.Order) int { return int(a.TransactionID - b.TransactionID) })
	return list
}

// Calls returns what was asked for an order id, also one that never became an
// order.
func (op *Operator) Calls(orderID string) calls.Counts {
	op.s.Lock()
	defer op.s.Unlock()
	counts, _ := op.s.Faults.Of(orderID)
	return counts
}

// Terminals returns every terminal, in the order of Options.Groups.
func (op *Operator) Terminals() []view.Terminal {
	op.s.Lock()
	defer op.s.Unlock()
	return view.OfTerminals(op.s)
}

// Terminal returns one terminal, or ErrUnknownTerminal.
func (op *Operator) Terminal(id string) (view.Terminal, error) {
	op.s.Lock()
	defer op.s.Unlock()
	t := op.s.Terminals.ByID[id]
	if t == nil {
		return view.Terminal{}, fmt.Errorf("%w %.64q", orders.ErrUnknownTerminal, id)
	}
	return view.OfTerminal(t), nil
}

// stateLogEntries is how much of the journal a Snapshot holds.
const stateLogEntries = 100

// State returns everything that can be seen now.
func (op *Operator) State() view.Snapshot {
	op.s.Lock()
	defer op.s.Unlock()
	st := view.Snapshot{
		Run: op.run, Seq: op.s.Journal.Last, Now: op.s.Now(), Pace: op.s.Pace,
		Terminals: view.OfTerminals(op.s), Orders: []view.Order{}, Faults: op.s.Faults.List(),
		Log: []journal.Entry{}, Streams: len(op.s.Listeners), Finished: len(op.s.Orders.Finished), Trapped: op.trapped,
		Guide: op.guide,
	}
	for _, t := range op.s.Terminals.Listed {
		if t.Order != nil {
			st.Orders = append(st.Orders, view.OfOrder(op.s, t.Order))
		}
	}
	entries, _ := op.s.Journal.Since(op.s.Journal.Last-min(op.s.Journal.Last, stateLogEntries), stateLogEntries)
	st.Log = append(st.Log, entries...)
	return st
}

// Log returns at most limit entries after seq, oldest first. missed says that
// entries in between are no longer there.
func (op *Operator) Log(seq uint64, limit int) (entries []journal.Entry, missed bool) {
	op.s.Lock()
	defer op.s.Unlock()
	return op.s.Journal.Since(seq, limit)
}
