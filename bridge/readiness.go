package bridge

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/posbridge/bridge/internal/overview"
	"github.com/posbridge/bridge/internal/telemetry"
)

// readiness knows why commands cannot be served right now, by condition. It is
// ready when there is no reason left.
type readiness struct {
	metrics *telemetry.Metrics
	mu      sync.Mutex
	reasons map[string]string
}

// The conditions of being ready.
const (
	condNATS     = "nats"
	condObjects  = "jetstream"
	condSessions = "sessions"
	condWrites   = "writes"
	condStatuses = "statuses"
	condSweep    = "sweep"
	condService  = "service"
	condDraining = "draining"
)

func newReadiness(m *telemetry.Metrics) *readiness {
	r := &readiness{metrics: m, reasons: map[string]string{
		condNATS:    "not connected to NATS yet",
		condObjects: "the JetStream objects have not been checked yet",
		condService: "commands are not served yet",
	}}
	m.SetReady(false)
	return r
}

// set notes why a condition fails; an empty reason means that it holds.
func (r *readiness) set(condition, reason string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.reasons[condition]
	if reason == "" {
		delete(r.reasons, condition)
	} else {
		r.reasons[condition] = reason
	}
	r.metrics.SetReady(len(r.reasons) == 0)
	return before != reason
}

// forPage is how the parts of the replica are, as the console shows them.
func (r *readiness) forPage() overview.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := overview.State{NATS: r.reasons[condNATS], Service: r.reasons[condService], Stopping: r.reasons[condDraining] != ""}
	for _, c := range []string{condObjects, condWrites, condSessions, condStatuses, condSweep} {
		if s.JetStream == "" {
			s.JetStream = r.reasons[c]
		}
	}
	return s
}

// state is the body of /readyz.
type state struct {
	Ready   bool     `json:"ready"`
	Reasons []reason `json:"reasons"`
}

type reason struct {
	Condition string `json:"condition"`
	Reason    string `json:"reason"`
}

// ServeHTTP answers /readyz: 200 when commands are served, else 503 with the reasons.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	s := state{Ready: len(r.reasons) == 0, Reasons: []reason{}}
	for _, c := range slices.Sorted(maps.Keys(r.reasons)) {
		s.Reasons = append(s.Reasons, reason{c, r.reasons[c]})
	}
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !s.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(s) // the asker has gone
}
