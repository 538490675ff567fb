package simulator

import (
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// Order returns an order as it is now; false when the id is not an order's.
func (op *Operator) Order(id string) (Order, bool) {
	op.s.Lock()
	defer op.s.Unlock()
	o := op.s.Orders.byID[id]
	if o == nil {
		return Order{}, false
	}
	return viewOrder(op.s, o), true
}

// Orders returns every order that is remembered, the oldest first.
func (op *Operator) Orders() []Order {
	return op.ordersThat(func(*order) bool { return true })
}

// OpenOrders returns the orders that keep a terminal busy, the oldest first.
func (op *Operator) OpenOrders() []Order {
	return op.ordersThat(func(o *order) bool { return !o.Finished })
}

func (op *Operator) ordersThat(want func(*order) bool) []Order {
	op.s.Lock()
	defer op.s.Unlock()
	list := []Order{}
	for _, o := range op.s.Orders.byID {
		if want(o) {
			list = append(list, viewOrder(op.s, o))
		}
	}
	slices.SortFunc(list, func(a, b Order) int { return int(a.TransactionID - b.TransactionID) })
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
func (op *Operator) Terminals() []Terminal {
	op.s.Lock()
	defer op.s.Unlock()
	return viewTerminals(op.s)
}

// Terminal returns one terminal, or ErrUnknownTerminal.
func (op *Operator) Terminal(id string) (Terminal, error) {
	op.s.Lock()
	defer op.s.Unlock()
	t := op.s.Terminals.byID[id]
	if t == nil {
		return Terminal{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	return viewTerminal(t), nil
}

// stateLogEntries is how much of the journal a Snapshot holds.
const stateLogEntries = 100

// State returns everything that can be seen now.
func (op *Operator) State() Snapshot {
	op.s.Lock()
	defer op.s.Unlock()
	st := Snapshot{
		Run: op.run, Seq: op.s.Journal.Last, Now: op.s.now(), Pace: op.s.Pace,
		Terminals: viewTerminals(op.s), Orders: []Order{}, Faults: op.s.Faults.List(),
		Log: []journal.Entry{}, Streams: len(op.s.Listeners), Finished: len(op.s.Orders.finished), Trapped: op.trapped,
		Guide: op.guide,
	}
	for _, t := range op.s.Terminals.listed {
		if t.order != nil {
			st.Orders = append(st.Orders, viewOrder(op.s, t.order))
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
