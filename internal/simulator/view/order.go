// Package view is what others see of orders and terminals: copies, at one moment.
package view

import (
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Order is what the simulator knows of an order, at one moment. It holds no
// token and no card datum.
type Order struct {
	ID       string `json:"order_id"`
	Terminal string `json:"terminal_id"`
	Group    string `json:"group_id"`
	// SessionID as the create answer and the events carry it.
	SessionID     string `json:"session_id"`
	TransactionID int64  `json:"transaction_id"`
	// Amount in the currency's smallest unit.
	Amount int64 `json:"amount"`
	// AmountCharged is what was paid, if that is another amount.
	AmountCharged   int64  `json:"amount_charged,omitempty"`
	Currency        string `json:"currency"`
	Description     string `json:"description"`
	Status          string `json:"status"`
	FinancialStatus string `json:"financial_status"`
	// Final is true once the terminal is free for the next payment.
	Final bool `json:"final"`
	// Stuck is true after a PATCH: the order stays declined until it is cancelled.
	Stuck    bool              `json:"stuck,omitempty"`
	Scenario scenario.Scenario `json:"scenario"`
	Created  time.Time         `json:"created"`
	Modified time.Time         `json:"modified"`
	// Events so far, oldest first, whether or not a stream was open for them.
	Events []orders.Event `json:"events"`
	// Emitted counts the statuses of a load, which Events does not hold.
	Emitted int64 `json:"emitted,omitempty"`
	// Streams that are open for the order now.
	Streams int `json:"streams"`
	// Calls that named the order, also the refused ones.
	Calls calls.Counts `json:"calls"`
}

// Statuses lists the statuses of the events so far.
func (o Order) Statuses() []string {
	list := make([]string, len(o.Events))
	for i, e := range o.Events {
		list[i] = e.Status
	}
	return list
}

// OfOrder copies o for others. The caller holds the lock.
func OfOrder(s *orders.State, o *orders.Order) Order {
	counts, _ := s.Faults.Of(o.ID())
	return Order{
		ID: o.ID(), Terminal: o.Terminal.ID, Group: o.Terminal.Group.ID,
		SessionID: o.Session, TransactionID: o.Number,
		Amount: o.Create.Amount, AmountCharged: o.Charged, Currency: o.Create.Currency, Description: o.Create.Description,
		Status: o.Status, FinancialStatus: o.Financial, Final: o.Finished, Stuck: o.Stuck,
		Scenario: o.Scenario, Created: o.Created, Modified: o.Modified,
		Events: slices.Clone(o.Events), Emitted: o.Emitted, Streams: len(o.Listeners),
		Calls: counts,
	}
}
