package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// The settle window passes while NATS is away: the final status waits.
func TestFinalStatusDuringAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.miss()
	r := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.nats.Shutdown()
	r.logs.Await(t, "Lost the connection to NATS")
	b.act(terminal1, simulator.ActApprove)
	if _, err := b.sim.Act(terminal1, simulator.ActReverse); err != nil {
		t.Fatal(err)
	}
	r.waitMetric("pos_bridge_pending_publishes", "1")
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	b.waitConnected()
	b.awaitStored(terminal1, "a", "initialized", "completed", "reversed")
	b.waitFree(terminal1)
	if got := b.start(order("a", terminal1)); got.Created || got.Status != "reversed" {
		t.Errorf("got %+v", got)
	}
}

// A start that waits for NATS's answer is answered once it is back, or not at
// all; the order is created at most once.
func TestStartAcrossAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.miss()
	b.run()
	for i := range 3 {
		id := fmt.Sprintf("o-%d", i)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = b.try("pos.payment.start", order(id, terminal1)) // may be lost with NATS
		}()
		if i > 0 {
			eventually(t, "the start has arrived", func() bool { return b.sim.Calls(id).Create > 0 })
		}
		b.nats.Shutdown()
		if err := b.nats.Restart(); err != nil {
			t.Fatal(err)
		}
		b.waitConnected()
		eventually(t, "the same start is answered", func() bool {
			r, err := b.try("pos.payment.start", order(id, terminal1))
			return err == nil && r.header.Get(schema.HeaderErrorCode) == ""
		})
		b.awaitFinal(terminal1, id)
		b.waitFree(terminal1)
		if n := b.sim.Calls(id).Made; n != 1 {
			t.Errorf("the order was made %d times", n)
		}
	}
}

// The open sessions are listed as soon as commands are served again.
func TestListAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.miss()
	b.run(func(c *bridge.Config) { c.Timing.RequestTimeout = 3 * time.Second }) // less than two heartbeats of the watch
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.nats.Shutdown()
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	b.waitConnected()
	eventually(t, "commands are served again", func() bool { // and a record is written
		r, err := b.try("pos.payment.start", order("b", terminal2))
		return err == nil && r.header.Get(schema.HeaderErrorCode) == ""
	})
	if got := b.list(); len(got) != 2 {
		t.Errorf("list: %+v, want two sessions", got)
	}
}
