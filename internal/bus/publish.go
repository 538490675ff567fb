package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// listen subscribes to the acknowledgements of all publishes.
func (b *Bus) listen() error {
	p := &b.publishes
	p.inbox = b.conn.NewInbox() + "."
	sub, err := b.conn.Subscribe(p.inbox+"*", func(msg *nats.Msg) {
		if w := p.take(msg.Subject[len(p.inbox):]); w != nil {
			w.done(b.acknowledged(w, msg))
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // as many as are under way
	}
	return err //nolint:wrapcheck // the caller says what it did
}

// publish sends one message to a stream. op says in the error what was tried. An
// acknowledgement that does not come within callLimit is an error, and the message
// may be stored all the same.
func (b *Bus) publish(ctx context.Context, op string, msg *nats.Msg, expect uint64, done Published) {
	if ctx.Err() != nil {
		done(0, fmt.Errorf("%s: %w", op, ctx.Err()))
		return
	}
	token := b.publishes.add(&underWay{op: op, subject: msg.Subject, expect: expect, done: done}, func() {
		b.fail(op, done, nats.ErrTimeout)
	})
	msg.Reply = b.publishes.inbox + token
	if err := b.conn.PublishMsg(msg); err != nil && b.publishes.take(token) != nil {
		b.fail(op, done, err)
	}
}

func (b *Bus) fail(op string, done Published, err error) { done(0, b.noted(publishError(op, err))) }

// Wait publishes something and waits for the outcome, or until ctx is over: then
// it is not known.
func Wait(ctx context.Context, publish func(Published)) (seq uint64, err error) {
	type outcome struct {
		seq uint64
		err error
	}
	answered := make(chan outcome, 1)
	publish(func(seq uint64, err error) { answered <- outcome{seq, err} })
	select {
	case o := <-answered:
		return o.seq, o.err
	case <-ctx.Done():
		return 0, ctx.Err() //nolint:wrapcheck // it says what there is to say
	}
}

// acknowledged reads the answer of the stream. An acknowledgement that is not
// above the expected sequence means that nothing was stored: the server knew the
// message id. If that is older than what is expected, reading the log again would
// not help.
func (b *Bus) acknowledged(w *underWay, msg *nats.Msg) (uint64, error) {
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.PubAck
	}
	var err error
	switch {
	case len(msg.Data) == 0 && msg.Header.Get("Status") == "503":
		err = jetstream.ErrNoStreamResponse
	case json.Unmarshal(msg.Data, &ack) != nil || ack.Error == nil && ack.Sequence == 0:
		err = jetstream.ErrInvalidJSAck
	case ack.Error != nil:
		err = ack.Error
	}
	if err != nil {
		return 0, b.noted(publishError(w.op, err))
	}
	if err := b.checkDomain(ack.Domain); err != nil {
		return 0, err
	}
	switch {
	case ack.Duplicate && ack.Sequence <= w.expect:
		return 0, ErrBusy // the id is from before a purge: it is free again after dedupeWindow
	case ack.Duplicate, ack.Sequence <= w.expect:
		return 0, ErrConflict
	}
	return ack.Sequence, nil
}

// refusable returns a context that ends when the server refuses the right to a
// subject. The caller calls done in the end.
func (b *Bus) refusable(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	token := b.publishes.add(&underWay{op: "ask", subject: subject, done: func(_ uint64, err error) { cancel(err) }}, func() {})
	return ctx, func() {
		b.publishes.take(token)
		cancel(nil)
	}
}

// refuse ends the publishes on the subject that a permission error of the server
// names, and reports whether there was one: JetStream never sees such a message
// and never answers.
func (b *Bus) refuse(err error) (found bool) {
	text := err.Error()
	return b.give(err, func(w *underWay) bool { return strings.Contains(text, `"`+w.subject+`"`) })
}

// give ends publishes whose acknowledgement cannot come any more.
func (b *Bus) give(err error, up func(*underWay) bool) (found bool) {
	var ended []string
	p := &b.publishes
	p.mu.Lock()
	for token, w := range p.waiting {
		if up(w) {
			ended = append(ended, token)
		}
	}
	p.mu.Unlock()
	for _, token := range ended {
		if w := p.take(token); w != nil {
			found = true
			b.fail(w.op, w.done, err)
		}
	}
	return found
}
