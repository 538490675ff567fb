package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Headers of a status message beyond those of the contract. They carry what an
// order that is over must still be known by.
const (
	headerHash      = "Bridge-Request-Hash"
	headerReplica   = "Bridge-Replica"
	headerEpoch     = "Bridge-Epoch"
	headerStartedAt = "Bridge-Started-At"
)

// Status is a status event and what goes with it in the headers.
type Status struct {
	Event schema.StatusEvent
	// Hash of the start request that the order came from.
	Hash string
	// Replica that published it, under its Epoch-th claim of the session; 0 is
	// unknown.
	Replica string
	Epoch   uint64
	// StartedAt is when the start request was accepted.
	StartedAt time.Time
	// Trace goes out as the message's trace context.
	Trace map[string]string
	// Seq in the stream: set on what was read, ignored on what is written.
	Seq uint64
}

// ID is the Nats-Msg-Id of the event.
func (s Status) ID() string {
	return s.Event.TerminalID + "." + subjects.OrderToken(s.Event.OrderID) + "." + strconv.FormatUint(s.Event.Sequence, 10)
}

// Append publishes a status if the last one of its order still stands at
// stream sequence after (0: there is none). ErrConflict: it does not, or this
// very event is there already; Last tells which. Any other error leaves it
// unknown whether the event was stored; the same call may be repeated.
func (b *Bus) Append(ctx context.Context, s Status, after uint64) (seq uint64, err error) {
	subject, err := b.space.Of(s.Event.TerminalID, s.Event.OrderID, subjects.Journal)
	if err != nil {
		return 0, err
	}
	msg, err := b.statusMessage(subject, s)
	if err != nil {
		return 0, err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(after))
	switch {
	case isConflict(err):
		return 0, ErrConflict
	case err != nil:
		return 0, fmt.Errorf("publish status: %w", err)
	case ack.Duplicate:
		// The id is known, but two replicas may have used it for different
		// news: whoever asks Last finds out.
		return 0, ErrConflict
	}
	return ack.Sequence, nil
}

func (b *Bus) statusMessage(subject string, s Status) (*nats.Msg, error) {
	body, err := json.Marshal(s.Event)
	if err != nil {
		return nil, fmt.Errorf("write status event: %w", err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = body
	for k, v := range s.Trace {
		msg.Header[strings.ToLower(k)] = []string{v}
	}
	for k, v := range map[string]string{
		jetstream.MsgIDHeader: s.ID(),
		"ce-specversion":      "1.0",
		"ce-id":               s.ID(),
		"ce-source":           "/" + strings.ReplaceAll(b.space.Prefix(), ".", "/") + "/" + s.Event.TerminalID,
		"ce-type":             schema.CloudEventType,
		"ce-subject":          s.Event.OrderID,
		"ce-time":             s.Event.ObservedAt.Format(time.RFC3339Nano),
		"content-type":        "application/json",
		headerHash:            s.Hash,
		headerReplica:         s.Replica,
		headerEpoch:           strconv.FormatUint(s.Epoch, 10),
		headerStartedAt:       s.StartedAt.Format(time.RFC3339Nano),
	} {
		msg.Header[k] = []string{v}
	}
	return msg, nil
}

// Last returns an order's last status as the stream's leader has it,
// ErrNotFound when there is none.
func (b *Bus) Last(ctx context.Context, terminal, order string) (Status, error) {
	subject, err := b.space.Of(terminal, order, subjects.Status)
	if err != nil {
		return Status{}, err
	}
	msg, header, err := b.lastOf(ctx, b.space.StatusStream(), subject)
	if err != nil {
		return Status{}, err
	}
	s, err := readStatus(subject, msg, header)
	if err == nil {
		return s, nil
	}
	// No bridge has written it: the last one before it counts, at its place.
	statuses, last, err := b.Since(ctx, terminal, order, 0)
	if err != nil {
		return Status{}, err
	}
	if len(statuses) == 0 {
		return Status{}, ErrNotFound
	}
	s = statuses[len(statuses)-1]
	s.Seq = last
	return s, nil
}

// maxSince bounds how many messages Since reads; an order has a handful.
const maxSince = 1000

// Since returns an order's statuses that stand after a sequence of the stream,
// as the stream's leader has them, in order, and where the last message on their
// subject stands; both are nothing when there is none. What no bridge can have
// written is passed over.
func (b *Bus) Since(ctx context.Context, terminal, order string, after uint64) (statuses []Status, last uint64, err error) {
	subject, err := b.space.Of(terminal, order, subjects.Status)
	if err != nil {
		return nil, 0, err
	}
	for range maxSince {
		msg, header, err := b.nextOf(ctx, b.space.StatusStream(), subject, after+1)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		if s, err := readStatus(subject, msg, header); err == nil {
			statuses = append(statuses, s)
		}
		after, last = msg.Seq, msg.Seq
	}
	return statuses, last, nil
}

func readStatus(subject string, msg stored, header nats.Header) (Status, error) {
	s := Status{Hash: header.Get(headerHash), Replica: header.Get(headerReplica), Seq: msg.Seq}
	if err := json.Unmarshal(msg.Data, &s.Event); err != nil {
		return Status{}, fmt.Errorf("read status on %s: %w", subject, err)
	}
	s.Epoch, _ = strconv.ParseUint(header.Get(headerEpoch), 10, 64) // 0 when an older bridge published it
	var err error
	if s.StartedAt, err = time.Parse(time.RFC3339Nano, header.Get(headerStartedAt)); err != nil {
		s.StartedAt = msg.Time
	}
	return s, nil
}

// AppendInvalid publishes an event that could not be understood. It is for
// people: it is not retried, and not fenced.
func (b *Bus) AppendInvalid(ctx context.Context, e schema.InvalidEvent) error {
	subject, err := b.space.Of(e.TerminalID, e.OrderID, subjects.Invalid)
	if err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write invalid event: %w", err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = body
	msg.Header["content-type"] = []string{"application/json"}
	ctx, cancel := limit(ctx)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, msg); err != nil {
		return fmt.Errorf("publish invalid event: %w", err)
	}
	return nil
}
