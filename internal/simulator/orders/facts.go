package orders

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// facts are what is kept of an order in a state file.
type facts struct {
	Create    Request   `json:"create"`
	Session   string    `json:"session_id"`
	Number    int64     `json:"transaction_id"`
	Status    string    `json:"status"`
	Financial string    `json:"financial_status"`
	Events    []Event   `json:"events"`
	Created   time.Time `json:"created"`
	Modified  time.Time `json:"modified"`
	Completed time.Time `json:"completed,omitzero"`
	// Charged is what was paid, if that is not the amount; 0 while it is not known.
	Charged int64 `json:"charged,omitempty"`
	// Emitted counts the statuses of loads.
	Emitted int64 `json:"emitted,omitempty"`
	// CardShown: a card was held to the terminal at least once.
	CardShown bool              `json:"card_shown,omitempty"`
	Scenario  scenario.Scenario `json:"scenario"`
	// Steps that the virtual customer will still do.
	Steps []scenario.Action `json:"steps,omitempty"`
	// Left: the customer has walked away.
	Left bool `json:"left,omitempty"`
	// Stuck by a PATCH: it stays declined until it is cancelled.
	Stuck bool `json:"stuck,omitempty"`
	// Finished: the payment is over and its terminal free. A status that comes later,
	// even an open one, does not bring it back.
	Finished bool `json:"finished,omitempty"`
	// TokenEnd is when open streams are cut; zero for never.
	TokenEnd time.Time `json:"token_end,omitzero"`
}

func (f *facts) ID() string { return f.Create.OrderID }

// Over tells whether nothing more is going to happen by itself.
func (f *facts) Over() bool { return f.Finished && len(f.Steps) == 0 }

// Amount is what was paid, or what is asked for.
func (f *facts) Amount() int64 {
	if f.Charged > 0 {
		return f.Charged
	}
	return f.Create.Amount
}
