package processtest

import (
	"context"
	"fmt"
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
	// Terminals is how many there are; 1 when zero.
	Terminals int
	// Provider is passed on to the simulator.
	Provider simulator.Options
	// Env goes over Quick.
	Env Env
	// Disk is where the only server of NATS keeps its files; nil is any.
	Disk *Disk
	// NATSWires puts a wire between each replica and NATS.
	NATSWires bool
}

// Scene is a whole installation: NATS, the provider, replicas, and an auditor
// who listened from the beginning.
type Scene struct {
	NATS     []*NATS
	Provider *Provider
	Auditor  *Auditor
	// Conn is the tills' connection.
	Conn *nats.Conn
	// Terminals by name.
	Terminals []string

	tb  testing.TB
	env Env

	mu        sync.Mutex
	natsWires map[string]*Wire
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
		s.natsWires = map[string]*Wire{}
	}
	for i := range max(o.Terminals, 1) {
		s.Terminals = append(s.Terminals, fmt.Sprintf("T%05d", i+1))
	}
	switch {
	case o.Cluster:
		s.NATS = StartCluster(tb)
		s.env["JETSTREAM_REPLICAS"] = "3"
	case o.Disk != nil:
		s.NATS = []*NATS{startNATS(tb, o.Disk.Dir)}
	default:
		s.NATS = []*NATS{StartNATS(tb)}
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
	if s.natsWires != nil {
		env["NATS_URL"] = "nats://" + s.NATSWire(id).Address
	}
	return env
}

// NATSWire is the wire between a replica and NATS, in a scene that has them.
func (s *Scene) NATSWire(id string) *Wire {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.natsWires[id]
	if w == nil {
		w = NewWire(s.tb, s.NATS[0].Address())
		s.natsWires[id] = w
	}
	return w
}

// Serve starts a replica of the present sources and waits until it serves.
func (s *Scene) Serve(tb testing.TB, id string) *Replica {
	tb.Helper()
	return s.ServeVersion(tb, id, Present)
}

// ServeVersion is Serve with another version of the program.
func (s *Scene) ServeVersion(tb testing.TB, id string, v Version) *Replica {
	tb.Helper()
	r := Serve(tb, bridge(tb, v.sources, v.Name+"+"+id), id, s.Env(id))
	r.WaitReady(tb)
	return r
}

// Kill kills a replica as kill -9 does. What it was shown shortly before, or
// while it could not publish, is excused.
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

// Resume lets a paused replica go on. What it was shown meanwhile is excused:
// its sessions may have been another's by then.
func (s *Scene) Resume(r *Replica) {
	s.mu.Lock()
	from := s.paused[r.ID]
	delete(s.paused, r.ID)
	s.mu.Unlock()
	s.Auditor.Excuse(Excuse{Replica: r.ID, From: s.sinceTrouble(from), To: time.Now().Add(slack)})
	r.Resume()
}

// Isolate has the wire between a replica and NATS broken for as long as the
// returned function is not called. What the replica is shown meanwhile is
// excused: it cannot keep a session that is taken from it.
func (s *Scene) Isolate(r *Replica, how func(*Wire)) (mend func()) {
	return s.breakWire(r.ID, s.NATSWire(r.ID), how)
}

// ProviderAway has the wire to the provider broken for as long as the returned
// function is not called. What the provider sends meanwhile does not arrive.
func (s *Scene) ProviderAway(how func(*Wire)) (back func()) {
	return s.breakWire("", s.Provider.Wire, how)
}

func (s *Scene) breakWire(replica string, wire *Wire, how func(*Wire)) (mend func()) {
	from := time.Now().Add(-slack)
	how(wire)
	return func() {
		wire.Mend()
		s.Auditor.Excuse(Excuse{Replica: replica, From: s.sinceTrouble(from), To: time.Now().Add(slack)})
	}
}

// NATSAway notes that nobody can publish until the returned function is called.
// It excuses nothing by itself: replicas that live keep what they were shown.
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

// Close is the end of every scene that payments were made in: all sessions are
// at rest, and the audit finds nothing.
func (s *Scene) Close(tb testing.TB) Report {
	tb.Helper()
	s.Auditor.WaitRest(tb, replicaLimit)
	r := s.Auditor.Audit(tb)
	s.mu.Lock()
	r.EchoesAllowed = len(s.NATS) > 1 && len(s.troubles) > 0
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
