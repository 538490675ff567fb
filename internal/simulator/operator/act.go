package operator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/view"
)

// Act does something at a terminal by hand and returns the order it was done
// to. A virtual customer who was at it leaves. After an error nothing has
// changed.
func (op *Operator) Act(terminalID string, action scenario.Action) (view.Order, error) {
	if !slices.Contains(scenario.Actions(), action) {
		return view.Order{}, fmt.Errorf("%w %.64q", orders.ErrUnknownAction, action)
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return view.Order{}, orders.ErrClosed
	}
	t := op.s.Terminals.ByID[terminalID]
	if t == nil {
		return view.Order{}, fmt.Errorf("%w %.64q", orders.ErrUnknownTerminal, terminalID)
	}
	o := t.Order
	if scenario.Afterwards[action] != "" {
		o = t.Last
	}
	if o == nil {
		return view.Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, orders.ErrNoPayment)
	}
	op.s.StopSteps(o)
	if err := op.s.Perform(o, action); err != nil {
		return view.Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, err)
	}
	return view.OfOrder(op.s, o), nil
}

// SetStatus gives an order any status, as the provider's back office would: a
// refund, a chargeback, one that nobody knows yet. An empty financial status is
// the same as the status.
func (op *Operator) SetStatus(orderID, status, financial string) (view.Order, error) {
	return op.SetStatusPaid(orderID, status, financial, 0)
}

// SetStatusPaid is SetStatus with an amount that was paid; 0 leaves it.
func (op *Operator) SetStatusPaid(orderID, status, financial string, charged int64) (view.Order, error) {
	if charged < 0 || charged > 2*orders.MaxAmount {
		return view.Order{}, errors.New("amount must be positive")
	}
	if status == "" || len(status) > 64 || len(financial) > 64 {
		return view.Order{}, errors.New("status must have 1 to 64 characters")
	}
	financial = cmp.Or(financial, status)
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return view.Order{}, orders.ErrClosed
	}
	o := op.s.Orders.ByID[orderID]
	if o == nil {
		return view.Order{}, fmt.Errorf("%w %.64q", orders.ErrUnknownOrder, orderID)
	}
	if len(o.Events) >= orders.MaxEvents {
		return view.Order{}, orders.ErrOrderFull
	}
	op.s.StopSteps(o)
	o.Stuck = false
	charged = cmp.Or(charged, o.Charged)
	o.Charged = charged
	op.s.GiveStatus(o, status, financial)
	return view.OfOrder(op.s, o), nil
}
