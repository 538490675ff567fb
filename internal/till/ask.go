package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// commandLimit bounds a command other than start. Cancel asks the provider, and answers
// after twice BRIDGE_REQUEST_TIMEOUT at the latest.
const commandLimit = 25 * time.Second

// NoBridgeError says that nobody serves the subject: the request reached no one.
type NoBridgeError struct {
	Server string
	Prefix string
}

func (e *NoBridgeError) Error() string {
	return fmt.Sprintf("no bridge is serving at %s with subject prefix %q", e.Server, e.Prefix)
}

// named says where no bridge was found. Other errors stay as they are.
func (t *Till) named(err error) error {
	if errors.Is(err, client.ErrNoBridge) {
		return &NoBridgeError{t.Server(), t.settings.Space.Prefix()}
	}
	return err
}

// List asks for the active sessions of all terminals.
func (t *Till) List(ctx context.Context) (schema.ListReply, []byte, error) {
	return ask[schema.ListReply](ctx, t, subjects.List, "", schema.ListRequest{})
}

// askOrder sends a command about one order.
func askOrder[Reply any](ctx context.Context, t *Till, command subjects.Command, terminal, order string) (Reply, []byte, error) {
	return ask[Reply](ctx, t, command, terminal, schema.OrderRequest{TerminalID: terminal, OrderID: order})
}

// ask sends a command, and returns its reply also as it came.
func ask[Reply any](ctx context.Context, t *Till, command subjects.Command, terminal string, request any) (reply Reply, body []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandLimit, client.ErrNoReply)
	defer cancel()
	bus, err := t.client(client.Options{})
	if err != nil {
		return reply, nil, err
	}
	if body, err = bus.Ask(ctx, command, terminal, request); err != nil {
		return reply, nil, t.named(err)
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return reply, nil, fmt.Errorf("ask for %s: %w", command, client.ErrBadReply)
	}
	return reply, body, nil
}
