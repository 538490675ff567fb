package simulator

import (
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
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
	Events []Event `json:"events"`
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

// view copies o for others. The caller holds mu.
func (s *Simulator) view(o *order) Order {
	return Order{
		ID: o.id(), Terminal: o.terminal.id, Group: o.terminal.group.id,
		SessionID: o.Session, TransactionID: o.Number,
		Amount: o.Create.Amount, AmountCharged: o.Charged, Currency: o.Create.Currency, Description: o.Create.Description,
		Status: o.Status, FinancialStatus: o.Financial, Final: o.Finished, Stuck: o.Stuck,
		Scenario: o.Scenario, Created: o.Created, Modified: o.Modified,
		Events: slices.Clone(o.Events), Emitted: o.Emitted, Streams: len(o.listeners),
		Calls: s.calls.of(o.id()),
	}
}

// Order returns an order as it is now; false when the id is not an order's.
func (s *Simulator) Order(id string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders.byID[id]
	if o == nil {
		return Order{}, false
	}
	return s.view(o), true
}

// Orders returns every order that is remembered, the oldest first.
func (s *Simulator) Orders() []Order {
	return s.ordersThat(func(*order) bool { return true })
}

// OpenOrders returns the orders that keep a terminal busy, the oldest first.
func (s *Simulator) OpenOrders() []Order {
	return s.ordersThat(func(o *order) bool { return !o.Finished })
}

func (s *Simulator) ordersThat(want func(*order) bool) []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Order{}
	for _, o := range s.orders.byID {
		if want(o) {
			list = append(list, s.view(o))
		}
	}
	slices.SortFunc(list, func(a, b Order) int { return int(a.TransactionID - b.TransactionID) })
	return list
}

// Calls returns what was asked for an order id, also one that never became an
// order.
func (s *Simulator) Calls(orderID string) calls.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.of(orderID)
}

// Terminal is what a terminal shows, at one moment.
type Terminal struct {
	ID    string `json:"terminal_id"`
	Group string `json:"group_id"`
	Mode  Mode   `json:"mode"`
	// Scenario of payments that ask for none.
	Scenario scenario.Scenario `json:"scenario"`
	Screen   Screen            `json:"screen"`
	// Order that is open, or was last; empty while there was none.
	Order       string `json:"order_id,omitempty"`
	Description string `json:"description,omitempty"`
	// Amount in the currency's smallest unit, which has so many digits.
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Digits   int    `json:"currency_digits"`
	Status   string `json:"status,omitempty"`
	// Events are the order's latest, at most eight, the oldest first.
	Events []Event `json:"events"`
	// Streams that are open for the order: whether anybody listens.
	Streams int `json:"streams"`
	// Customer is who stands at the terminal while a payment is open.
	Customer Customer `json:"customer,omitempty"`
	// Stuck is true after a PATCH: only a cancel by the API helps.
	Stuck bool `json:"stuck,omitempty"`
	// Busy is true while a payment is open: another one is refused.
	Busy bool `json:"busy"`
	// Since when the terminal shows this screen.
	Since time.Time `json:"since"`
	// Deadline is when the open payment is cancelled unless something is done.
	Deadline *time.Time `json:"deadline,omitempty"`
}

// shownEvents is how many of an order's events a Terminal shows.
const shownEvents = 8

// view copies t for others. The caller holds the simulator's lock.
func (t *terminal) view() Terminal {
	view := Terminal{
		ID: t.id, Group: t.group.id, Mode: t.mode, Scenario: t.scenario,
		Screen: t.screen, Since: t.since, Busy: t.order != nil, Events: []Event{},
	}
	if o := t.last; o != nil {
		view.Order, view.Description, view.Status = o.id(), o.Create.Description, o.Status
		view.Amount, view.Currency = o.Create.Amount, o.Create.Currency
		view.Digits = digitsOf(o.Create.Currency)
		view.Events = append(view.Events, o.Events[max(0, len(o.Events)-shownEvents):]...)
		view.Streams = len(o.listeners)
	}
	if o := t.order; o != nil {
		view.Stuck = o.Stuck
		switch {
		case len(o.Steps) > 0:
			view.Customer = CustomerVirtual
		case o.Left:
			view.Customer = CustomerLeft
		default:
			view.Customer = CustomerHand
		}
		if o.idle != nil {
			deadline := t.deadline
			view.Deadline = &deadline
		}
	}
	return view
}

// Terminals returns every terminal, in the order of Options.Groups.
func (s *Simulator) Terminals() []Terminal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewTerminals()
}

func (s *Simulator) viewTerminals() []Terminal {
	list := make([]Terminal, len(s.terminals.listed))
	for i, t := range s.terminals.listed {
		list[i] = t.view()
	}
	return list
}

// Terminal returns one terminal, or ErrUnknownTerminal.
func (s *Simulator) Terminal(id string) (Terminal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.terminals.byID[id]
	if t == nil {
		return Terminal{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	return t.view(), nil
}
