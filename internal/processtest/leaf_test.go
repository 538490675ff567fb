package processtest_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

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

// A hub takes what the bridge behind its leaf node stores in a domain of its own: the
// bridge says so, until the hub does not.
func TestTwoDomainsAreNamed(t *testing.T) {
	t.Parallel()
	ctx := processtest.Context(t)
	hub, leaf := processtest.StartLeaf(t, "leaf")
	env := processtest.Quick().With(processtest.Env{
		"NATS_URL": leaf.URL(), "NATS_JS_DOMAIN": "leaf", "API_URL": "http://127.0.0.1:1", "API_KEY": "k",
	})
	r := processtest.Serve(t, processtest.Bridge(t, "0.0.0+a"), "a", env)
	r.WaitReady(t)
	js, err := jetstream.New(processtest.Connect(t, hub.URL()))
	if err == nil {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "POS_SESSIONS", Subjects: []string{"pos.*.session"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	processtest.Until(t, exitLimit, "/readyz says that everything is stored twice", func() bool {
		_, body, err := r.Get("/readyz")
		return err == nil && strings.Contains(body, "stored twice") && strings.Contains(body, "BRIDGE_NATS_JS_DOMAIN")
	})
	if err := js.DeleteStream(ctx, "POS_SESSIONS"); err != nil {
		t.Fatal(err)
	}
	r.WaitReady(t)
}
