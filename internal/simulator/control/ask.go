package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator/operator"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// askLimit is how long the page waits for the bridge's answer.
const askLimit = 8 * time.Second

// errNoTill answers where nobody can start a payment.
var errNoTill = errors.New("this simulator has no till: start the payment at the bridge")

// ask answers POST payments: the page asks the till for a payment.
func ask(r *http.Request, op *operator.Operator, till Till) (any, error) {
	if till == nil {
		return nil, errNoTill
	}
	asked, err := readJSON[Asked](r)
	if err != nil {
		return nil, err
	}
	if _, err := op.Terminal(asked.Terminal); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(scenario.All(), func(sc scenario.Info) bool { return sc.Name == asked.Scenario }) {
		return nil, fmt.Errorf("scenario: %.64q is not one of the scenarios", asked.Scenario)
	}
	ctx, cancel := context.WithTimeout(r.Context(), askLimit)
	defer cancel()
	order, err := till(ctx, asked)
	if err != nil {
		return nil, err
	}
	return map[string]string{"order_id": order}, nil
}
