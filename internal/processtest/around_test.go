package processtest_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"syscall"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// prompt is how long what needs neither collector nor provider may take on a busy
// machine. The limits of both are longer.
const prompt = 2 * time.Second

// drainLimit is DRAIN_TIMEOUT and the time for the last spans.
const drainLimit = 13 * time.Second

// A trace collector that accepts spans and never answers delays no answer, no status
// and no hand-over. Neither does a proxy to the provider, for everything that the
// provider is not needed for.
func TestSilentCollectorAndProxyDelayNothing(t *testing.T) {
	t.Parallel()
	ctx := processtest.Context(t)
	s := processtest.NewScene(t, processtest.SceneOptions{Terminals: 3})
	collector := processtest.NewWire(t, s.NATS[0].Address())
	collector.HalfOpen()
	forward := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", s.Provider.Wire.Address, r.In.Host
	}})
	t.Cleanup(forward.Close)
	proxy := processtest.NewWire(t, forward.Listener.Addr().String())
	env := processtest.Env{
		"API_URL": "http://provider.example/v1/json", "HTTP_PROXY": "http://" + proxy.Address, "REQUEST_TIMEOUT": "3s", "START_DEADLINE": "5s", "IDLE_TIMEOUT": "60s",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + collector.Address,
	}
	serve := func(id string) *processtest.Replica {
		r := processtest.Serve(t, processtest.Bridge(t, processtest.Version+"+"+id), id, s.Env(id).With(env))
		r.WaitReady(t)
		return r
	}
	a := serve("a")
	within := func(what string, limit time.Duration, do func()) {
		t.Helper()
		began := time.Now()
		do()
		took := time.Since(began)
		t.Logf("%s: %s", what, took.Round(time.Millisecond))
		if took > limit {
			t.Errorf("%s took %s, want at most %s", what, took, limit)
		}
	}
	ask := func(command, terminal, order string, limit time.Duration) (r processtest.Reply) {
		t.Helper()
		within(command+" of "+order, limit, func() {
			var err error
			request := any(map[string]string{"terminal_id": terminal, "order_id": order})
			if command == "start" {
				request = processtest.NewStart(terminal, order, string(simulator.WaitForHand))
			}
			if r, err = processtest.Ask(ctx, s.Conn, "pos.payment."+command, request, time.Minute); err != nil {
				t.Fatal(err)
			}
		})
		return r
	}
	if r := ask("start", "T00001", "first", prompt); r.Error != nil {
		t.Fatalf("start: %+v", r.Error)
	}
	within("the status", prompt, func() {
		if _, err := s.Provider.Act("T00001", simulator.ActTap); err != nil {
			t.Error(err)
		}
		if _, err := s.Auditor.WaitHeard(ctx, "first", "initialized"); err != nil {
			t.Error(err)
		}
	})

	proxy.HalfOpen()
	if r := ask("get", "T00001", "first", prompt); r.Error != nil || r.Status != "initialized" {
		t.Errorf("get: %+v", r)
	}
	ask("list", "", "", prompt)
	if r := ask("start", "T00002", "second", 5*time.Second+prompt); r.Error == nil || !r.Error.Retryable {
		t.Errorf("start: %+v, want a retryable error", r)
	}
	if status, _, err := a.Get("/readyz"); err != nil || status != http.StatusOK {
		t.Errorf("/readyz: %d, %v", status, err)
	}
	b := serve("b") // starts without the provider
	within("the drain", drainLimit, func() {
		a.Signal(syscall.SIGTERM)
		if code := a.WaitExit(t, exitLimit); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	if r := ask("get", "T00001", "first", prompt); r.Error != nil || r.Status != "initialized" {
		t.Errorf("get: %+v", r)
	}
	proxy.Mend()
	for order, terminal := range map[string]string{"first": "T00001", "third": "T00003"} {
		if order == "third" {
			if r := ask("start", terminal, order, 5*time.Second); r.Error != nil {
				t.Errorf("start: %+v", r.Error)
			}
		}
		if _, err := s.Provider.Act(terminal, simulator.ActApprove); err != nil {
			t.Error(err)
		}
		if _, err := s.Auditor.WaitHeard(ctx, order, "completed"); err != nil {
			t.Error(err)
		}
	}
	within("the end", drainLimit, func() { b.Drain(t) })
}
