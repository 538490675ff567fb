package processtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// Customers under load leave a second between their steps, as people do at
// least, and there are many of them, so that faults meet payments in every
// state. Two replicas that have a session together for a moment could not tell
// two cycles of the same statuses within that moment apart: the provider's
// events carry nothing to tell them by.
const pace = 1

// terminals is how many of them a scene under load has.
func terminals(t *testing.T) int { return processtest.Count(t, "BRIDGE_TERMINALS", 40, 100) }

// chaos makes payments while faults strike, and audits: nothing may be lost and
// nothing published twice.
func chaos(t *testing.T, o processtest.SceneOptions, payments, strikes int, faults ...processtest.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	dice := processtest.Seed(t)
	o.Provider = simulator.Options{Pace: pace}
	o.Terminals = terminals(t)
	s := processtest.NewScene(t, o)
	f := s.StartFleet(t, "a", "b")
	load := s.StartLoad(t, payments, dice)
	began := time.Now()
	f.Strike(ctx, dice, strikes, faults...)
	load.WaitPayments(payments)
	load.Stop()
	t.Logf("%s: %d payments, faults: %s", time.Since(began).Round(time.Second), load.Ended(), f.Summary())
	s.Close(t)
}

// Replicas are killed, paused beyond their lease and drained under load.
func TestReplicasBrokenUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{},
		processtest.Count(t, "BRIDGE_PAYMENTS", 120, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 5, 400),
		processtest.ReplicaKilled, processtest.ReplicaPaused, processtest.ReplicaDrained)
}

// The only nats-server is killed under load and comes back with what it had
// synced.
func TestNATSKilledUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{},
		processtest.Count(t, "BRIDGE_PAYMENTS", 100, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 3, 400),
		processtest.NATSKilled)
}

// Of three servers with replicated streams those that lead are killed.
func TestLeadersKilledUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{Cluster: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 100, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 3, 400),
		processtest.LeaderKilled)
}

// Connections break in ways that neither side is told of.
func TestWiresBrokenUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{NATSWires: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 100, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 4, 400),
		processtest.NATSHalfOpen, processtest.NATSDeaf, processtest.ProviderCut, processtest.ProviderHalfOpen)
}

// Everything at once, on a cluster.
func TestEverythingBrokenUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{Cluster: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 100, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 4, 400),
		processtest.ReplicaKilled, processtest.ReplicaPaused, processtest.ReplicaDrained,
		processtest.LeaderKilled, processtest.ProviderCut, processtest.ProviderHalfOpen)
}
