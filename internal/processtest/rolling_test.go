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

// Two replicas of the version before are brought to the present one, one after
// the other under load, and back again: for a while both versions work side by
// side, and each goes on with what the other one has begun. Some payments are open
// all the while.
func TestRollingUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	dice := processtest.Seed(t)
	payments := processtest.Count(t, "BRIDGE_PAYMENTS", 80, 10_000)
	rounds := processtest.Count(t, "BRIDGE_ROUNDS", 2, 100)
	versions := []processtest.Version{processtest.Former(t), processtest.Present}
	const long = 4 // payments that are open all the while
	s := processtest.NewScene(t, processtest.SceneOptions{
		Terminals: terminals(t) + long, Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"REPLICA_TTL": "20s"},
	})
	f := s.NewFleet(t)
	places := []string{"a", "b"}
	for _, id := range places {
		f.Upgrade(id, versions[0])
		f.Start(id)
	}
	open := s.Terminals[:long]
	s.Terminals = s.Terminals[long:]
	ctx := processtest.Context(t)
	for _, terminal := range open {
		started, _, err := processtest.Insist(ctx, s.Conn, "pos.payment.start", processtest.NewStart(terminal, "long-"+terminal, string(simulator.WaitForHand)))
		if err != nil || started.Error != nil {
			t.Fatalf("start on %s: %+v, %v", terminal, started, err)
		}
	}
	load := s.StartLoad(t, payments, dice)
	var drains []time.Duration
	for round := range rounds {
		next := versions[(round+1)%2]
		for _, id := range places {
			processtest.Pass(ctx, dice, 0, time.Second)
			began := time.Now()
			f.Replica(id).Drain(t)
			drains = append(drains, time.Since(began).Round(time.Millisecond))
			f.Upgrade(id, next)
			f.Start(id)
			if id == "a" {
				waitVersions(t, s.Conn, versions...)
			}
			if round == 0 && id == "a" {
				bring(t, s, open, simulator.ActDecline, "declined")
			}
		}
		waitVersions(t, s.Conn, next)
	}
	bring(t, s, open, simulator.ActApprove, "completed")
	load.WaitPayments(payments)
	load.Stop()
	slices.Sort(drains)
	t.Logf("%d drains under load, the longest %s", len(drains), drains[len(drains)-1])
	s.Close(t)
}

// bring has the customers at some terminals do something, and waits until the
// statuses of their payments are heard.
func bring(t *testing.T, s *processtest.Scene, terminals []string, action simulator.Action, status string) {
	t.Helper()
	ctx := processtest.Context(t)
	for _, terminal := range terminals {
		_, err := s.Provider.Act(terminal, action)
		if err == nil {
			_, err = s.Auditor.WaitHeard(ctx, "long-"+terminal, status)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Both versions work side by side for long, and are killed and drained under
// load. The version before is what it is: what it does wrong after a pause, and
// when it is killed while it holds back, has been mended since.
func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	dice := processtest.Seed(t)
	payments := processtest.Count(t, "BRIDGE_PAYMENTS", 100, 10_000)
	strikes := processtest.Count(t, "BRIDGE_STRIKES", 4, 400)
	former := processtest.Former(t)
	s := processtest.NewScene(t, processtest.SceneOptions{Terminals: terminals(t), Provider: simulator.Options{Pace: pace}})
	f := s.NewFleet(t)
	f.Upgrade("a", former)
	f.Start("a")
	f.Start("b")
	waitVersions(t, s.Conn, former, processtest.Present)
	load := s.StartLoad(t, payments, dice)
	f.Strike(ctx, dice, strikes, processtest.ReplicaKilledAtRest, processtest.ReplicaDrained)
	load.WaitPayments(payments)
	load.Stop()
	t.Logf("%d payments, faults: %s", load.Ended(), f.Summary())
	s.Close(t)
}

// waitVersions waits until the service on the bus is of the given versions, and
// of no other.
func waitVersions(t *testing.T, conn *nats.Conn, versions ...processtest.Version) {
	t.Helper()
	var want []string
	for _, v := range versions {
		want = append(want, v.Name)
	}
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
