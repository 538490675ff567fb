package bridge_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
)

// A replica that is alone and drains leaves its sessions to whoever comes next.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*replica){"drained": (*replica).drain, "killed": (*replica).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{simulator: simulator.Options{Manual: true}})
			first := b.run()
			b.start(order("a", terminal1))
			b.await("a", "initialized")
			end(first)
			b.act(terminal1, simulator.ActDecline) // nobody hears it
			second := b.run()
			b.await("a", "initialized", "declined") // but it is still shown when asked
			if _, err := b.sim.WaitStream(b.ctx, "a"); err != nil {
				t.Fatal(err)
			}
			b.act(terminal1, simulator.ActApprove)
			b.awaitLast("a", "completed")
			b.await("a", "initialized", "declined", "initialized", "completed")
			b.waitFree(terminal1)
			second.waitMetric("pos_bridge_sessions_active", "0")
			if n := b.sim.Calls("a").Create; n != 1 {
				t.Errorf("%d creates", n)
			}
		})
	}
}

// A replica that is cut off from NATS goes on reading while another takes its
// sessions over. When it is back it meets what the other published, and leaves.
func TestReplicaCutOffFromNATS(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	wire := bridgetest.RunWire(t, b.nats.URL())
	first := b.run(func(c *bridge.Config) { c.NATS.URL = redact.NewSecret(wire.URL()) })
	b.start(order("a", terminal1))
	b.start(order("b", terminal2))
	b.await("a", "initialized")
	b.await("b", "initialized")
	second := b.run()
	wire.Cut()
	first.waitReady(http.StatusServiceUnavailable)
	b.act(terminal1, simulator.ActDecline)
	b.act(terminal2, simulator.ActDecline)
	b.await("a", "initialized", "declined")
	b.await("b", "initialized", "declined")
	second.waitMetric("pos_bridge_failovers_total", "2")
	b.act(terminal1, simulator.ActApprove)
	b.awaitLast("a", "completed")
	wire.Mend()
	first.waitReady(http.StatusOK)
	first.waitMetric("pos_bridge_sessions_active", "0")
	second.waitMetric("pos_bridge_sessions_active", "1")
	b.act(terminal2, simulator.ActApprove)
	for _, id := range []string{"a", "b"} {
		b.awaitLast(id, "completed")
		b.await(id, "initialized", "declined", "initialized", "completed")
	}
	b.waitFree(terminal1)
	b.waitFree(terminal2)
}

// A stored stream that the successor cannot open (the key was rotated) is
// replaced by asking.
func TestSuccessorWithAnotherKey(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	eventually(t, "the stream is open", func() bool { return p.called("stream") == 1 })
	first.kill()
	b.run(func(c *bridge.Config) { c.Provider.Key = redact.NewSecret("another-key") })
	p.become("completed")
	b.await("a", "initialized", "completed")
	if n := p.called("stream"); n != 1 {
		t.Errorf("%d streams, want none by the successor", n)
	}
}

// A drained replica hands its sessions over at once; nothing is lost or doubled.
func TestDrainHandsSessionsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run(func(c *bridge.Config) { c.Timing.ReplicaTTL = time.Minute })
	for i := range 4 {
		b.start(order(fmt.Sprintf("o-%d", i), fmt.Sprintf("SIM0000%d", i+1)))
		b.await(fmt.Sprintf("o-%d", i), "initialized")
	}
	second := b.run(func(c *bridge.Config) { c.Timing.ReplicaTTL = time.Minute })
	began := time.Now()
	first.drain()
	if first.err != nil {
		t.Errorf("Run returned %v", first.err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the drain took %s", took)
	}
	second.waitMetric("pos_bridge_sessions_active", "4")
	second.waitMetric("pos_bridge_failovers_total", "0") // handed over, not lost
	for i := range 4 {
		if got := b.getOrder(fmt.Sprintf("SIM0000%d", i+1), fmt.Sprintf("o-%d", i)); got.Replica != second.id || !got.Active {
			t.Errorf("got %+v, want it followed by %s", got, second.id)
		}
		b.act(fmt.Sprintf("SIM0000%d", i+1), simulator.ActDecline, simulator.ActApprove)
	}
	for i := range 4 {
		id := fmt.Sprintf("o-%d", i)
		b.awaitLast(id, "completed")
		b.await(id, "initialized", "declined", "initialized", "completed")
		b.waitFree(fmt.Sprintf("SIM0000%d", i+1))
	}
}

// A replica is cut off from NATS while its create is on its way; another one takes
// the session over and finds nothing at the provider. The order that the first one
// then learns of is kept, and followed: nobody said that it does not exist.
func TestOrderMadeAfterATakeover(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		close(asked)
		<-release
		p.make(order)
		created(w, r, order)
	}
	b := setup(t, options{provider: p})
	wire := bridgetest.RunWire(t, b.nats.URL())
	late := func(c *bridge.Config) {
		c.Timing.StartDeadline, c.Timing.RequestTimeout = 500*time.Millisecond, patience
		c.Timing.ReconcileInterval = 200 * time.Millisecond
	}
	first := b.run(late, func(c *bridge.Config) { c.NATS.URL = redact.NewSecret(wire.URL()) })
	go func() { _, _ = b.try("pos.payment.start", order("a", terminal1)) }() // the answer is lost with the connection
	<-asked
	wire.Cut()
	first.waitReady(http.StatusServiceUnavailable)
	second := b.run(late)
	second.waitMetric("pos_bridge_failovers_total", "1")
	eventually(t, "the second asks", func() bool { return p.called("get") > 0 })
	wire.Mend()
	first.waitReady(http.StatusOK)
	close(release)
	b.await("a", "initialized")
	p.become("completed")
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	if n := p.called("create"); n != 1 {
		t.Errorf("%d creates", n)
	}
	if n := p.called("cancel"); n != 0 {
		t.Errorf("%d cancels", n)
	}
}
