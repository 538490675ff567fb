package control

import (
	"context"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Asked is a payment that somebody asks for on the page.
type Asked struct {
	Terminal string `json:"terminal_id"`
	// Amount in the currency's smallest unit.
	Amount   int64             `json:"amount"`
	Currency string            `json:"currency"`
	Scenario scenario.Scenario `json:"scenario"`
}

// Till starts a payment at the bridge, and returns its order id. It ends with ctx.
// The error is shown to whoever asked.
type Till func(ctx context.Context, asked Asked) (order string, err error)
