package processtest

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Fleet is the replicas of a scene under load: each place is taken again by a
// new process after its replica was killed or drained.
type Fleet struct {
	*Scene
	tb       testing.TB
	replicas map[string]*Replica
	versions map[string]string // of the next process in a place; Version if there is none
	struck   map[string]int    // faults by name
}

// NewFleet is a fleet without replicas: Start starts them.
func (s *Scene) NewFleet(tb testing.TB) *Fleet {
	return &Fleet{Scene: s, tb: tb, replicas: map[string]*Replica{}, versions: map[string]string{}, struck: map[string]int{}}
}

// Start starts a replica in an empty place, and waits until it serves.
func (f *Fleet) Start(id string) {
	f.tb.Helper()
	f.replicas[id] = f.ServeVersion(f.tb, id, cmp.Or(f.versions[id], Version))
}

// Upgrade drains the replica in a place and starts one of another version there.
func (f *Fleet) Upgrade(id, version string) {
	f.tb.Helper()
	f.versions[id] = version
	if r := f.replicas[id]; r != nil {
		r.Drain(f.tb)
	}
	f.Start(id)
}

// WaitIdle waits until no replica follows anything any more.
func (f *Fleet) WaitIdle() {
	f.tb.Helper()
	for _, r := range f.replicas {
		Until(f.tb, replicaLimit, "replica "+r.ID+" follows nothing", func() bool {
			return r.Metric(f.tb, "pos_bridge_sessions_active", "") == 0 && r.Metric(f.tb, "pos_bridge_streams_connected", "") == 0
		})
	}
}

// any draws a replica.
func (f *Fleet) any(dice *rand.Rand) *Replica {
	ids := slices.Sorted(maps.Keys(f.replicas))
	return f.replicas[ids[dice.IntN(len(ids))]]
}

// Fault breaks something, waits, and mends it again. It runs in the test's own
// goroutine.
type Fault struct {
	Name   string
	Strike func(ctx context.Context, f *Fleet, dice *rand.Rand)
}

// Strike lets so many faults happen, with random times between them. Each of those
// given strikes as often as the others, in random order.
func (f *Fleet) Strike(ctx context.Context, dice *rand.Rand, n int, faults ...Fault) {
	f.tb.Helper()
	var round []int
	for range n {
		Pass(ctx, dice, 0, 1500*time.Millisecond)
		if len(round) == 0 {
			round = dice.Perm(len(faults))
		}
		fault := faults[round[0]]
		round = round[1:]
		f.struck[fault.Name]++
		fault.Strike(ctx, f, dice)
		if ctx.Err() != nil || f.tb.Failed() {
			return
		}
	}
}

// ReplicaKilled kills a replica and starts another process in its place.
var ReplicaKilled = Fault{"replica killed", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	r := f.any(dice)
	f.Kill(r)
	Pass(ctx, dice, 0, 2*time.Second)
	f.Start(r.ID)
}}

// ReplicaPaused stops a replica for longer than it may be silent.
var ReplicaPaused = Fault{"replica paused", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	r := f.any(dice)
	f.Pause(r)
	Pass(ctx, dice, 1500*time.Millisecond, 6*time.Second)
	f.Resume(r)
}}

// ReplicaDrained stops a replica in order and starts another process.
var ReplicaDrained = Fault{"replica drained", func(_ context.Context, f *Fleet, dice *rand.Rand) {
	r := f.any(dice)
	r.Drain(f.tb)
	f.Start(r.ID)
}}

// NATSKilled kills one nats-server, the only one or any, and starts it again.
var NATSKilled = Fault{"nats-server killed", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	f.killNATS(ctx, dice, f.NATS[dice.IntN(len(f.NATS))])
}}

// LeafKilled kills the leaf node, in a scene that has one.
var LeafKilled = Fault{"leaf node killed", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	f.killNATS(ctx, dice, f.Leaf)
}}

// LeaderKilled kills the server that leads one of the bridge's streams, or their
// consumer.
var LeaderKilled = Fault{"JetStream leader killed", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	names := []string{statusStream, sessionStream, ""}
	var leader string
	stream := names[dice.IntN(len(names))]
	Until(f.tb, natsLimit, "a leader", func() bool {
		leader = f.leader(ctx, stream)
		return leader != ""
	})
	for _, n := range f.NATS {
		if n.Name == leader {
			f.killNATS(ctx, dice, n)
		}
	}
}}

// leader returns the name of the server that leads a stream; of the consumer of
// sessions for the empty name.
func (f *Fleet) leader(ctx context.Context, stream string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	js, err := jetstream.New(f.Conn)
	if err != nil {
		return ""
	}
	if stream == "" {
		consumers, err := js.Stream(ctx, sessionStream)
		if err != nil {
			return ""
		}
		for info := range consumers.ListConsumers(ctx).Info() {
			if info.Cluster != nil {
				return info.Cluster.Leader
			}
		}
		return ""
	}
	s, err := js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return ""
	}
	return s.CachedInfo().Cluster.Leader
}

func (f *Fleet) killNATS(ctx context.Context, dice *rand.Rand, n *NATS) {
	back := f.NATSAway()
	n.Kill()
	Pass(ctx, dice, 0, 4*time.Second)
	n.Restart(f.tb)
	back()
}

// NATSCut cuts a replica off from NATS, in a scene with wires to NATS.
var NATSCut = Fault{"replica cut off from NATS", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	mend := f.Isolate(f.any(dice), (*Wire).Cut)
	Pass(ctx, dice, 0, 6*time.Second)
	mend()
}}

// NATSHalfOpen makes a replica's connection to NATS swallow everything: neither
// side notices. In a scene with wires to NATS.
var NATSHalfOpen = Fault{"half-open connection to NATS", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	mend := f.Isolate(f.any(dice), (*Wire).HalfOpen)
	Pass(ctx, dice, 2*time.Second, 8*time.Second)
	mend()
}}

// NATSDeaf keeps NATS's messages from a replica; its own arrive.
var NATSDeaf = Fault{"deaf connection to NATS", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	mend := f.Isolate(f.any(dice), (*Wire).Deaf)
	Pass(ctx, dice, time.Second, 6*time.Second)
	mend()
}}

// ProviderCut has the provider refuse connections.
var ProviderCut = Fault{"provider cut off", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	back := f.ProviderAway((*Wire).Cut)
	Pass(ctx, dice, 0, 3*time.Second)
	back()
}}

// ProviderHalfOpen has the connections to the provider swallow everything.
var ProviderHalfOpen = Fault{"half-open connection to the provider", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	back := f.ProviderAway((*Wire).HalfOpen)
	Pass(ctx, dice, time.Second, 5*time.Second)
	back()
}}

// Summary names the faults that struck, for the log.
func (f *Fleet) Summary() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f.struck)) {
		all = append(all, name+" ×"+strconv.Itoa(f.struck[name]))
	}
	return strings.Join(all, ", ")
}
