package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Get asks for one order. It fails with ErrNotFound when the bridge does not know the
// order: it was never started there, or it is older than the status stream remembers.
func (c *Client) Get(ctx context.Context, terminal, order string) (schema.Session, error) {
	request := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	session, err := ask[schema.Session](ctx, c, subjects.Get, terminal, request)
	if err == nil && (session.TerminalID != terminal || session.OrderID != order) {
		err = fmt.Errorf("ask for %s: %w", subjects.Get, ErrBadReply)
	}
	return session, err
}

// Cancel asks for an order's cancellation and returns the status that it has now; the
// change itself arrives as a status. To ask again is safe. After an error the payment
// may still be paid.
func (c *Client) Cancel(ctx context.Context, terminal, order string) (schema.CancelReply, error) {
	request := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	return ask[schema.CancelReply](ctx, c, subjects.Cancel, terminal, request)
}

// Receipt asks for what the provider has for a printed receipt of an order.
func (c *Client) Receipt(ctx context.Context, terminal, order string) (schema.ReceiptReply, error) {
	request := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	receipt, err := ask[schema.ReceiptReply](ctx, c, subjects.Receipt, terminal, request)
	if err == nil && (receipt.TerminalID != terminal || receipt.OrderID != order) {
		err = fmt.Errorf("ask for %s: %w", subjects.Receipt, ErrBadReply)
	}
	return receipt, err
}

// List asks for the open payments of all terminals. The rights of a till do not
// include it.
func (c *Client) List(ctx context.Context) (schema.ListReply, error) {
	return ask[schema.ListReply](ctx, c, subjects.List, "", schema.ListRequest{})
}

func ask[Reply any](ctx context.Context, c *Client, command subjects.Command, terminal string, request any) (reply Reply, err error) {
	body, err := c.Ask(ctx, command, terminal, request)
	if err != nil {
		return reply, err
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return reply, fmt.Errorf("ask for %s: %w", command, ErrBadReply)
	}
	return reply, nil
}

// Ask sends a command that may be repeated, which is every one but start, and returns
// the answer as it came, with fields that this version does not know. terminal may be
// empty where the command has a subject without one. The command is sent again, within
// ctx's deadline or else 45 s, while its answer is lost or says that this helps.
func (c *Client) Ask(ctx context.Context, command subjects.Command, terminal string, request any) ([]byte, error) {
	if r, ok := request.(schema.OrderRequest); ok {
		if err := r.Check(); err != nil {
			return nil, refusedHere(command, err)
		}
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	sent, began := false, time.Now()
	for try := 1; ; try++ {
		body, err := c.send(ctx, command, terminal, request)
		if err == nil {
			return body, nil
		}
		n := judge(command, err, sent)
		sent = sent || n == lost || n == again
		if n == giveUp || ctx.Err() != nil || c.rest(ctx, n, Retry{Command: command, Err: err, Try: try, Elapsed: time.Since(began)}) != nil {
			return nil, err
		}
	}
}

// refusedHere turns what this package's own check found into what the bridge would
// have answered.
func refusedHere(command subjects.Command, err error) error {
	if found, ok := errors.AsType[*schema.Error](err); ok {
		return &Error{Command: command, Reply: *found}
	}
	return err
}
