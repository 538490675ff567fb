package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/subjects"
)

// Limits of one call on NATS.
const (
	// callLimit bounds one publish or one question to JetStream.
	callLimit = 2 * time.Second
	// A dead TCP connection is noticed after pingInterval * (maxPings + 1).
	pingInterval = 3 * time.Second
	maxPings     = 2
)

// Options say where NATS is and how to get in.
type Options struct {
	// URLs of one or more servers of one cluster, comma separated.
	URLs string
	// Name of the connection, shown by the server's monitoring.
	Name string
	// CredsFile, NKeyFile: authentication. CAFile, CertFile, KeyFile: TLS.
	// Empty ones are not used.
	CredsFile, NKeyFile       string
	CAFile, CertFile, KeyFile string
	// Space holds the subjects and object names.
	Space subjects.Space
	// Replicas is the number of copies of new streams and buckets: 1, 3 or 5.
	Replicas int
	// StatusMaxAge is how long a new status stream keeps its events.
	StatusMaxAge time.Duration
	// AckWait is how long a replica may be silent before its sessions go to
	// the others.
	AckWait time.Duration
	// Events tells of the connection; every field may be nil. They are called
	// from nats.go's own goroutine and must not block.
	Events ConnectionEvents
	// Extra is appended last; tests dial in process with it.
	Extra []nats.Option
}

// ConnectionEvents are what happens to a connection after it was made.
type ConnectionEvents struct {
	// Connected is called with the server's address, without credentials.
	Connected    func(server string)
	Disconnected func(error)
	// Closed is called once, when the connection is gone for good.
	Closed func(error)
	// Refused is called with why an attempt to connect came to nothing, but for
	// the very first one.
	Refused func(error)
	// Error reports what has no caller: a refused subscription, a slow consumer.
	// It is not called while there is no connection.
	Error func(error)
}

// Bus is one connection and everything on it.
type Bus struct {
	conn  *nats.Conn
	js    jetstream.JetStream
	space subjects.Space
	opts  Options

	// clock is the server's.
	clock clock

	// closing is set once Close was called: what the connection then tells is
	// no news.
	closing atomic.Bool

	// consumerMade is set once this replica has made or set the consumer.
	consumerMade atomic.Bool

	mu sync.Mutex
	// created is when each stream was made that was seen, by name.
	created map[string]time.Time
	// refused is the last permission error the server reported, at refusedAt; a
	// call that timed out because of it would otherwise not say why.
	refused   error
	refusedAt time.Time
}

// Connect begins to connect and returns at once: NATS away at start is waited
// for in the background, see Connected. It fails on what waiting does not mend:
// files that cannot be read, or URLs that are none.
func Connect(o Options) (*Bus, error) {
	b := &Bus{space: o.Space, opts: o, created: map[string]time.Time{}}
	options, err := o.natsOptions()
	if err != nil {
		return nil, err
	}
	ev := o.Events
	options = append(options,
		nats.ConnectHandler(func(c *nats.Conn) { call(ev.Connected, serverHost(c)) }),
		nats.ReconnectHandler(func(c *nats.Conn) { call(ev.Connected, serverHost(c)) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !b.closing.Load() {
				callErr(ev.Disconnected, err)
			}
		}),
		nats.ClosedHandler(func(c *nats.Conn) {
			if !b.closing.Load() {
				callErr(ev.Closed, c.LastError())
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { callErr(ev.Refused, err) }),
		nats.ErrorHandler(func(c *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				b.mu.Lock()
				b.refused, b.refusedAt = err, time.Now()
				b.mu.Unlock()
			}
			if !c.IsConnected() {
				return // whatever waits for the server complains while it is away
			}
			if sub != nil {
				err = fmt.Errorf("subscription %s: %w", sub.Subject, err)
			}
			callErr(ev.Error, err)
		}),
	)
	options = append(options, o.Extra...)
	if b.conn, err = nats.Connect(o.URLs, options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if b.js, err = jetstream.New(b.conn, jetstream.WithDefaultTimeout(callLimit)); err != nil {
		b.conn.Close()
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return b, nil
}

// natsOptions are the options that every connection of the project has: it
// never gives up, notices a dead peer in seconds, and sends nothing later that
// its caller was told had failed.
func (o Options) natsOptions() ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 500*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.Timeout(3 * time.Second),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.PermissionErrOnSubscribe(true),
	}
	for _, file := range []string{o.CredsFile, o.NKeyFile, o.CAFile, o.CertFile, o.KeyFile} {
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open NATS credentials: %w", err)
		}
		_ = f.Close()
	}
	if o.CredsFile != "" {
		options = append(options, nats.UserCredentials(o.CredsFile))
	}
	if o.NKeyFile != "" {
		option, err := nats.NkeyOptionFromSeed(o.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read NATS nkey seed: %w", err)
		}
		options = append(options, option)
	}
	if o.CAFile != "" {
		options = append(options, nats.RootCAs(o.CAFile))
	}
	if o.CertFile != "" {
		options = append(options, nats.ClientCert(o.CertFile, o.KeyFile))
	}
	return options, nil
}

// Conn returns the connection itself, for the micro service and for replies.
func (b *Bus) Conn() *nats.Conn { return b.conn }

// Connected reports whether there is a connection right now.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

// Close ends the connection after what was written has been sent, at the
// latest when ctx is over.
func (b *Bus) Close(ctx context.Context) {
	b.closing.Store(true)
	if b.conn.IsConnected() {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, callLimit)
			defer cancel()
		}
		_ = b.conn.FlushWithContext(ctx) // nothing more can be done for what is not flushed in time
	}
	b.conn.Close()
}

// Reply sends a message to a requester's inbox. An empty inbox is no error:
// the requester wants no answer.
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

// errNoInbox refuses to answer on a subject that belongs to the bridge or to
// NATS itself: a requester may not have the bridge write there in its place.
var errNoInbox = errors.New("reply: the requester's inbox is a subject of the bridge's or the server's own")

// IsInbox reports whether a requester may be answered on a subject.
func (b *Bus) IsInbox(subject string) bool {
	return !strings.HasPrefix(subject, "$") && !strings.HasPrefix(subject, b.space.Prefix()+".")
}

// ServerHost returns the address of the server in use without credentials,
// empty while there is none.
func (b *Bus) ServerHost() string { return serverHost(b.conn) }

func serverHost(c *nats.Conn) string {
	if u := c.ConnectedUrlRedacted(); u != "" {
		return u[strings.LastIndex(u, "@")+1:]
	}
	return ""
}

// refusedWithin returns the last permission error the server reported, if that
// was not longer ago than d.
func (b *Bus) refusedWithin(d time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil || time.Since(b.refusedAt) > d {
		return nil
	}
	return b.refused
}

func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}

func call(f func(string), server string) {
	if f != nil {
		f(server)
	}
}

func callErr(f func(error), err error) {
	if f != nil {
		f(err)
	}
}
