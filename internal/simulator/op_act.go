package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Act does something at a terminal by hand and returns the order it was done
// to. A virtual customer who was at it leaves. After an error nothing has
// changed.
func (op *Operator) Act(terminalID string, action scenario.Action) (Order, error) {
	if !slices.Contains(scenario.Actions(), action) {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownAction, action)
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return Order{}, ErrClosed
	}
	t := op.s.Terminals.byID[terminalID]
	if t == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, terminalID)
	}
	o := t.order
	if scenario.Afterwards[action] != "" {
		o = t.last
	}
	if o == nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, ErrNoPayment)
	}
	op.s.stopSteps(o)
	if err := op.s.perform(o, action); err != nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, err)
	}
	return viewOrder(op.s, o), nil
}

// SetStatus gives an order any status, as the provider's back office would: a
// refund, a chargeback, one that nobody knows yet. An empty financial status is
// the same as the status.
func (op *Operator) SetStatus(orderID, status, financial string) (Order, error) {
	return op.SetStatusPaid(orderID, status, financial, 0)
}

// SetStatusPaid is SetStatus with an amount that was paid; 0 leaves it.
func (op *Operator) SetStatusPaid(orderID, status, financial string, charged int64) (Order, error) {
	if charged < 0 || charged > 2*maxAmount {
		return Order{}, errors.New("amount: want a positive amount")
	}
	if status == "" || len(status) > 64 || len(financial) > 64 {
		return Order{}, errors.New("status: want 1 to 64 characters")
	}
	financial = cmp.Or(financial, status)
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return Order{}, ErrClosed
	}
	o := op.s.Orders.byID[orderID]
	if o == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownOrder, orderID)
	}
	if len(o.Events) >= MaxEvents {
		return Order{}, ErrOrderFull
	}
	op.s.stopSteps(o)
	o.Stuck = false
	charged = cmp.Or(charged, o.Charged)
	o.Charged = charged
	op.s.giveStatus(o, status, financial)
	return viewOrder(op.s, o), nil
}
