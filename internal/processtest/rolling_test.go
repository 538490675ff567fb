package processtest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// versionBefore is stamped into the tested program where it stands for the release
// before. There is no release yet.
const versionBefore = "0.0.0-before"

// Two replicas are updated one after the other under load, and back again. For a
// while both versions work side by side, and each continues the payments of the
// other. Some payments are open all the while.
func TestRollingUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	dice := processtest.Seed(t)
	payments := processtest.Count(t, "BRIDGE_PAYMENTS", 80, 10_000)
	rounds := processtest.Count(t, "BRIDGE_ROUNDS", 2, 100)
	versions := []string{versionBefore, processtest.Version}
	const long = 4 // payments that are open all the while
	s := processtest.NewScene(t, processtest.SceneOptions{
		Terminals: terminals(t) + long, Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"REPLICA_TTL": "20s"},
	})
	f := s.NewFleet(t)
	f.Upgrade("a", versions[0])
	f.Upgrade("b", versions[0])
	open := s.Terminals[:long]
	s.Terminals = s.Terminals[long:]
	ctx := processtest.Context(t)
	for _, terminal := range open {
		started, err := processtest.Insist(ctx, s.Conn, "pos.payment.start", processtest.NewStart(terminal, "long-"+terminal, string(simulator.WaitForHand)))
		if err != nil || started.Error != nil {
			t.Fatalf("start on %s: %+v, %v", terminal, started, err)
		}
	}
	load := s.StartLoad(t, payments, dice)
	for round := range rounds {
		next := versions[(round+1)%2]
		processtest.Pass(ctx, dice, 0, time.Second)
		f.Upgrade("a", next)
		waitVersions(t, s.Conn, versions...)
		if round == 0 {
			bring(t, s, open, simulator.ActDecline, "declined")
		}
		processtest.Pass(ctx, dice, 0, time.Second)
		f.Upgrade("b", next)
		waitVersions(t, s.Conn, next)
	}
	bring(t, s, open, simulator.ActApprove, "completed")
	load.WaitPayments(payments)
	load.Stop()
	if r := s.Close(t); len(r.Excepted) > 0 {
		t.Errorf("%d statuses fell under the exception, which does not cover an update", len(r.Excepted))
	}
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

// waitVersions waits until the service on the bus is of the given versions, and
// of no other.
func waitVersions(t *testing.T, conn *nats.Conn, versions ...string) {
	t.Helper()
	want := slices.Sorted(slices.Values(versions))
	processtest.Until(t, exitLimit, "the versions on the bus are "+strings.Join(want, " and "), func() bool {
		return slices.Equal(versionsOf(t, conn), want)
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
		m, err := answers.NextMsg(time.Second)
		if err != nil {
			break
		}
		var ping struct {
			Version string `json:"version"`
		}
		if json.Unmarshal(m.Data, &ping) == nil {
			version, _, _ := strings.Cut(ping.Version, "+")
			versions = append(versions, version)
		}
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}
