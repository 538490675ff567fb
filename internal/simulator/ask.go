package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

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

// askLimit is how long the page waits for the bridge's answer.
const askLimit = 8 * time.Second

// errNoTill answers where nobody can start a payment.
var errNoTill = errors.New("this simulator has no till: start the payment at the bridge")

// ask answers POST payments: the page asks the till for a payment.
func (c control) ask(r *http.Request) (any, error) {
	if c.till == nil {
		return nil, errNoTill
	}
	asked, err := readJSON[Asked](r)
	if err != nil {
		return nil, err
	}
	if _, err := c.op.Terminal(asked.Terminal); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(scenario.All(), func(sc scenario.Info) bool { return sc.Name == asked.Scenario }) {
		return nil, fmt.Errorf("scenario: %.64q is not one of the scenarios", asked.Scenario)
	}
	ctx, cancel := context.WithTimeout(r.Context(), askLimit)
	defer cancel()
	order, err := c.till(ctx, asked)
	if err != nil {
		return nil, err
	}
	return map[string]string{"order_id": order}, nil
}
