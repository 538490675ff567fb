package processtest_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// Two replicas are brought to another version one after the other under load,
// and back again: for a while both versions work side by side.
func TestRollingUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	dice := processtest.Seed(t)
	payments := processtest.Count(t, "BRIDGE_PAYMENTS", 80, 10_000)
	rounds := processtest.Count(t, "BRIDGE_ROUNDS", 2, 100)
	s := processtest.NewScene(t, processtest.SceneOptions{
		Terminals: terminals(t), Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"REPLICA_TTL": "20s"},
	})
	f := s.StartFleet(t, "a", "b")
	load := s.StartLoad(t, payments, dice)
	ctx := processtest.Context(t)
	versions := []string{"0.0.0", "9.1.0"}
	var drains []time.Duration
	for round := range rounds {
		next := versions[(round+1)%2]
		for _, id := range []string{"a", "b"} {
			processtest.Pass(ctx, dice, 0, time.Second)
			began := time.Now()
			f.Replica(id).Drain(t)
			drains = append(drains, time.Since(began).Round(time.Millisecond))
			f.Upgrade(id, next)
			f.Start(id)
			if id == "a" {
				waitVersions(t, s.Conn, versions...)
			}
		}
		waitVersions(t, s.Conn, next)
	}
	load.WaitPayments(payments)
	load.Stop()
	slices.Sort(drains)
	t.Logf("%d drains under load, the longest %s", len(drains), drains[len(drains)-1])
	s.Close(t)
}

// waitVersions waits until the service on the bus is of the given versions, and
// of no other.
func waitVersions(t *testing.T, conn *nats.Conn, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	processtest.Until(t, exitLimit, "both versions side by side", func() bool {
		got = versionsOf(t, conn)
		return slices.Equal(got, want)
	})
}

// versionsOf asks every instance of the service for its version, without what
// the tests add to it.
func versionsOf(t *testing.T, conn *nats.Conn) []string {
	t.Helper()
	inbox := nats.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err == nil {
		err = conn.PublishRequest("$SRV.PING.pos-bridge", inbox, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Unsubscribe() //nolint:errcheck // the connection may be closed
	var versions []string
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		m, err := answers.NextMsgWithContext(ctx)
		cancel()
		if err != nil {
			break
		}
		var ping struct {
			Version string `json:"version"`
		}
		if json.Unmarshal(m.Data, &ping) == nil && len(ping.Version) > 2 {
			versions = append(versions, ping.Version[:len(ping.Version)-len("+a")])
		}
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}
