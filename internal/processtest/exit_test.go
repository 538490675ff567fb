package processtest_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// exitLimit is how long a process that has no reason to wait may take to end.
const exitLimit = 30 * time.Second

// A configuration that cannot be used ends the program with 78 and one line that
// names the variable, whatever NATS and the provider are doing. The tests of package
// bridge have all the cases.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	program := processtest.Bridge(t, "0.0.0+a")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	groups := filepath.Join(t.TempDir(), "groups.yaml")
	const secret = "sk-do-not-print-me"
	write(t, groups, "groups:\n- {id: a, api_key: "+secret+", terminals: [T1]}\n- {id: b, api_key: other-"+secret+", terminals: [T1]}\n")
	tests := []struct {
		variable string // what the line must name
		env      processtest.Env
	}{
		{"BRIDGE_API_KEY", processtest.Env{"API_KEY": ""}},
		{"BRIDGE_API_KEY", processtest.Env{"API_KEY": secret + "\nx"}},
		{"BRIDGE_API_KEY_FILE", processtest.Env{"API_KEY": "", "API_KEY_FILE": "/missing"}},
		{"BRIDGE_TERMINAL_GROUPS_FILE", processtest.Env{"API_KEY": "", "TERMINAL_GROUPS_FILE": groups}},
		{"BRIDGE_NATS_CREDS_FILE", processtest.Env{"NATS_CREDS_FILE": "/missing"}},
		{"BRIDGE_NATS_URL", processtest.Env{"NATS_URL": "nats://user:" + secret + "@127.0.0.1:99999"}},
		{"BRIDGE_API_URL", processtest.Env{"API_URL": "https://api.example.com/?api_key=" + secret}},
		{"BRIDGE_HTTP_ADDR", processtest.Env{"HTTP_ADDR": taken.Addr().String()}},
		{"BRIDGE_START_DEADLINE", processtest.Env{"SESSION_TIMEOUT": "30s", "START_DEADLINE": "31s"}},
		{"BRIDGE_REPLICA_TTL", processtest.Env{"REPLICA_TTL": "1s"}},
		{"BRIDGE_REQUEST_TIMEOUT", processtest.Env{"REQUEST_TIMEOUT": "soon"}},
	}
	base := processtest.Env{"HTTP_ADDR": "127.0.0.1:0", "API_KEY": secret, "NATS_URL": "nats://127.0.0.1:1", "API_URL": "http://127.0.0.1:1"}
	for _, tt := range tests {
		t.Run(tt.variable, func(t *testing.T) {
			t.Parallel()
			p := processtest.RunBridge(t, program, base.With(tt.env), "serve")
			if code := p.WaitExit(t, exitLimit); code != 78 {
				t.Errorf("exit code %d, want 78", code)
			}
			lines := slices.Collect(strings.Lines(p.Output()))
			if len(lines) != 1 || !strings.Contains(p.Output(), tt.variable) {
				t.Errorf("output %q, want one line that names %s", p.Output(), tt.variable)
			}
			if strings.Contains(p.Output(), secret) {
				t.Errorf("output %q shows a secret", p.Output())
			}
		})
	}
}

// What waiting does not repair ends the program with 1 and a line that says what
// to change. The tests of package bus have all the cases.
func TestUnfitJetStream(t *testing.T) {
	t.Parallel()
	program := processtest.Bridge(t, "0.0.0+a")
	t.Run("retention", func(t *testing.T) {
		t.Parallel()
		s := processtest.NewScene(t, processtest.SceneOptions{})
		js, err := jetstream.New(s.Conn)
		if err == nil {
			_, err = js.CreateStream(processtest.Context(t), jetstream.StreamConfig{Name: "POS_SESSIONS", Subjects: []string{"pos.*.session"}, Storage: jetstream.FileStorage})
		}
		if err != nil {
			t.Fatal(err)
		}
		ended(t, processtest.RunBridge(t, program, s.Env("a"), "serve"), "POS_SESSIONS", "retention")
	})
	t.Run("JetStream switched off", func(t *testing.T) {
		t.Parallel()
		config := filepath.Join(t.TempDir(), "nats-server.conf")
		n := processtest.PlaceNATS(t)
		write(t, config, "listen: \""+n.Address()+"\"\n")
		processtest.Launch(t, "nats-server", processtest.NATSServer(t), []string{"-c", config}, os.Environ())
		env := processtest.Quick().With(processtest.Env{"NATS_URL": n.URL(), "API_URL": "http://127.0.0.1:1", "API_KEY": "k"})
		ended(t, processtest.RunBridge(t, program, env, "serve"), "JetStream", "switched off")
	})
}

// ended waits for exit code 1 and compares the one line for people with what it
// must say; the other lines are the log's.
func ended(t *testing.T, p *processtest.Process, want ...string) {
	t.Helper()
	if code := p.WaitExit(t, exitLimit); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	var lines []string
	for line := range strings.Lines(p.Output()) {
		if !json.Valid([]byte(line)) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines for people, want 1: %q", len(lines), lines)
	}
	for _, w := range want {
		if !strings.Contains(lines[0], w) {
			t.Errorf("line %q, want it to name %q", lines[0], w)
		}
	}
}

// Both signals end the program with 0, before and after it serves.
func TestSignals(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := processtest.NewScene(t, processtest.SceneOptions{})
			r := s.Serve(t, "a")
			r.Signal(signal)
			if code := r.WaitExit(t, exitLimit); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
		t.Run(name+" while NATS is away", func(t *testing.T) {
			t.Parallel()
			env := processtest.Quick().With(processtest.Env{"NATS_URL": processtest.PlaceNATS(t).URL(), "API_URL": "http://127.0.0.1:1", "API_KEY": "k"})
			r := processtest.Serve(t, processtest.Bridge(t, "0.0.0+a"), "a", env)
			r.Signal(signal)
			if code := r.WaitExit(t, exitLimit); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

// A drain waits for a start that the provider does not answer; a second signal
// does not.
func TestSecondSignalCutsDrainShort(t *testing.T) {
	t.Parallel()
	s := processtest.NewScene(t, processtest.SceneOptions{Env: processtest.Env{
		"REQUEST_TIMEOUT": "2m", "DRAIN_TIMEOUT": "2m", "START_DEADLINE": "3m",
	}})
	if _, err := s.Provider.SetFault(simulator.Fault{Name: simulator.FaultLoseCreateAnswer, Mode: simulator.LoseByHang}); err != nil {
		t.Fatal(err)
	}
	r := s.Serve(t, "a")
	body, err := json.Marshal(processtest.NewStart(s.Terminals[0], "order-1", "wait"))
	if err == nil {
		err = s.Conn.Publish("pos.payment.start", body)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Provider.WaitOrder(processtest.Context(t), "order-1", func(simulator.Order) bool { return true }); err != nil {
		t.Fatal(err)
	}
	r.Signal(syscall.SIGTERM)
	processtest.Until(t, exitLimit, "the replica drains", func() bool {
		status, body, err := r.Get("/readyz")
		return err == nil && status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	if status, _, err := r.Get("/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz while draining: %d, %v; want 200", status, err)
	}
	if !r.Running() {
		t.Fatal("the drain did not wait")
	}
	second := time.Now()
	r.Signal(syscall.SIGTERM)
	r.WaitExit(t, exitLimit)
	t.Logf("ended %s after the second signal", time.Since(second).Round(time.Millisecond))
}
