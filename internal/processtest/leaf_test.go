package processtest_test

import (
	"testing"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// Replicas are connected to a leaf node, JetStream and the tills to its hub. Both
// servers are killed under load and come back.
func TestLeafNode(t *testing.T) {
	t.Parallel()
	dice := processtest.Seed(t)
	ctx := processtest.Context(t)
	payments := processtest.Count(t, "BRIDGE_PAYMENTS", 40, 2000)
	s := processtest.NewScene(t, processtest.SceneOptions{
		Leaf: true, Terminals: 10, Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"REPLICA_TTL": "4s"},
	})
	f := s.NewFleet(t)
	f.Start("a")
	f.Start("b")
	load := s.StartLoad(t, payments, dice)
	f.Strike(ctx, dice, processtest.Count(t, "BRIDGE_STRIKES", 2, 50), processtest.NATSKilled, processtest.LeafKilled)
	load.WaitPayments(payments)
	load.Stop()
	t.Logf("faults: %s", f.Summary())
	s.Close(t)
	f.WaitIdle()
}
