package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Limits of reading the stream.
const (
	// historyBatch is how many messages are asked for at once.
	historyBatch = 256
	// historyLimit is how long the next message of a batch may take.
	historyLimit = 3 * time.Second
)

// errNoHistory says that the status stream is not there, or that JetStream is
// off.
var errNoHistory = errors.New("the status stream is not there")

// stored is a message of the status stream.
type stored struct {
	subject  string
	sequence uint64 // in the stream
	data     []byte
}

// since is where reading begins: at a stream sequence, or at a time when at is
// not zero.
type since struct {
	sequence uint64
	at       time.Time
}

// read hands every stored message whose subject matches filter, from from on,
// to take, in the stream's order, until there is no more. It returns the stream
// sequence of the last one, 0 if there was none. It uses direct gets: they
// need no more than the right to publish to one subject, and leave nothing at
// the server. A replica of the stream that lags may answer them, so that what
// was stored a moment ago may be missing. After an error, what was handed over
// stands.
func (t *Till) read(ctx context.Context, filter string, from since, take func(stored) error) (last uint64, err error) {
	for {
		request := map[string]any{"batch": historyBatch, "next_by_subj": filter}
		if from.at.IsZero() {
			request["seq"] = max(from.sequence, 1)
		} else {
			request["start_time"] = from.at.UTC()
		}
		batch, pending, err := t.direct(ctx, request)
		if err != nil {
			return last, fmt.Errorf("read stream %s: %w", t.settings.Space.StatusStream(), err)
		}
		for _, msg := range batch {
			last = msg.sequence
			if err := take(msg); err != nil {
				return last, err
			}
		}
		if pending == 0 || len(batch) == 0 {
			return last, nil
		}
		from = since{sequence: last + 1}
	}
}

// lastStored returns the stream sequence of the last message whose subject
// matches filter, 0 if there is none.
func (t *Till) lastStored(ctx context.Context, filter string) (uint64, error) {
	batch, _, err := t.direct(ctx, map[string]any{"last_by_subj": filter})
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", t.settings.Space.StatusStream(), err)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	return batch[0].sequence, nil
}

// direct makes one direct get. pending is how many messages the stream holds
// beyond those returned.
func (t *Till) direct(ctx context.Context, request map[string]any) (batch []stored, pending int, err error) {
	subject := t.settings.api + ".DIRECT.GET." + t.settings.Space.StatusStream()
	body, err := json.Marshal(request)
	if err != nil {
		return nil, 0, fmt.Errorf("write request: %w", err)
	}
	ctx, done := t.expect(ctx, subject)
	defer done()
	inbox := t.conn.NewInbox()
	replies, err := t.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, awayOr(err)
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only when the connection is gone
	if err := t.conn.PublishRequest(subject, inbox, body); err != nil {
		return nil, 0, awayOr(err)
	}
	_, many := request["batch"]
	for {
		msg, err := nextReply(ctx, replies)
		if err != nil {
			return nil, 0, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
		case "204": // end of the batch
			pending, err = strconv.Atoi(msg.Header.Get("Nats-Num-Pending"))
			if err != nil {
				return nil, 0, ErrBadReply
			}
			return batch, pending, nil
		case "404": // nothing matches
			return batch, 0, nil
		case "503":
			return nil, 0, errNoHistory
		default:
			return nil, 0, fmt.Errorf("direct get: status %s %s", Printable(status, 3), Printable(msg.Header.Get("Description"), maxShown))
		}
		sequence, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil || sequence == 0 {
			return nil, 0, ErrBadReply
		}
		batch = append(batch, stored{msg.Header.Get("Nats-Subject"), sequence, msg.Data})
		if !many || len(batch) > historyBatch {
			return batch, 0, nil
		}
	}
}

func nextReply(ctx context.Context, replies *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, historyLimit, ErrNoReply)
	defer cancel()
	msg, err := replies.NextMsgWithContext(ctx)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errNoHistory
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrBadSubscription):
		return nil, ErrClosed
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

func awayOr(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrAway
	case errors.Is(err, nats.ErrConnectionClosed):
		return ErrClosed
	}
	return err
}
