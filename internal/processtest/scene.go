package processtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/simulator"
)

// slack is how long a healthy replica may take between reading an event and
// knowing it stored, on a machine that is busy with everything else.
const slack = time.Second

// SceneOptions say what a scene is made of.
type SceneOptions struct {
	// Cluster asks for three servers with replicated streams instead of one.
	Cluster bool
	// Leaf asks for a server and a leaf node of it. Replicas connect to the leaf node,
	// the auditor and the tills to the server.
	Leaf bool
	// Terminals is how many there are; 1 when zero.
	Terminals int
	// Provider is passed on to the simulator.
	Provider simulator.Options
	// Env goes over Quick.
	Env Env
	// Dir is where the only server of NATS keeps its files; empty is any place.
	Dir string
	// NATSWires puts wires between each replica and the servers of NATS.
	NATSWires bool
}

// Scene is a whole installation: NATS, the provider, replicas, and an auditor
// who listened from the beginning.
type Scene struct {
	NATS []*NATS
	// Leaf is the leaf node, nil if there is none.
	Leaf     *NATS
	Provider *Provider
	Auditor  *Auditor
	// Conn is the tills' connection.
	Conn *nats.Conn
	// Terminals by name.
	Terminals []string

	tb  testing.TB
	env Env

	mu        sync.Mutex
	natsWires map[string][]*Wire
	troubles  []*trouble
	paused    map[string]time.Time
}

// trouble is a time in which replicas could not publish.
type trouble struct{ from, to time.Time }

// NewScene starts everything but the replicas.
func NewScene(tb testing.TB, o SceneOptions) *Scene {
	tb.Helper()
	s := &Scene{tb: tb, env: Quick().With(o.Env), paused: map[string]time.Time{}}
	if o.NATSWires {
		s.natsWires = map[string][]*Wire{}
	}
	for i := range max(o.Terminals, 1) {
		s.Terminals = append(s.Terminals, fmt.Sprintf("T%05d", i+1))
	}
	switch {
	case o.Cluster:
		s.NATS = StartCluster(tb)
		if s.env["JETSTREAM_REPLICAS"] == "" {
			s.env["JETSTREAM_REPLICAS"] = "3"
		}
	case o.Leaf:
		hub, leaf := StartLeaf(tb)
		s.NATS, s.Leaf = []*NATS{hub}, leaf
		s.env["NATS_JS_DOMAIN"] = "hub"
	case o.Dir != "":
		s.NATS = []*NATS{StartNATS(tb, o.Dir)}
	default:
		s.NATS = []*NATS{StartNATS(tb, tb.TempDir())}
	}
	s.Provider = StartProvider(tb, o.Provider, s.Terminals...)
	s.Conn = Connect(tb, URLs(s.NATS))
	s.Auditor = StartAuditor(tb, Connect(tb, URLs(s.NATS)), s.Provider)
	return s
}

// Env is the configuration that a replica of this scene gets.
func (s *Scene) Env(id string) Env {
	env := s.env.With(Env{"API_URL": s.Provider.APIURL(), "NATS_URL": URLs(s.NATS)})
	if env["API_KEY"] == "" && env["API_KEY_FILE"] == "" && env["TERMINAL_GROUPS_FILE"] == "" {
		env["API_KEY"] = ProviderKey
	}
	if s.Leaf != nil {
		env["NATS_URL"] = s.Leaf.URL()
	}
	if s.natsWires != nil {
		var urls []string
		for _, w := range s.wires(id) {
			urls = append(urls, "nats://"+w.Address)
		}
		env["NATS_URL"] = strings.Join(urls, ",")
	}
	return env
}

// wires are those between a replica and the servers of NATS, in a scene that has
// them.
func (s *Scene) wires(id string) []*Wire {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.natsWires[id] == nil {
		for _, n := range s.NATS {
			s.natsWires[id] = append(s.natsWires[id], NewWire(s.tb, n.Address()))
		}
	}
	return s.natsWires[id]
}

// Version is what the tested program is told to call itself.
const Version = "0.0.0"

