package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Limits of one command, from the request to its reply.
const (
	// startLimit is longer than the bridge's default START_DEADLINE, after which
	// it answers in any case.
	startLimit = 45 * time.Second
	// commandLimit is for all others. Cancel asks the provider, and answers after
	// twice BRIDGE_REQUEST_TIMEOUT at the latest.
	commandLimit = 25 * time.Second
)

// RefusedError is an error reply of the bridge.
type RefusedError struct {
	// Reply says why.
	Reply schema.Error
	// Command that was refused, and the subject that was asked.
	Command subjects.Command
	Subject string
	// Body is the reply as it came.
	Body []byte
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused by the bridge: %s: %s", Printable(string(e.Reply.Code), maxShown), Printable(e.Reply.Message, maxShown))
}

// NoBridgeError says that nobody serves the subject: the request reached no one.
type NoBridgeError struct {
	Server  string
	Prefix  string
	Subject string
}

func (e *NoBridgeError) Error() string {
	return fmt.Sprintf("no bridge is serving at %s with subject prefix %q", e.Server, e.Prefix)
}

var (
	// ErrNoReply says that the request was sent and no reply came in time. What
	// became of it is not known.
	ErrNoReply = errors.New("the bridge did not answer in time")
	// ErrAway says that the connection to NATS was away; nothing was sent.
	ErrAway = errors.New("the connection to NATS is away")
	// ErrBadReply says that a reply came that is not one of the bridge's.
	ErrBadReply = errors.New("the reply is not one of the bridge's; does something else serve this subject?")
)

// Start asks for a payment and returns once the bridge has answered, with the
// reply as it came. After an error other than *RefusedError, *NoBridgeError,
// *DeniedError and ErrAway the payment may have begun all the same; the same
// request may be sent again, it never makes a second payment.
func (t *Till) Start(ctx context.Context, r schema.StartRequest) (schema.StartReply, []byte, error) {
	reply, body, err := ask[schema.StartReply](ctx, t, subjects.Start, r.TerminalID, startLimit, r)
	if err == nil && (reply.OrderID != r.OrderID || reply.TerminalID != r.TerminalID) {
		err = fmt.Errorf("ask for the payment: %w", ErrBadReply)
	}
	return reply, body, err
}

// Cancel asks for an order's cancellation and returns the status that it has
// now; the change itself arrives as a status event.
func (t *Till) Cancel(ctx context.Context, terminal, order string) (schema.CancelReply, []byte, error) {
	r := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	return ask[schema.CancelReply](ctx, t, subjects.Cancel, terminal, commandLimit, r)
}

// Get asks for one order.
func (t *Till) Get(ctx context.Context, terminal, order string) (schema.Session, []byte, error) {
	r := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	return ask[schema.Session](ctx, t, subjects.Get, terminal, commandLimit, r)
}

// Receipt asks for what the provider has for a printed receipt of an order.
func (t *Till) Receipt(ctx context.Context, terminal, order string) (schema.ReceiptReply, []byte, error) {
	r := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	return ask[schema.ReceiptReply](ctx, t, subjects.Receipt, terminal, commandLimit, r)
}

// List asks for the active sessions of all terminals.
func (t *Till) List(ctx context.Context) (schema.ListReply, []byte, error) {
	return ask[schema.ListReply](ctx, t, subjects.List, "", commandLimit, schema.ListRequest{})
}

// ask sends one command, on the subject that is bound to the terminal if there
// is one, and reads its reply.
func ask[Reply any](ctx context.Context, t *Till, command subjects.Command, terminal string, limit time.Duration, request any) (reply Reply, body []byte, err error) {
	subject := t.settings.Space.Command(command)
	if terminal != "" {
		if subject, err = t.settings.Space.TerminalCommand(terminal, command); err != nil {
			return reply, nil, err
		}
	}
	data, err := json.Marshal(request)
	if err != nil {
		return reply, nil, fmt.Errorf("write request: %w", err)
	}
	msg, err := t.request(ctx, subject, data, limit)
	if err != nil {
		return reply, nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	if refused := refusal(msg); refused != nil {
		refused.Command, refused.Subject = command, subject
		return reply, msg.Data, refused
	}
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return reply, msg.Data, fmt.Errorf("ask %s: %w", subject, ErrBadReply)
	}
	return reply, msg.Data, nil
}

func (t *Till) request(ctx context.Context, subject string, data []byte, limit time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrNoReply)
	defer cancel()
	ctx, done := t.expect(ctx, subject)
	defer done()
	msg, err := t.conn.RequestWithContext(ctx, subject, data)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, &NoBridgeError{t.Server(), t.settings.Space.Prefix(), subject}
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return nil, ErrAway
	case errors.Is(err, nats.ErrConnectionClosed):
		return nil, ErrClosed
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// refusal reads an error reply; nil if the message is none. The headers decide,
// as in every NATS micro service; the body adds what the headers cannot say.
func refusal(msg *nats.Msg) *RefusedError {
	number := msg.Header.Get(schema.HeaderErrorCode)
	if number == "" {
		return nil
	}
	var body schema.ErrorReply
	if err := json.Unmarshal(msg.Data, &body); err != nil || body.Error.Code == "" {
		body.Error = schema.Error{
			Code:    schema.Code(number),
			Message: msg.Header.Get(schema.HeaderError),
		}
	}
	return &RefusedError{Reply: body.Error, Body: msg.Data}
}
