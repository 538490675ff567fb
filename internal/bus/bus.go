package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Bus is one connection and everything on it. Its methods may be called from
// several goroutines.
type Bus struct {
	conn  *nats.Conn
	js    jetstream.JetStream
	space subjects.Space
	// source is the ce-source of status messages, without the terminal.
	source string
	opts   Options

	// clock is the server's.
	clock clock
	// state of the connection, written by nats.go's callbacks.
	state     connState
	publishes publishes

	// ensuring is held by Ensure.
	ensuring sync.Mutex
	// domain is the JetStream domain of Options, or the first one that answered.
	domain atomic.Pointer[string]
	// consumerMade is set once this replica has created or updated the consumer.
	consumerMade atomic.Bool
	ahead        ahead
	nested       nested
	captures     captures

	mu sync.Mutex
	// created is when each stream was created, by name.
	created map[string]time.Time
}

// ahead knows whether the consumer has delivered more than the queue has. A server
// that has lost messages, or a new leader with an old state, can leave it so: then new
// sessions are not delivered until their sequences have caught up.
type ahead struct {
	// delivered is the consumer's last sequence, 0 if it is not known.
	delivered uint64
	// seen counts in how many calls in a row the consumer was ahead. A new leader may
	// not have everything yet, so once is not enough.
	seen int
}

// nested knows the bridges whose prefix is that of this bridge and one token more:
// the commands of pos.eu look like those of terminal "eu" of pos.
type nested struct {
	// tokens are those that the other prefixes have more, in capitals, because only
	// the names of their streams are known.
	tokens atomic.Pointer[map[string]bool]
	// refused is set when the user may not list streams.
	refused bool
}

// Conn returns the connection itself, for the micro service.
func (b *Bus) Conn() *nats.Conn { return b.conn }

// Connected reports whether there is a connection right now.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

// Calm is how long NATS has worked without trouble: a lost connection, a call
// without an answer, a stream without a leader. It is 0 while there is no
// connection, and starts with the connection. A replica takes over another one's
// session only if the silence cannot be its own.
func (b *Bus) Calm() time.Duration {
	if !b.conn.IsConnected() {
		b.state.trouble()
		return 0
	}
	return time.Since(b.LastTrouble())
}

// LastTrouble is when this connection last had trouble, see Calm.
func (b *Bus) LastTrouble() time.Time { return *b.state.lastTrouble.Load() }

// Now is the time by the NATS server's clock, as of the last answer about a
// stream, and the machine's own time before the first answer.
func (b *Bus) Now() time.Time { return b.clock.now() }

// Skew is the NATS server's time minus this machine's. More than a second is
// worth a warning.
func (b *Bus) Skew() time.Duration { return b.clock.skew() }

// Close ends the connection after the written messages were sent, at the latest
// when ctx ends.
func (b *Bus) Close(ctx context.Context) {
	b.state.closing.Store(true)
	if b.conn.IsConnected() {
		ctx, cancel := limit(ctx)
		defer cancel()
		_ = b.conn.FlushWithContext(ctx) // nothing can be done about what is not flushed in time
	}
	b.conn.Close()
}

// Reply sends a message to a requester's inbox; the headers name failure, if it is not
// nil. An empty inbox is no error: the requester wants no answer.
func (b *Bus) Reply(inbox string, failure *schema.Error, body []byte) error {
	if inbox == "" {
		return nil
	}
	if !b.IsInbox(inbox) {
		return errNoInbox
	}
	msg := nats.NewMsg(inbox)
	if failure != nil {
		msg.Header[schema.HeaderErrorCode] = []string{strconv.Itoa(failure.Code.Number())}
		msg.Header[schema.HeaderError] = []string{failure.Message}
	}
	msg.Data = body
	if err := b.conn.PublishMsg(msg); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}

// errNoInbox refuses to answer on a subject that belongs to the bridge or to NATS
// itself: a requester must not make the bridge write there.
var errNoInbox = errors.New("reply: the requester's inbox is a subject of the bridge's or the server's own")

// IsInbox reports whether a requester may be answered on a subject.
func (b *Bus) IsInbox(subject string) bool {
	return !strings.HasPrefix(subject, "$") && !strings.HasPrefix(subject, b.space.Prefix()+".")
}

// ServerHost returns the address of the server in use without credentials, empty
// while there is none.
func (b *Bus) ServerHost() string { return serverHost(b.conn) }

// LastError returns the last error of the connection, nil if there was none.
func (b *Bus) LastError() error { return b.conn.LastError() }

func serverHost(c *nats.Conn) string {
	if u := c.ConnectedUrlRedacted(); u != "" {
		return u[strings.LastIndex(u, "@")+1:]
	}
	return ""
}

func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}

func callErr(f func(error), err error) {
	if f != nil {
		f(err)
	}
}
