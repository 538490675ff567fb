package simulator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

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

// viewTerminal copies t for others. The caller holds the lock.
func viewTerminal(t *terminal) Terminal {
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

// viewTerminals copies every terminal. The caller holds the lock.
func viewTerminals(s *State) []Terminal {
	list := make([]Terminal, len(s.Terminals.listed))
	for i, t := range s.Terminals.listed {
		list[i] = viewTerminal(t)
	}
	return list
}
