package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/subjects"
)

// Delivery is a session in the queue.
type Delivery struct {
	Session payment.Session
	// Seq is the session's sequence in the queue.
	Seq uint64
	// Handle belongs to this delivery, see InProgress. Empty if it was only read.
	Handle string
	// Delivered counts the deliveries of the session; 1 is the first. 0 if it was
	// only read.
	Delivered uint64
	// StoredAt is when the session was queued, by the server's clock.
	StoredAt time.Time
}

// Enqueue publishes a session, which locks its terminal, and returns its sequence.
// ErrConflict: the terminal is locked, by another session or by an earlier try of
// this call.
func (b *Bus) Enqueue(ctx context.Context, s payment.Session) (seq uint64, err error) {
	subject, err := b.space.Session(s.Request.TerminalID)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(sessionMessage{Version, s})
	if err != nil {
		return 0, fmt.Errorf("write session: %w", err)
	}
	h := newHeaders()
	h.set(jetstream.ExpectedLastSubjSeqHeader, "0")
	msg := &nats.Msg{Subject: subject, Header: h.header, Data: body}
	return Wait(ctx, func(done Published) { b.publish(ctx, "publish session", msg, 0, done) })
}

// Queued returns the session that locks a terminal, as the leader of the queue has
// it. ErrNotFound: the terminal is free. With any error that concerns the message
// itself, Delivery.Seq is set: DeleteSession removes it.
func (b *Bus) Queued(ctx context.Context, terminal string) (Delivery, error) {
	subject, err := b.space.Session(terminal)
	if err != nil {
		return Delivery{}, err
	}
	m, err := b.getMessage(ctx, b.space.SessionStream(), messageRequest{LastFor: subject})
	if err != nil {
		return Delivery{}, err
	}
	return b.readDelivery(m)
}

// readDelivery reads a session and checks it against its subject.
func (b *Bus) readDelivery(m jetstream.RawStreamMsg) (Delivery, error) {
	d := Delivery{Seq: m.Sequence, StoredAt: m.Time}
	content, err := readVersioned[sessionMessage](m)
	if err != nil {
		return d, err
	}
	d.Session = content.Session
	subject, err := b.space.Session(d.Session.Terminal())
	if err == nil {
		err = subjects.CheckOrder(d.Session.Order())
	}
	if err == nil && subject != m.Subject {
		err = subjects.ErrSubject
	}
	if err != nil {
		return d, fmt.Errorf("read message %d on %s: %w", m.Sequence, m.Subject, err)
	}
	return d, nil
}

// DeleteSession removes a session from the queue by its sequence, which unlocks
// its terminal, whether or not it was ever delivered. It is no error if the session
// is gone.
func (b *Bus) DeleteSession(ctx context.Context, seq uint64) error {
	stream := b.space.SessionStream()
	request := struct {
		Seq     uint64 `json:"seq"`
		NoErase bool   `json:"no_erase"` // overwriting it on the disk is slow
	}{seq, true}
	err := b.ask(ctx, b.apiSubject("STREAM.MSG.DELETE", stream), request, &struct{}{})
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeDeleteFailed {
		// This is also the answer when the message is gone.
		_, err = b.getMessage(ctx, stream, messageRequest{Seq: seq})
		if err == nil {
			err = fmt.Errorf("delete session %d: %w", seq, api)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// QueuedTerminals lists the terminals that are locked.
func (b *Bus) QueuedTerminals(ctx context.Context) ([]string, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.SessionStream())
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = s.Info(ctx, jetstream.WithSubjectFilter(b.space.AllSessions()))
	}
	if err != nil {
		return nil, b.noted(fmt.Errorf("look at queue: %w", err))
	}
	terminals := make([]string, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		terminal := strings.TrimSuffix(strings.TrimPrefix(subject, b.space.Prefix()+"."), ".session")
		if subjects.CheckTerminal(terminal) == nil {
			terminals = append(terminals, terminal)
		}
	}
	return terminals, nil
}
