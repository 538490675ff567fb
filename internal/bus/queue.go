package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Session is one payment from its start to its rest. As a message in the work
// queue it is the lock of its terminal; it never changes.
type Session struct {
	// Request as it was accepted: complete, with every default filled in.
	Request schema.StartRequest `json:"request"`
	// Hash of the request's content; the same order with another hash is
	// another payment under the same name.
	Hash string `json:"hash"`
	// Nonce tells this start from every other one, so that a publisher whose
	// answer was lost recognises its own session.
	Nonce string `json:"nonce"`
	// Reply is the requester's inbox; empty when nobody waits.
	Reply string `json:"reply,omitempty"`
	// StartedAt is when the request was accepted; Deadline is when it is
	// dropped if it was not put to the provider. Both by the accepting
	// replica's clock.
	StartedAt time.Time `json:"started_at"`
	Deadline  time.Time `json:"deadline"`
	// Trace is the W3C trace context of the request.
	Trace map[string]string `json:"trace,omitempty"`
	// Requeued is set when the queue was lost and the session's follower queued it
	// again: its order may exist, though nothing else may be known of it.
	Requeued bool `json:"requeued,omitempty"`
	// Format is 0 unless a newer version has written it, see Newer.
	Format int `json:"format,omitempty"`

	rest rest
}

// Newer reports whether the session is of a format that this version does not
// know: what was read of it may be anything.
func (s Session) Newer() bool { return s.Format > format }

// UnmarshalJSON keeps what this version does not know.
func (s *Session) UnmarshalJSON(data []byte) (err error) {
	type plain Session
	s.rest, err = readWithRest(data, (*plain)(s))
	return err
}

// MarshalJSON writes what a newer version wrote, too.
func (s Session) MarshalJSON() ([]byte, error) {
	type plain Session
	return writeWithRest(plain(s), s.rest)
}

// Terminal is the session's key.
func (s Session) Terminal() string { return s.Request.TerminalID }

// Order is the order that the session is about.
func (s Session) Order() string { return s.Request.OrderID }

// Handle is what a replica can do with a session it was handed. Every method
// fails harmlessly when the message is no longer there.
type Handle interface {
	// InProgress keeps the session here for another AckWait.
	InProgress() error
	// Release gives the session to another replica at once.
	Release() error
	// Done removes the session for good, which unlocks its terminal. nil means
	// that the server has confirmed it; any error means that it may have
	// happened all the same.
	Done(ctx context.Context) error
}

// Delivery is a session handed to this replica.
type Delivery struct {
	Session Session
	// Seq is the session's place in the queue. It tells one session of a
	// terminal from the next.
	Seq uint64
	// Redelivered is true when some replica was handed it before.
	Redelivered bool
	Handle      Handle
}

// newerDelay is how long a session that this version cannot go on with lies in
// the queue before it is handed out again.
const newerDelay = time.Second

// stopLimit is how long Consume may take to end.
const stopLimit = 500 * time.Millisecond

