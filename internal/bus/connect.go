package bus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
