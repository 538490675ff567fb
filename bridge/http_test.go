package bridge_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// readyz is the body of /readyz.
type readyz struct {
	Ready   bool
	Reasons []struct{ Condition, Reason string }
}

func (r *replica) readyz() (int, readyz) {
	r.b.t.Helper()
	status, body := r.get("/readyz")
	var z readyz
	if err := json.Unmarshal([]byte(body), &z); err != nil {
		r.b.t.Fatalf("/readyz: %v in %s", err, body)
	}
	if z.Ready != (status == http.StatusOK) || z.Ready != (len(z.Reasons) == 0) {
		r.b.t.Errorf("/readyz: %d with %s", status, body)
	}
	return status, z
}

// Ready means that commands are served: not before NATS is there, not while it
// is away, not while draining. Healthy is the process all the time.
func TestReadiness(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.miss()
	b.nats.Shutdown()
	r := b.launch()
	healthy := func(when string) {
		t.Helper()
		if status, _ := r.get("/healthz"); status != http.StatusOK {
			t.Errorf("/healthz answers %d %s", status, when)
		}
	}
	healthy("without NATS")
	if status, z := r.readyz(); status != http.StatusServiceUnavailable || len(z.Reasons) == 0 || z.Reasons[0].Reason == "" {
		t.Errorf("without NATS: %d, %+v", status, z)
	}
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	r.waitReady(http.StatusOK)
	healthy("when ready")
	b.waitConnected()
	b.start(order("a", terminal1))

	b.nats.Shutdown()
	r.waitReady(http.StatusServiceUnavailable)
	if _, z := r.readyz(); !strings.Contains(z.Reasons[0].Reason, "NATS") {
		t.Errorf("while NATS is away: %+v", z)
	}
	healthy("while NATS is away")
	if got := r.metric("pos_bridge_ready"); got != "0" {
		t.Errorf("pos_bridge_ready is %s", got)
	}
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	r.waitReady(http.StatusOK)
	if got := r.metric("pos_bridge_ready"); got != "1" {
		t.Errorf("pos_bridge_ready is %s", got)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized", "completed")
	b.do("pos.payment.get", `{}`).failed(schema.InvalidRequest)
	r.waitMetric("pos_bridge_sessions_active", "0")
	_, body := r.get("/metrics")
	for _, want := range []string{
		"pos_bridge_sessions_active 0", "pos_bridge_streams_connected ", "pos_bridge_failovers_total 0",
		`pos_bridge_status_published_total{source="stream",status="completed"} 1`,
		`pos_bridge_commands_total{code="ok",command="start"} 1`,
		`pos_bridge_commands_total{code="invalid_request",command="get"} 1`,
		`pos_bridge_stream_reconnects_total{reason="idle"} 0`,
		`pos_bridge_provider_requests_total{code="200",operation="create"} 1`,
		`pos_bridge_provider_requests_total{code="200",operation="stream"} 1`,
		`pos_bridge_provider_request_duration_seconds_count{operation="create"} 1`,
		"pos_bridge_delivery_latency_seconds_count ",
		`pos_bridge_build_info{commit="abcdef",goversion="go1.26",version="v1.2.3"} 1`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("/metrics has no line %s", want)
		}
	}
	if strings.Contains(body, apiKey) || strings.Contains(body, `="a"`) || strings.Contains(body, terminal1) {
		t.Error("/metrics names a key, an order or a terminal")
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run()
	if status, _ := r.get("/nothing-here"); status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
	resp, err := http.Post(r.url+"/healthz", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /healthz: got %d", resp.StatusCode)
	}
}

// What waiting does not mend ends the daemon with one line that says what to
// change.
func TestJetStreamThatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := setup(t, options{server: []natstest.Option{natstest.WithoutJetStream()}})
	r := b.launch()
	<-r.done
	if r.err == nil || !strings.Contains(r.err.Error(), "JetStream") || !strings.Contains(r.err.Error(), "jetstream") || strings.Contains(r.err.Error(), "\n") {
		t.Errorf("got %v, want one line that says how to switch JetStream on", r.err)
	}
}

// What a replica cannot use at its start is the configuration's fault: one line names
// the variable and shows no secret.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const shared = "groups:\n  - {id: one, api_key: key-one, terminals: [A1]}\n  - {id: two, api_key: key-two, terminals: [A1]}\n"
	for name, change := range map[string]func(*bridge.Config){
		"BRIDGE_HTTP_ADDR":            func(c *bridge.Config) { c.HTTP.Addr = taken.Addr().String() },
		"BRIDGE_WEBHOOK_ADDR":         func(c *bridge.Config) { c.Webhook.Addr = taken.Addr().String() },
		"BRIDGE_TERMINAL_GROUPS_FILE": withGroups(groupsFile(t, shared)),
	} {
		c, err := bridge.Defaults(apiKey)
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP.Addr = "127.0.0.1:0"
		change(&c)
		_, err = bridge.New(c, bridge.Build{}, quiet())
		if _, bad := errors.AsType[*bridge.ConfigError](err); !bad || !strings.Contains(err.Error(), name) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "key-") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
