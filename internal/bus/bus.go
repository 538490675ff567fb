package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/subjects"
)

// callLimit bounds one publish or one request.
const callLimit = 2 * time.Second

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

// Connect begins to connect and returns at once. If NATS is away, it keeps trying
// in the background, see Connected. It fails if waiting cannot help: files that
// cannot be read, or malformed URLs.
func Connect(o Options) (*Bus, error) {
	b := &Bus{space: o.Space, opts: o, created: map[string]time.Time{}, source: "/" + strings.ReplaceAll(o.Space.Prefix(), ".", "/") + "/"}
	if o.Domain != "" {
		b.domain.Store(&o.Domain)
	}
	b.state.trouble()
	options, err := o.natsOptions()
	if err != nil {
		return nil, err
	}
	options = append(append(options, b.handlers()...), o.Extra...)
	if b.conn, err = nats.Connect(o.URLs, options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	b.state.conn.Store(b.conn)
	timeout := jetstream.WithDefaultTimeout(callLimit)
	if o.Domain == "" {
		b.js, err = jetstream.New(b.conn, timeout)
	} else {
		b.js, err = jetstream.NewWithDomain(b.conn, o.Domain, timeout)
	}
	if err == nil {
		err = b.listen()
	}
	if err != nil {
		b.conn.Close()
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return b, nil
}

// handlers passes what happens to the connection to Options.Events.
func (b *Bus) handlers() []nats.Option {
	ev := b.opts.Events
	connected := func(c *nats.Conn) {
		b.state.connected.Store(true)
		b.state.trouble() // it ends now
		if ev.Connected != nil {
			ev.Connected(serverHost(c))
		}
	}
	refused := func(_ *nats.Conn, err error) {
		if isAuthorization(err) && !b.state.connected.Load() {
			callErr(ev.Unauthorized, err)
			return
		}
		callErr(ev.Refused, err)
	}
	// nats.go reports an attempt that failed, but not one that was refused by a
	// server: it only remembers the error.
	delay := func(int) time.Duration {
		if c := b.state.conn.Load(); c != nil && isAuthorization(c.LastError()) {
			refused(c, c.LastError())
		}
		return reconnectWait + rand.N(reconnectJitter) //nolint:gosec // no secret
	}
	disconnected := func(_ *nats.Conn, err error) {
		b.state.trouble()
		b.give(nats.ErrDisconnected, func(*underWay) bool { return true })
		if !b.state.closing.Load() {
			callErr(ev.Disconnected, err)
		}
	}
	closed := func(c *nats.Conn) {
		if !b.state.closing.Load() {
			callErr(ev.Closed, c.LastError())
		}
	}
	return []nats.Option{
		nats.ConnectHandler(connected), nats.ReconnectHandler(connected), nats.ReconnectErrHandler(refused),
		nats.DisconnectErrHandler(disconnected), nats.ClosedHandler(closed), nats.ErrorHandler(b.asyncError),
		nats.CustomReconnectDelay(delay),
	}
}

// asyncError takes errors that nats.go cannot return from a call.
func (b *Bus) asyncError(c *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		if b.refuse(err) {
			return // the caller of the publish gets the error
		}
		b.state.refuse(err)
	}
	if !c.IsConnected() {
		return // without a connection everything complains
	}
	if sub != nil {
		err = fmt.Errorf("subscription %s: %w", sub.Subject, err)
	}
	callErr(b.opts.Events.Error, err)
}

// isAuthorization reports whether a server refused the credentials.
func isAuthorization(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
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

// Reply sends a message to a requester's inbox. An empty inbox is no error: the
// requester wants no answer.
func (b *Bus) Reply(inbox string, header map[string]string, body []byte) error {
	if inbox == "" {
		return nil
	}
	if !b.IsInbox(inbox) {
		return errNoInbox
	}
	msg := nats.NewMsg(inbox)
	for k, v := range header {
		msg.Header[k] = []string{v}
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
