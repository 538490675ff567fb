package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// tillOn returns what starts the payments that a person asks for on the page of the
// virtual terminals, as any till does: by a request on the bus.
func tillOn(conn *nats.Conn) simulator.Till {
	return func(ctx context.Context, asked simulator.Asked) (order string, err error) {
		request := schema.StartRequest{
			OrderID: till.NewOrderID(time.Now()), TerminalID: asked.Terminal, Amount: asked.Amount, Currency: asked.Currency,
			Description: "Started on the page", CustomInfo: &schema.CustomInfo{Custom1: "scenario:" + string(asked.Scenario)},
		}
		body, err := json.Marshal(request)
		if err != nil {
			return "", fmt.Errorf("write request: %w", err)
		}
		reply, err := conn.RequestWithContext(ctx, subjects.Default().Command(subjects.Start), body)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return "", errors.New("the bridge does not serve yet, or no longer")
		case errors.Is(err, context.DeadlineExceeded):
			return "", fmt.Errorf("the bridge has not answered yet; payment %s may still begin", request.OrderID)
		case err != nil:
			return "", fmt.Errorf("start payment: %w", err)
		}
		if message := reply.Header.Get(schema.HeaderError); message != "" {
			return "", errors.New(message)
		}
		return request.OrderID, nil
	}
}