// Enqueue publishes a session, which locks its terminal. ErrConflict: the
// terminal is locked, by another session or by an earlier try of this call. Any
// other error leaves it unknown whether the session was stored.
func (b *Bus) Enqueue(ctx context.Context, s Session) (seq uint64, err error) {
	subject, err := b.space.Session(s.Terminal())
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(s)
	if err != nil {
		return 0, fmt.Errorf("write session: %w", err)
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	ack, err := b.js.Publish(ctx, subject, body,
		jetstream.WithMsgID(s.Nonce), jetstream.WithExpectLastSequencePerSubject(0))
	if isConflict(err) {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("publish session: %w", err)
	}
	return ack.Sequence, nil
}

// Queued returns the session that locks a terminal, ErrNotFound when it is free.
// One that is Newer is told as far as it can be read.
func (b *Bus) Queued(ctx context.Context, terminal string) (Session, uint64, error) {
	subject, err := b.space.Session(terminal)
	if err != nil {
		return Session{}, 0, err
	}
	msg, _, err := b.lastOf(ctx, b.space.SessionStream(), subject)
	if err != nil {
		return Session{}, 0, err
	}
	var s Session
	if err := json.Unmarshal(msg.Data, &s); err != nil && !s.Newer() {
		return Session{}, 0, fmt.Errorf("read session of terminal %s: %w", terminal, err)
	}
	return s, msg.Seq, nil
}

// Consume hands sessions to take, one after the other, until ctx is over. take
// must return at once: a session that waits here is idle while another replica
// may be free. report is told of everything that went wrong on the way, and with
// ErrNewer of a session that is left to a newer replica. It ends only with ctx, or
// with the error of a consumer that is not there.
func (b *Bus) Consume(ctx context.Context, take func(Delivery), report func(error)) error {
	lookCtx, cancel := limit(ctx)
	consumer, err := b.js.Consumer(lookCtx, b.space.SessionStream(), consumerName)
	cancel()
	if err != nil {
		return fmt.Errorf("look at consumer: %w", err)
	}
	gone := make(chan error, 1)
	consuming, err := consumer.Consume(
		func(msg jetstream.Msg) {
			d, err := b.delivery(msg)
			if errors.Is(err, ErrNewer) { // some replica may be of that version
				report(err)
				_ = msg.NakWithDelay(newerDelay)
				return
			}
			if err != nil { // nothing that the bridge wrote: it would come back for ever
				report(err)
				_ = msg.Term() // if this is lost it is delivered and reported again
				return
			}
			if ctx.Err() != nil {
				_ = msg.Nak() // otherwise it arrives elsewhere after AckWait
				return
			}
			take(d)
		},
		jetstream.PullMaxMessages(1),
		jetstream.PullExpiry(30*time.Second),
		jetstream.PullHeartbeat(2*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			report(err)
			if isGone(err) {
				select {
				case gone <- err:
				default:
				}
			}
		}),
	)
	if err != nil {
		return fmt.Errorf("consume sessions: %w", err)
	}
	defer func() {
		consuming.Drain() // what was handed over already is given back
		select {
		case <-consuming.Closed():
		case <-time.After(stopLimit): // the server is away: what it gave goes elsewhere after AckWait
			consuming.Stop()
		}
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-gone:
		return fmt.Errorf("consume sessions: %w", err)
	case <-consuming.Closed():
		return fmt.Errorf("consume sessions: %w", nats.ErrConnectionClosed)
	}
}

// delivery reads a session, and holds it to the subject that it stands under.
func (b *Bus) delivery(msg jetstream.Msg) (Delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return Delivery{}, fmt.Errorf("read session's metadata: %w", err)
	}
	d := Delivery{Seq: meta.Sequence.Stream, Redelivered: meta.NumDelivered > 1, Handle: handle{b.conn, msg}}
	err = json.Unmarshal(msg.Data(), &d.Session)
	if d.Session.Newer() {
		err = ErrNewer
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("read session %d on %s: %w", d.Seq, msg.Subject(), err)
	}
	subject, err := b.space.Session(d.Session.Terminal())
	if err == nil {
		err = subjects.CheckOrder(d.Session.Order())
	}
	if err == nil && subject != msg.Subject() {
		err = subjects.ErrSubject
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("read session %d on %s: %w", d.Seq, msg.Subject(), err)
	}
	return d, nil
}

type handle struct {
	conn *nats.Conn
	msg  jetstream.Msg
}

func (h handle) InProgress() error { return h.msg.InProgress() }

// Release does not go through the message, which would then refuse Done as one
// that was acknowledged: a payment may end before anybody has taken its session.
func (h handle) Release() error { return h.conn.Publish(h.msg.Reply(), []byte("-NAK")) }

func (h handle) Done(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	return h.msg.DoubleAck(ctx)
}
