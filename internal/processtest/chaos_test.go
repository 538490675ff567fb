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

// chaos makes payments while faults strike replicas of the given versions, and
// audits: nothing may be lost, doubled or wrong.
func chaos(t *testing.T, o processtest.SceneOptions, payments, strikes int, versions []string, faults ...processtest.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	dice := processtest.Seed(t)
	o.Provider = simulator.Options{Pace: pace}
	o.Terminals = terminals(t)
	o.Env = processtest.Env{"REPLICA_TTL": "4s"} // longer than the pauses of a healthy process on a busy machine
	s := processtest.NewScene(t, o)
	f := s.NewFleet(t)
	for i, id := range []string{"a", "b"} {
		f.Upgrade(id, versions[i%len(versions)])
	}
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
		processtest.Count(t, "BRIDGE_PAYMENTS", 60, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 2, 150), []string{processtest.Version},
		processtest.NATSKilled)
}

// Everything breaks, on a cluster: replicas, leaders and connections.
func TestEverythingBrokenUnderLoad(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{Cluster: true, NATSWires: true},
		processtest.Count(t, "BRIDGE_PAYMENTS", 120, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 9, 150), []string{processtest.Version},
		processtest.ReplicaKilled, processtest.ReplicaPaused, processtest.ReplicaDrained, processtest.LeaderKilled,
		processtest.NATSCut, processtest.NATSHalfOpen, processtest.NATSDeaf, processtest.ProviderCut, processtest.ProviderHalfOpen)
}

// Two versions work side by side for long, and are killed, paused and drained
// under load.
func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	chaos(t, processtest.SceneOptions{},
		processtest.Count(t, "BRIDGE_PAYMENTS", 80, 10_000), processtest.Count(t, "BRIDGE_STRIKES", 3, 150), []string{versionBefore, processtest.Version},
		processtest.ReplicaKilled, processtest.ReplicaPaused, processtest.ReplicaDrained)
}
