package bus

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/subjects"
)

// Limits of the connection. A dead TCP connection is noticed after
// pingInterval * (maxPings + 1).
const (
	pingInterval = 2 * time.Second
	maxPings     = 2
	// A reconnect takes less than the second after which a silent replica counts
	// as gone.
	reconnectWait   = 75 * time.Millisecond
	reconnectJitter = 25 * time.Millisecond
	dialLimit       = 3 * time.Second
)

// Options say where NATS is and how to get in.
type Options struct {
	// URLs of one or more servers of one cluster, comma separated. The path of a
	// WebSocket URL also goes for servers that the first one names.
	URLs string
	// Name of the connection, shown by the server's monitoring.
	Name string
	// CredsFile, NKeyFile: authentication. CAFile, CertFile, KeyFile: TLS.
	// Empty ones are not used.
	CredsFile, NKeyFile       string
	CAFile, CertFile, KeyFile string
	// TLSFirst starts TLS before the server's INFO.
	TLSFirst bool
	// Domain is the JetStream domain; empty: the one of the server.
	Domain string
	// Space has the subjects and object names.
	Space subjects.Space
	// Replicas is the number of copies of new streams: 1, 3 or 5.
	Replicas int
	// StatusMaxAge is how long a new status stream keeps its messages. It must
	// exceed ClaimTTL, because it ends claims too.
	StatusMaxAge time.Duration
	// ClaimTTL is how long a claim is kept after it was stored, whole seconds. When
	// the last message of an order expires, its fence moves backwards: the TTL must
	// be longer than any payment.
	ClaimTTL time.Duration
	// ReplicaTTL is how long a replica may be silent before JetStream delivers its
	// sessions to the others.
	ReplicaTTL time.Duration
	// Events reports on the connection; every field may be nil. nats.go calls them
	// from its own goroutine, so they must not block.
	Events ConnectionEvents
	// Extra is appended last; tests dial in process with it.
	Extra []nats.Option
}

// ConnectionEvents are what happens to a connection after Connect.
type ConnectionEvents struct {
	// Connected is called with the server's address, without credentials.
	Connected    func(server string)
	Disconnected func(error)
	// Closed is called once, when the connection is gone for good. The daemon ends.
	Closed func(error)
	// Refused is called with the reason when attempts to connect fail.
	Refused func(error)
	// Unauthorized is called instead of Refused if the server refused the
	// credentials and there never was a connection: they are wrong, and trying
	// again does not help. Later refusals (a restarted auth callout, a reloaded
	// configuration) may pass and go to Refused.
	Unauthorized func(error)
	// Error reports what has no caller: a refused subscription, a slow consumer.
	// It is not called while there is no connection.
	Error func(error)
}

// natsOptions are the options that every connection of the bridge has. It never
// gives up, notices a dead peer in seconds, and never sends a message after its
// caller got an error.
func (o Options) natsOptions() ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1),
		nats.Timeout(dialLimit),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.PermissionErrOnSubscribe(true),
		nats.SkipHostLookup(), // the dialer does it, within dialLimit
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
	first, _, _ := strings.Cut(o.URLs, ",")
	if u, err := url.Parse(first); err == nil && strings.HasPrefix(u.Scheme, "ws") && u.Path != "" {
		options = append(options, nats.ProxyPath(u.Path))
	}
	if o.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}
