package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/subjects"
)

// Wrong credentials at the very start are told apart from a refusal that passes:
// an established connection outlives a server that lets nobody in for a while.
func TestRefusedByAuthorization(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "nats.conf")
	password := func(p string) {
		text := fmt.Sprintf("host: 127.0.0.1, port: -1, authorization { users: [ { user: u, password: %s } ] }", p)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	password("right")
	server := natstest.Run(t, natstest.WithoutJetStream(), natstest.WithConfigFile(config))
	type heard struct{ connected, refused, unauthorized, lost, closed chan error }
	connect := func(password string) heard {
		h := heard{make(chan error, 99), make(chan error, 99), make(chan error, 99), make(chan error, 99), make(chan error, 99)}
		tell := func(c chan error) func(error) {
			return func(err error) {
				select {
				case c <- err:
				default:
				}
			}
		}
		b, err := bus.Connect(bus.Options{
			URLs: strings.Replace(server.URL(), "//", "//u:"+password+"@", 1), Space: subjects.Default(),
			Events: bus.ConnectionEvents{
				Connected: func(string) { tell(h.connected)(nil) }, Refused: tell(h.refused),
				Unauthorized: tell(h.unauthorized), Disconnected: tell(h.lost), Closed: tell(h.closed),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close(context.Background()) })
		return h
	}
	server.Shutdown()
	late := connect("wrong") // the server comes later
	receive(t, late.refused)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	receive(t, late.unauthorized)
	wrong := connect("wrong")
	if err := receive(t, wrong.unauthorized); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("got %v, want an authorization error", err)
	}
	right := connect("right")
	receive(t, right.connected)
	reload := func(p string) {
		password(p)
		if err := server.Server().Reload(); err != nil {
			t.Fatal(err)
		}
	}
	reload("changed")
	receive(t, right.lost)
	for range 5 { // twice is enough to make nats.go give up by default
		receive(t, right.refused)
	}
	reload("right")
	receive(t, right.connected)
	if len(right.unauthorized)+len(right.closed) > 0 {
		t.Error("passing trouble looks like wrong credentials, or ended the connection")
	}
}

// The bridge can start its TLS handshake before the server speaks.
func TestTLSFirst(t *testing.T) {
	t.Parallel()
	files := newFiles(t)
	server := natstest.Run(t, natstest.WithConfig(strings.Replace(files.tls(false), "tls {", "tls { handshake_first: true,", 1)))
	b := connect(t, bus.Options{URLs: fmt.Sprintf("tls://127.0.0.1:%d", server.Port()), CAFile: files.ca, TLSFirst: true})
	receive(t, b.connected)
	if s := must(b.Server())(t); !s.TLS {
		t.Errorf("got %+v, want TLS", s)
	}
}

// NATS over WebSocket may be behind a proxy, under a path.
func TestWebSocketUnderAPath(t *testing.T) {
	t.Parallel()
	config := natstest.WithConfig(`websocket { host: 127.0.0.1, port: -1, no_tls: true }`)
	server := natstest.Run(t, config)
	paths := make(chan string, 99)
	target := must(url.Parse(strings.Replace(server.Server().WebsocketURL(), "ws", "http", 1)))(t)
	handler := http.StripPrefix("/bus/nats", httputil.NewSingleHostReverseProxy(target))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	b := setup(t, server.URL(), func(o *bus.Options) {
		o.URLs = strings.Replace(proxy.URL, "http", "ws", 1) + "/bus/nats"
	})
	if path := receive(t, paths); path != "/bus/nats" {
		t.Errorf("connected at %s", path)
	}
	if path := b.Conn().Opts.ProxyPath; path != "/bus/nats" {
		t.Errorf("connects to further servers at %q", path)
	}
	b.ensure()
}

// A replica that had trouble with NATS itself must not judge the others.
func TestCalmEndsWithTrouble(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := ready(t, server.URL())
	began := b.LastTrouble()
	must(b.Enqueue(t.Context(), session("T1", "A")))(t)
	if _, err := b.AskReplica(t.Context(), "nobody", nil); !errors.Is(err, bus.ErrNoResponders) {
		t.Errorf("got %v, want no responders", err)
	}
	if !b.LastTrouble().Equal(began) || b.Calm() <= 0 {
		t.Error("what worked counts as trouble")
	}
	if err := b.js.DeleteStream(t.Context(), "POS_SESSIONS"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "A")); err == nil {
		t.Error("queued without a queue")
	}
	if !b.LastTrouble().After(began) {
		t.Error("a publish that nobody answered is no trouble")
	}
	server.Shutdown()
	until(t, func() bool { return !b.Connected() })
	if b.Calm() != 0 {
		t.Error("calm without a connection")
	}
	before := time.Now()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, b.Connected)
	until(t, func() bool { return b.LastTrouble().After(before) }) // it ended with the reconnect
}

// After the leader of everything was lost, the log and the queue go on, and
// nothing is stored twice.
func TestALostLeader(t *testing.T) {
	t.Parallel()
	cluster := natstest.RunCluster(t, 3)
	b := ready(t, cluster.URL(), func(o *bus.Options) { o.Replicas = 3 })
	got, _ := deliveries(t, b.Bus)
	must(b.Enqueue(t.Context(), session("T2", "B")))(t)
	receive(t, got) // from here on sessions are delivered
	last := appendAnyway(t, b, status("A", "initialized", 1), 0)
	leader := must(b.js.Stream(t.Context(), "POS_STATUS"))(t).CachedInfo().Cluster.Leader
	for _, server := range cluster {
		if server.Server().Name() == leader {
			server.Shutdown()
		}
	}
	for i := range uint64(20) {
		last = appendAnyway(t, b, status("A", "initialized", i+2), last)
	}
	until(t, func() bool {
		_, err := b.Enqueue(t.Context(), session("T1", "A"))
		return err == nil || errors.Is(err, bus.ErrConflict)
	})
	receive(t, got)
	log := must(b.ReadLog(t.Context(), "T1", "A", true))(t)
	for i, s := range log.Statuses {
		if s.Event.Sequence != uint64(i+1) {
			t.Fatalf("status %d has sequence %d", i+1, s.Event.Sequence)
		}
	}
	if len(log.Statuses) != 21 || log.Last != last {
		t.Errorf("%d statuses, last %d, want 21 and %d", len(log.Statuses), log.Last, last)
	}
}