// Serve starts a replica and waits until it serves.
func (s *Scene) Serve(tb testing.TB, id string) *Replica {
	tb.Helper()
	return s.ServeVersion(tb, id, Version)
}

// ServeVersion is Serve with another version stamped into the program.
func (s *Scene) ServeVersion(tb testing.TB, id, version string) *Replica {
	tb.Helper()
	r := Serve(tb, Bridge(tb, version+"+"+id), id, s.Env(id))
	r.WaitReady(tb)
	return r
}

// Kill kills a replica as kill -9 does. What it saw shortly before, or while it
// could not publish, is excused.
func (s *Scene) Kill(r *Replica) {
	from := s.sinceTrouble(time.Now().Add(-slack))
	r.Kill()
	s.Auditor.Excuse(Excuse{Replica: r.ID, From: from, To: time.Now().Add(slack)})
}

// Pause stops a replica without its knowledge.
func (s *Scene) Pause(r *Replica) {
	s.mu.Lock()
	s.paused[r.ID] = time.Now().Add(-slack)
	s.mu.Unlock()
	r.Pause()
}

// Resume lets a paused replica go on. What it was sent meanwhile is excused:
// another replica may have taken its sessions over.
func (s *Scene) Resume(r *Replica) {
	s.mu.Lock()
	from := s.paused[r.ID]
	delete(s.paused, r.ID)
	s.mu.Unlock()
	s.Auditor.Excuse(Excuse{Replica: r.ID, From: s.sinceTrouble(from), To: time.Now().Add(slack)})
	r.Resume()
}

// Isolate breaks the wires between a replica and NATS until the returned function
// is called. What the replica sees meanwhile is excused: another replica may take
// its sessions over.
func (s *Scene) Isolate(r *Replica, how func(*Wire)) (mend func()) {
	return s.breakWires(r.ID, s.wires(r.ID), how)
}

// ProviderAway breaks the wire to the provider until the returned function is
// called. What the provider sends meanwhile does not arrive.
func (s *Scene) ProviderAway(how func(*Wire)) (back func()) {
	return s.breakWires("", []*Wire{s.Provider.Wire}, how)
}

func (s *Scene) breakWires(replica string, wires []*Wire, how func(*Wire)) (mend func()) {
	from := time.Now().Add(-slack)
	for _, w := range wires {
		how(w)
	}
	return func() {
		for _, w := range wires {
			w.Mend()
		}
		s.Auditor.Excuse(Excuse{Replica: replica, From: s.sinceTrouble(from), To: time.Now().Add(slack)})
	}
}

// NATSAway notes that nobody can publish until the returned function is called.
// It excuses nothing by itself: replicas that live keep what they saw.
func (s *Scene) NATSAway() (back func()) {
	t := &trouble{from: time.Now()}
	s.mu.Lock()
	s.troubles = append(s.troubles, t)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.to = time.Now()
	}
}

// sinceTrouble moves a moment back to the beginning of a trouble that had not
// ended then, or not for long: events wait for NATS in the replica's memory.
func (s *Scene) sinceTrouble(at time.Time) time.Time {
	const settle = 15 * time.Second
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.troubles {
		if (t.to.IsZero() || t.to.Add(settle).After(at)) && t.from.Before(at) {
			at = t.from.Add(-slack)
		}
	}
	return at
}

// Close ends every scene in which payments were made: no terminal is locked, and
// the audit finds nothing. It waits for amounts charged that are still to be published.
func (s *Scene) Close(tb testing.TB) Report {
	tb.Helper()
	s.Auditor.WaitRest(tb, replicaLimit)
	var r Report
	Eventually(patience, func() bool {
		r = s.Auditor.Audit(tb)
		return r.Owed == 0
	})
	s.mu.Lock()
	r.ServerKilled = len(s.troubles) > 0
	s.mu.Unlock()
	r.Check(tb)
	return r
}

// Context is one that ends with the test, or after a time that no step of a
// test should take.
func Context(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	tb.Cleanup(cancel)
	return ctx
}
