package processtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// pace: customers leave a second between their steps, as people do at least.
const pace = 1

// terminals is how many of them a scene under load has.
func terminals(t *testing.T) int {
	t.Helper()
	return processtest.Count(t, "BRIDGE_TERMINALS", 30, 100)
}

// chaos makes payments while faults strike two replicas, one of the given version,
// and audits: nothing may be lost, doubled or wrong.
func chaos(t *testing.T, o processtest.SceneOptions, payments, strikes int, version string, faults ...processtest.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	dice := processtest.Seed(t)
	o.Provider = simulator.Options{Pace: pace}
	o.Terminals = terminals(t)
	o.Env = processtest.Env{"REPLICA_TTL": "4s"} // longer than the pauses of a healthy process on a busy machine
	s := processtest.NewScene(t, o)
	f := s.NewFleet(t)
	f.Upgrade("a", version)
	f.Start("b")
	load := s.StartLoad(t, payments, dice)
	began := time.Now()
	f.Strike(ctx, dice, strikes, faults...)
	load.WaitPayments(payments)
	load.Stop()
	t.Logf("%s, faults: %s", time.Since(began).Round(time.Second), f.Summary())
	s.Close(t)
	f.WaitIdle()
}

// The only nats-server is killed under load and comes back with what it had
// synced.
func TestNATSKilledUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{},
		processtest.Count(t, "BRIDGE_PAYMENTS", 60, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 2, 150), processtest.Version,
		processtest.NATSKilled)
}

// Everything breaks, on a cluster: replicas, leaders and connections. Two versions
// work side by side all the time.
func TestEverythingBrokenUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{Cluster: true, NATSWires: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 120, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 9, 150), versionBefore,
		processtest.ReplicaKilled, processtest.ReplicaPaused, processtest.ReplicaDrained, processtest.LeaderKilled,
		processtest.NATSCut, processtest.NATSHalfOpen, processtest.NATSDeaf, processtest.ProviderCut, processtest.ProviderHalfOpen)
}

// JetStream does not deliver sessions, and brings back what was acknowledged, while
// its servers and the replicas are killed.
func TestJetStreamFaultsUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{Cluster: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 60, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 4, 150), processtest.Version,
		processtest.SessionsSkipped, processtest.SessionReturned, processtest.LeaderKilled, processtest.ReplicaKilled, processtest.ReplicaDrained)
}
