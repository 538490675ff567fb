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

// send sends one request and returns the answer's body. The error is an *Error when the
// bridge refused.
func (c *Client) send(ctx context.Context, command subjects.Command, terminal string, request any) ([]byte, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	l, err := c.dial(command, terminal)
	if err != nil {
		return nil, err
	}
	defer l.hangUp()
	limit := c.answer
	if command == subjects.Cancel {
		limit = c.cancel
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrNoReply)
	defer cancel()
	return l.ask(ctx, data)
}

// line carries a command's requests and their answers. The answer to a request is heard
// also while another one is under way.
type line struct {
	client  *Client
	command subjects.Command
	subject string
	inbox   string
	replies *nats.Subscription
	// before is the connection's last error before something was sent.
	before error
}

// dial makes a line to the command's subject that is bound to the terminal, if there is
// one.
func (c *Client) dial(command subjects.Command, terminal string) (*line, error) {
	l := &line{client: c, command: command, subject: c.space.Command(command)}
	var err error
	if terminal != "" {
		if l.subject, err = c.space.TerminalCommand(terminal, command); err != nil {
			return nil, err
		}
	}
	if err := c.usable(); err != nil {
		return nil, fmt.Errorf("ask %s: %w", l.subject, err)
	}
	l.before = c.nc.LastError()
	l.inbox = c.nc.NewInbox()
	if l.replies, err = c.nc.SubscribeSync(l.inbox); err != nil {
		return nil, fmt.Errorf("ask %s: %w", l.subject, l.client.connectionError(err))
	}
	return l, nil
}

// hangUp ends the line: later answers are not heard.
func (l *line) hangUp() { _ = l.replies.Unsubscribe() } // fails only when the connection is gone

// ask sends data, or nothing if it is nil, and returns the body of the next answer.
func (l *line) ask(ctx context.Context, data []byte) ([]byte, error) {
	msg, err := l.exchange(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", l.subject, err)
	}
	if refused := refusal(msg); refused != nil {
		refused.Command, refused.Subject = l.command, l.subject
		return nil, refused
	}
	if !json.Valid(msg.Data) {
		return nil, fmt.Errorf("ask %s: %w", l.subject, ErrBadReply)
	}
	return msg.Data, nil
}

// exchange waits for the answer until ctx ends, or until a connection that was lost
// meanwhile is back.
func (l *line) exchange(ctx context.Context, data []byte) (*nats.Msg, error) {
	ctx, done := l.client.untilBack(ctx)
	defer done()
	if data != nil {
		if err := l.publish(ctx, data); err != nil {
			return nil, err
		}
	}
	msg, err := l.replies.NextMsgWithContext(ctx)
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
	return nil, fmt.Errorf("%w: %w", ErrNoReply, l.client.connectionError(err))
}

func (l *line) publish(ctx context.Context, data []byte) error {
	nc := l.client.nc
	if err := l.client.usable(); err != nil {
		return err
	}
	if err := nc.PublishRequest(l.subject, l.inbox, data); err != nil {
		return l.client.connectionError(err)
	}
	before := l.before
	l.before = nc.LastError()
	if denied := l.client.denial(ctx, before, l.subject, l.inbox); denied != nil {
		return denied
	}
	return nil
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
