package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// errLinkBack ends a request whose answer may have been lost with a connection that is
// back now.
var errLinkBack = fmt.Errorf("%w: the connection was lost before the reply", ErrNoReply)

// send sends one request, on the subject that is bound to the terminal if there is one,
// and returns the answer's body. The error is an *Error when the bridge refused.
func (c *Client) send(ctx context.Context, command subjects.Command, terminal string, request any) ([]byte, error) {
	subject := c.space.Command(command)
	if terminal != "" {
		var err error
		if subject, err = c.space.TerminalCommand(terminal, command); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	limit := c.answer
	if command == subjects.Cancel {
		limit = c.cancel
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrNoReply)
	defer cancel()
	msg, err := c.request(ctx, subject, data)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	if refused := refusal(msg); refused != nil {
		refused.Command, refused.Subject = command, subject
		return nil, refused
	}
	if !json.Valid(msg.Data) {
		return nil, fmt.Errorf("ask %s: %w", subject, ErrBadReply)
	}
	return msg.Data, nil
}

// request sends data and waits for the answer until ctx ends, or until a connection
// that was lost meanwhile is back.
func (c *Client) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	ctx, done := c.untilBack(ctx)
	defer done()
	before := c.nc.LastError()
	inbox := c.nc.NewInbox()
	replies, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, connectionError(err)
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only when the connection is gone
	if err := c.nc.PublishRequest(subject, inbox, data); err != nil {
		return nil, connectionError(err)
	}
	if denied := c.denial(ctx, before, subject, inbox); denied != nil {
		return nil, denied
	}
	msg, err := replies.NextMsgWithContext(ctx)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNoBridge
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrNoReply):
		return nil, context.Cause(ctx)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoReply, context.Cause(ctx))
	}
	return nil, fmt.Errorf("%w: %w", ErrNoReply, connectionError(err))
}

// untilBack returns a context that also ends when the connection is made again, with
// errLinkBack, or closed. Call the function that it returns when the request is over.
func (c *Client) untilBack(ctx context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	changes := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case status := <-changes:
			if status == nats.CLOSED {
				end(fmt.Errorf("%w: %w", ErrNoReply, ErrClosed))
				return
			}
			end(errLinkBack)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		end(nil)
		watch.Wait()
		c.nc.RemoveStatusListener(changes)
	}
}

// refusal reads an error reply; nil if the message is none. The headers decide, as in
// every NATS micro service; the body adds what the headers cannot say.
func refusal(msg *nats.Msg) *Error {
	number := msg.Header.Get(schema.HeaderErrorCode)
	if number == "" {
		return nil
	}
	var body schema.ErrorReply
	if err := json.Unmarshal(msg.Data, &body); err != nil || body.Error.Code == "" {
		body.Error = schema.Error{Code: schema.Code(number), Message: msg.Header.Get(schema.HeaderError)}
	}
	return &Error{Reply: body.Error, Body: msg.Data}
}
