package natsserver_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

func TestStartIsReadyAndShutdownLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), JetStream: true})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(t.Context()); err != nil {
		t.Errorf("JetStream: %v", err)
	}
	nc.Close()
	s.Shutdown()
	s.Shutdown() // a second one does nothing
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.URL(), "nats://"), time.Second); err == nil {
		conn.Close()
		t.Error("somebody still listens after Shutdown")
	}
	goleak.VerifyNone(t, ignore)
}

func TestRestartKeepsAddressAndMessages(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	back := make(chan struct{}, 1)
	nc := natstest.Connect(t, s.URL(), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	before := s.URL()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := s.URL(); got != before {
		t.Errorf("URL after restart: got %s, want %s", got, before)
	}
	select {
	case <-back:
	case <-time.After(10 * time.Second):
		t.Fatal("client did not reconnect")
	}
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 1 {
		t.Errorf("messages after restart: got %d, want 1", got)
	}
}

func TestStartFailsWithReason(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    natsserver.Options
		want string
	}{
		{"port taken", natsserver.Options{Port: taken.Addr().(*net.TCPAddr).Port}, "address already in use"},
		{"no folder", natsserver.Options{JetStream: true}, "folder"},
		{"folder is a file", natsserver.Options{JetStream: true, Dir: file}, "JetStream"},
		{"no such configuration", natsserver.Options{Config: file + ".conf"}, "configuration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := natsserver.Start(tt.o)
			if err == nil {
				s.Shutdown()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestWithoutJetStream(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t, natstest.WithoutJetStream())
	js, err := jetstream.New(natstest.Connect(t, s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(t.Context()); !errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		t.Errorf("got %v, want %v", err, jetstream.ErrJetStreamNotEnabled)
	}
}

func TestEveryInterface(t *testing.T) {
	t.Parallel()
	s, err := natsserver.Start(natsserver.Options{Host: "::"})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	t.Cleanup(s.Shutdown)
	if got := s.URL(); !strings.HasPrefix(got, "nats://127.0.0.1:") {
		t.Errorf("got %s, want an address that can be dialled", got)
	}
}

func TestLinesGoToLogger(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.InfoLevel)
	s, err := natsserver.Start(natsserver.Options{Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	if got := lines.FilterMessage("Server is ready").Len(); got != 1 {
		t.Errorf("lines %q: got %d times, want once", "Server is ready", got)
	}
}

func TestInProcessConnection(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	nc := natstest.Connect(t, "", nats.InProcessServer(s))
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestClusterReplicatesAndSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	c := natstest.RunCluster(t, 3)
	js, err := jetstream.New(natstest.Connect(t, c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	leader := c.Leader()
	leader.Shutdown()
	if err := c.WaitForLeader(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := c.Leader(); got == leader || got == nil {
		t.Errorf("leader after its end: got %v", got)
	}
	if err := leader.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitForLeader(30 * time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestClusterNeedsFolderAndSize(t *testing.T) {
	t.Parallel()
	if _, err := natsserver.StartCluster(0, natsserver.Options{Dir: t.TempDir()}); err == nil {
		t.Error("no servers: got no error")
	}
	if _, err := natsserver.StartCluster(3, natsserver.Options{}); err == nil {
		t.Error("no folder: got no error")
	}
}
