package processtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsLimit bounds how long nats-server may take to serve JetStream again, the
// recovery of its streams and a cluster's elections included.
const natsLimit = 60 * time.Second

// NATS is one nats-server process, or the place of one that is down. It keeps
// its address and its folder from one process to the next.
type NATS struct {
	// Name of the server, as a cluster's leaders are called.
	Name string
	// Port for clients.
	Port int
	// Dir is where JetStream keeps its files.
	Dir string

	monitor int
	config  string // path of the configuration file
	process *Process
	client  *http.Client
}

// StartNATS runs one server that syncs every message to disk before it
// acknowledges it, with JetStream's files in dir. It is ready when StartNATS
// returns.
func StartNATS(tb testing.TB, dir string) *NATS {
	tb.Helper()
	n := placeNATS(tb, "n1", dir, "", "")
	n.Start(tb)
	n.WaitReady(tb)
	return n
}

// StartLeaf runs two servers: a hub, whose JetStream domain is "hub", and a leaf node
// that is connected to it and has no JetStream.
func StartLeaf(tb testing.TB) (hub, leaf *NATS) {
	tb.Helper()
	port := Port(tb)
	hub = placeNATS(tb, "hub", tb.TempDir(), "hub", fmt.Sprintf("leafnodes { listen: %q }", address(port)))
	leaf = placeNATS(tb, "leaf", "", "", fmt.Sprintf("leafnodes { remotes: [ { url: %q } ], reconnect: 1 }", "nats-leaf://"+address(port)))
	for _, n := range []*NATS{hub, leaf} {
		n.Start(tb)
		n.WaitReady(tb)
	}
	return hub, leaf
}

// PlaceNATS prepares a server that is not started yet.
func PlaceNATS(tb testing.TB) *NATS {
	tb.Helper()
	return placeNATS(tb, "n1", tb.TempDir(), "", "")
}

// placeNATS writes a server's configuration, with JetStream's files in dir and a
// domain, if it has one; without a dir it has no JetStream. more is put at its end.
func placeNATS(tb testing.TB, name, dir, domain, more string) *NATS {
	tb.Helper()
	n := &NATS{Name: name, Port: Port(tb), monitor: Port(tb), Dir: dir, client: &http.Client{Timeout: 2 * time.Second}}
	n.config = filepath.Join(tb.TempDir(), "nats-server.conf")
	text := fmt.Sprintf("server_name: %s\nlisten: %q\nhttp: %q\n%s\n", name, address(n.Port), address(n.monitor), more)
	if dir != "" {
		text += fmt.Sprintf("jetstream { store_dir: %q, sync_interval: always, max_file_store: 4GB, domain: %q }\n", dir, domain)
	}
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		tb.Fatalf("write nats-server configuration: %v", err)
	}
	tb.Cleanup(n.client.CloseIdleConnections)
	return n
}

// URL for clients.
func (n *NATS) URL() string { return "nats://" + address(n.Port) }

// Address for clients, without a scheme.
func (n *NATS) Address() string { return address(n.Port) }

// Start starts the process; WaitReady says when it serves.
func (n *NATS) Start(tb testing.TB) {
	tb.Helper()
	n.process = Launch(tb, "nats-server "+n.Name, NATSServer(tb), []string{"-c", n.config}, os.Environ())
}

// Kill ends the process as kill -9 does.
func (n *NATS) Kill() { n.process.Kill() }

// Restart starts a process that was killed and waits until it serves.
func (n *NATS) Restart(tb testing.TB) {
	tb.Helper()
	n.Start(tb)
	n.WaitReady(tb)
}

// WaitReady waits until the server and its JetStream serve.
func (n *NATS) WaitReady(tb testing.TB) {
	tb.Helper()
	if !Eventually(natsLimit, n.ready) {
		tb.Fatalf("nats-server %s is not ready after %s", n.Name, natsLimit)
	}
}

func (n *NATS) ready() bool {
	answer, err := n.client.Get("http://" + address(n.monitor) + "/healthz")
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // nothing of it was read
	return answer.StatusCode == http.StatusOK
}

// StartCluster runs three servers with replicated JetStream. They serve when it
// returns. They do not tell clients of one another: a client with wires stays on
// them.
func StartCluster(tb testing.TB) []*NATS {
	tb.Helper()
	const size = 3
	var routes []string
	var ports []int
	for range size {
		port := Port(tb)
		ports = append(ports, port)
		routes = append(routes, fmt.Sprintf("%q", "nats://"+address(port)))
	}
	var cluster []*NATS
	for i, port := range ports {
		more := fmt.Sprintf("cluster { name: test, no_advertise: true, listen: %q, routes: [%s] }", address(port), strings.Join(routes, ", "))
		n := placeNATS(tb, fmt.Sprintf("n%d", i+1), tb.TempDir(), "", more)
		n.Start(tb)
		cluster = append(cluster, n)
	}
	for _, n := range cluster {
		n.WaitReady(tb)
	}
	waitForPeers(tb, cluster)
	return cluster
}

// waitForPeers waits until the servers of a new cluster place replicas on one
// another. A healthy server refuses ("peer offline") until the first statistics of
// its peers reach it, and shows nobody whether they have.
func waitForPeers(tb testing.TB, cluster []*NATS) {
	tb.Helper()
	conn := Connect(tb, URLs(cluster))
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		tb.Fatal(err)
	}
	probe := jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Storage: jetstream.MemoryStorage, Replicas: len(cluster)}
	Until(tb, natsLimit, "a cluster that takes replicas", func() bool {
		ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Second)
		defer cancel()
		_, err = js.CreateOrUpdateStream(ctx, probe)
		return err == nil
	})
	Until(tb, natsLimit, "a cluster without the probe", func() bool {
		ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Second)
		defer cancel()
		err = js.DeleteStream(ctx, probe.Name)
		return err == nil || errors.Is(err, jetstream.ErrStreamNotFound)
	})
}

// URLs of several servers, as BRIDGE_NATS_URL takes them.
func URLs(servers []*NATS) string {
	var urls []string
	for _, n := range servers {
		urls = append(urls, n.URL())
	}
	return strings.Join(urls, ",")
}

// Connect opens a client connection that waits for servers that are away and is
// closed at the end of the test.
func Connect(tb testing.TB, urls string, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	conn, err := nats.Connect(urls, append([]nats.Option{
		nats.Name(tb.Name()),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50 * time.Millisecond),
		nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.Timeout(2 * time.Second),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the default one prints
	}, opts...)...)
	if err != nil {
		tb.Fatalf("connect to NATS: %v", err)
	}
	tb.Cleanup(conn.Close)
	return conn
}
