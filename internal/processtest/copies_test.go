package processtest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// From one copy to three as the manual says, while payments are open. The first start
// afterwards works, or is refused as retryable before the terminal rings.
func TestFromOneToThreeCopies(t *testing.T) {
	t.Parallel()
	const open = 5
	ctx := processtest.Context(t)
	s := processtest.NewScene(t, processtest.SceneOptions{
		Cluster: true, Terminals: open + 1, Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"JETSTREAM_REPLICAS": "1"},
	})
	f := s.NewFleet(t)
	f.Start("a")
	f.Start("b")
	for _, terminal := range s.Terminals[:open] {
		started, err := processtest.Insist(ctx, s.Conn, "pos.payment.start", processtest.NewStart(terminal, "open-"+terminal, string(simulator.WaitForHand)))
		if err != nil || started.Error != nil {
			t.Fatalf("start on %s: %+v, %v", terminal, started, err)
		}
	}
	js, err := jetstream.New(s.Conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"POS_SESSIONS", "POS_STATUS"} { // nats stream edit --replicas 3
		stream, err := js.Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		config := stream.CachedInfo().Config
		config.Replicas = 3
		if _, err := js.UpdateStream(ctx, config); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	first := processtest.NewStart(s.Terminals[open], "first", "approve")
	reply, err := processtest.Ask(ctx, s.Conn, "pos.payment.start", first, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the first start was answered after %s: %+v", time.Since(began).Round(time.Millisecond), reply)
	if reply.Error != nil {
		rings := slices.ContainsFunc(s.Provider.Orders(), func(o simulator.Order) bool { return o.ID == "first" })
		if rings || !reply.Error.Retryable {
			t.Errorf("it was refused as %s, retryable %v, and the terminal rings: %v", reply.Error.Code, reply.Error.Retryable, rings)
		}
	}
	if result, err := processtest.Pay(ctx, s.Conn, first, false); err != nil || result.Final != "completed" {
		t.Errorf("the first payment: %+v, %v", result, err)
	}
	for _, terminal := range s.Terminals[:open] {
		if _, err := s.Provider.Act(terminal, simulator.ActApprove); err != nil {
			t.Error(err)
		}
		if err := s.Auditor.WaitStored(ctx, terminal, "open-"+terminal, "completed"); err != nil {
			t.Error(err)
		}
	}
	s.Close(t)
	f.WaitIdle()
}
