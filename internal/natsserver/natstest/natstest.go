// Package natstest gives tests a real nats-server, and a connection to it, for
// the time of one test.
package natstest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/natsserver"
)

// Option changes the server that Run or RunCluster starts.
type Option func(*options)

type options struct {
	natsserver.Options
	config string
}

// WithoutJetStream leaves JetStream off.
func WithoutJetStream() Option { return func(o *options) { o.JetStream = false } }

// WithPort listens on a given port instead of a free one.
func WithPort(port int) Option { return func(o *options) { o.Port = port } }

// WithConfig gives the server a configuration, as the text of its file.
func WithConfig(text string) Option { return func(o *options) { o.config = text } }

// WithConfigFile gives the server a configuration file.
func WithConfigFile(path string) Option { return func(o *options) { o.Config = path } }

// WithServerOptions changes nats-server's own options, after all others.
func WithServerOptions(f func(*server.Options)) Option { return func(o *options) { o.Configure = f } }

// Run starts a server with JetStream in a folder of the test's own. It is ready
// when Run returns, and gone when the test ends.
func Run(t testing.TB, opts ...Option) *natsserver.Server {
	t.Helper()
	o := build(t, opts)
	if o.Port == 0 && o.Config == "" {
		o.Port = Port(t)
	}
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatalf("run nats-server: %v", err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// Port finds a port of loopback that nobody listens on now, and that nobody takes while
// its server is down.
func Port(t testing.TB) int {
	t.Helper()
	port, err := natsserver.FixedPort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// RunCluster starts a cluster of n servers with replicated JetStream in this
// process. It has a leader when RunCluster returns.
func RunCluster(t testing.TB, n int, opts ...Option) natsserver.Cluster {
	t.Helper()
	c, err := natsserver.StartCluster(n, build(t, opts))
	if err != nil {
		t.Fatalf("run nats-server cluster: %v", err)
	}
	t.Cleanup(c.Shutdown)
	return c
}

func build(t testing.TB, opts []Option) natsserver.Options {
	t.Helper()
	o := options{Options: natsserver.Options{JetStream: true}}
	for _, opt := range opts {
		opt(&o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.config != "" {
		o.Config = filepath.Join(t.TempDir(), "nats-server.conf")
		if err := os.WriteFile(o.Config, []byte(o.config), 0o600); err != nil {
			t.Fatalf("write nats-server configuration: %v", err)
		}
	}
	return o.Options
}

// Connect opens a client connection that is closed when the test ends. url is
// a Server's or a Cluster's.
func Connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	opts = append([]nats.Option{
		nats.Name(t.Name()),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(20 * time.Millisecond),
		nats.Timeout(10 * time.Second),
	}, opts...)
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatalf("connect to nats-server: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}
