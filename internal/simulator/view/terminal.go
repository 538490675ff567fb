package view

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Terminal is what a terminal shows, at one moment.
type Terminal struct {
	ID    string      `json:"terminal_id"`
	Group string      `json:"group_id"`
	Mode  orders.Mode `json:"mode"`
	// Scenario of payments that ask for none.
	Scenario scenario.Scenario `json:"scenario"`
	Screen   orders.Screen     `json:"screen"`
	// Order that is open, or was last; empty while there was none.
	Order       string `json:"order_id,omitempty"`
	Description string `json:"description,omitempty"`
	// Amount in the currency's smallest unit, which has so many digits.
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Digits   int    `json:"currency_digits"`
	Status   string `json:"status,omitempty"`
	// Events are the order's latest, at most eight, the oldest first.
	Events []orders.Event `json:"events"`
	// Streams that are open for the order: whether anybody listens.
	Streams int `json:"streams"`
	// Customer is who stands at the terminal while a payment is open.
	Customer orders.Customer `json:"customer,omitempty"`
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

// OfTerminal copies t for others. The caller holds the lock.
func OfTerminal(t *orders.Terminal) Terminal {
	view := Terminal{
		ID: t.ID, Group: t.Group.ID, Mode: t.Mode, Scenario: t.Scenario,
		Screen: t.Screen, Since: t.Since, Busy: t.Order != nil, Events: []orders.Event{},
	}
	if o := t.Last; o != nil {
		view.Order, view.Description, view.Status = o.ID(), o.Create.Description, o.Status
		view.Amount, view.Currency = o.Create.Amount, o.Create.Currency
		view.Digits = orders.DigitsOf(o.Create.Currency)
		view.Events = append(view.Events, o.Events[max(0, len(o.Events)-shownEvents):]...)
		view.Streams = len(o.Listeners)
	}
	if o := t.Order; o != nil {
		view.Stuck = o.Stuck
		switch {
		case len(o.Steps) > 0:
			view.Customer = orders.CustomerVirtual
		case o.Left:
			view.Customer = orders.CustomerLeft
		default:
			view.Customer = orders.CustomerHand
		}
		if o.Idle != nil {
			deadline := t.Deadline
			view.Deadline = &deadline
		}
	}
	return view
}

// OfTerminals copies every terminal. The caller holds the lock.
func OfTerminals(s *orders.State) []Terminal {
	list := make([]Terminal, len(s.Terminals.Listed))
	for i, t := range s.Terminals.Listed {
		list[i] = OfTerminal(t)
	}
	return list
}
