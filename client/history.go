package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/subjects"
)

// Limits of reading the stream.
const (
	// historyBatch is how many messages are asked for at once.
	historyBatch = 256
	// historyLimit is how long the next message of a batch may take.
	historyLimit = 3 * time.Second
	// maxDescription bounds the server's words in an error, in bytes.
	maxDescription = 200
)

// stored is a message of the status stream.
type stored struct {
	subject  string
	sequence uint64 // in the stream
	data     []byte
}

// since is where reading begins: at a stream sequence, or at a time when at is not
// zero.
type since struct {
	sequence uint64
	at       time.Time
}

// read hands every stored message whose subject matches filter, from from on, to take,
// in the stream's order, until there is no more. It returns the stream sequence of the
// last one, 0 if there was none. It uses direct gets: they need no more than the right
// to publish to one subject, and leave nothing at the server. A replica of the stream
// that lags may answer them, so that what was stored a moment ago may be missing.
// After an error, what was handed over stands.
func (c *Client) read(ctx context.Context, filter string, from since, take func(stored) error) (last uint64, err error) {
	for {
		request := map[string]any{"batch": historyBatch, "next_by_subj": filter}
		if from.at.IsZero() {
			request["seq"] = max(from.sequence, 1)
		} else {
			request["start_time"] = from.at.UTC()
		}
		batch, pending, err := c.direct(ctx, request)
		if err != nil {
			return last, fmt.Errorf("read stream %s: %w", c.space.StatusStream(), err)
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

// lastStored returns the stream sequence of the last message whose subject matches
// filter, 0 if there is none.
func (c *Client) lastStored(ctx context.Context, filter string) (uint64, error) {
	batch, _, err := c.direct(ctx, map[string]any{"last_by_subj": filter})
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", c.space.StatusStream(), err)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	return batch[0].sequence, nil
}

// direct makes one direct get. pending is how many messages the stream holds beyond
// those returned.
func (c *Client) direct(ctx context.Context, request map[string]any) (batch []stored, pending int, err error) {
	replies, err := c.askStream(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only when the connection is gone
	_, many := request["batch"]
	for {
		msg, err := c.nextReply(ctx, replies)
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
			return nil, 0, ErrNoStream
		default:
			description := msg.Header.Get("Description")
			return nil, 0, fmt.Errorf("direct get: status %.3q %q", status, description[:min(len(description), maxDescription)])
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

// askStream sends a direct get. The answers arrive at the subscription.
func (c *Client) askStream(ctx context.Context, request map[string]any) (*nats.Subscription, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	subject := c.options.JetStreamAPI + ".DIRECT.GET." + c.space.StatusStream()
	connection := c.nc.Stats().Reconnects + 1
	if c.blind.Load() == connection { // the server would note each attempt
		return nil, &DeniedError{Subject: subject}
	}
	before := c.nc.LastError()
	inbox := c.nc.NewInbox()
	replies, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, c.connectionError(err)
	}
	err = c.connectionError(c.nc.PublishRequest(subject, inbox, body))
	if err == nil {
		if denied := c.denial(ctx, before, subject, inbox); denied != nil {
			err = denied
			c.blind.Store(connection)
		}
	}
	if err != nil {
		_ = replies.Unsubscribe() // fails only when the connection is gone
		return nil, err
	}
	return replies, nil
}

func (c *Client) nextReply(ctx context.Context, replies *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, historyLimit, ErrNoReply)
	defer cancel()
	msg, err := replies.NextMsgWithContext(ctx)
	switch {
	case err == nil:
		return msg, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNoStream
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, c.connectionError(err)
}

// Stored returns the statuses that the stream has of a filter's orders, from a time on,
// in the order in which they were stored. It needs the right to read the stream.
func (c *Client) Stored(ctx context.Context, filter Filter, from time.Time) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		err := filter.check()
		if err == nil {
			_, err = c.read(ctx, filter.subject(c.space, subjects.Status), since{at: from}, func(m stored) error {
				e, problem := readStatus(c.space, m.subject, m.data)
				if problem == nil && !yield(Status{StatusEvent: e, Body: m.data}, nil) {
					return errEnough
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Status{}, err)
		}
	}
}

// errEnough ends a reading whose caller wants no more.
var errEnough = errors.New("enough")
