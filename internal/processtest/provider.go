package processtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
)

// ProviderKey is the API key of the one terminal group.
const ProviderKey = "process-test-key"

// Provider is the simulated provider behind a wire. It notes what it shows to
// whom: a replica is known by its User-Agent, see Bridge.
type Provider struct {
	*simulator.Simulator
	// Wire between the replicas and the provider.
	Wire *Wire

	mu      sync.Mutex
	answers []string
	shown   []Shown
}

// Shown is a status that went out on an event stream.
type Shown struct {
	Order, Status string
	// Replica whose stream it was.
	Replica string
	At      time.Time
}

// StartProvider runs a simulator with terminals of the given names. What the
// options leave out is filled in.
func StartProvider(tb testing.TB, o simulator.Options, terminals ...string) *Provider {
	tb.Helper()
	if o.Groups == nil {
		o.Groups = []simulator.Group{{ID: "1", APIKey: ProviderKey, Terminals: terminals}}
	}
	sim, err := simulator.New(o)
	if err != nil {
		tb.Fatalf("start simulator: %v", err)
	}
	p := &Provider{Simulator: sim}
	server := httptest.NewServer(p.watched(sim.Handler()))
	tb.Cleanup(func() {
		sim.Close() // first: an open event stream would keep the server from closing
		server.Close()
	})
	p.Wire = NewWire(tb, server.Listener.Addr().String())
	return p
}

// APIURL is what BRIDGE_API_URL takes. The event streams' address follows it.
func (p *Provider) APIURL() string { return "http://" + p.Wire.Address + "/v1/json" }

// CreateAnswers returns what was written in answer to creates: the events
// tokens are there, and nowhere else.
func (p *Provider) CreateAnswers() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.answers...)
}

// Shown returns everything that went out on event streams, in order.
func (p *Provider) Shown() []Shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Shown(nil), p.shown...)
}

// watched notes what the simulator writes.
func (p *Provider) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/v1/json/orders":
			w = &witness{w, p.noteAnswer}
		case r.URL.Path == "/events/stream/":
			_, replica, _ := strings.Cut(r.UserAgent(), "+")
			w = &witness{w, func(b []byte) { p.noteEvents(replica, b) }}
		}
		next.ServeHTTP(w, r)
	})
}

// witness is a ResponseWriter that tells of what was written.
type witness struct {
	http.ResponseWriter
	note func([]byte)
}

func (w *witness) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err == nil {
		w.note(b)
	}
	return n, err
}

// Unwrap is what http.ResponseController asks for.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (p *Provider) noteAnswer(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, string(b))
}

// noteEvents reads the order events in what was written at once. The simulator
// writes whole events; a huge or broken one is no status that was shown.
func (p *Provider) noteEvents(replica string, b []byte) {
	now := time.Now()
	for line := range bytes.Lines(b) {
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		var event struct {
			Order  string `json:"order_id"`
			Status string `json:"status"`
		}
		if !ok || json.Unmarshal(data, &event) != nil || event.Order == "" || event.Status == "" {
			continue
		}
		p.mu.Lock()
		p.shown = append(p.shown, Shown{Order: event.Order, Status: event.Status, Replica: replica, At: now})
		p.mu.Unlock()
	}
}
