package bridge_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"
	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// A draining replica finishes what it has begun: an order that is being created
// is answered, a command that only waits is told to ask again.
func TestDrainDuringCreate(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		p.make(order)
		close(asked)
		<-release
		created(w, r, order)
	}
	b := setup(t, options{provider: p})
	r := b.run(func(c *bridge.Config) { c.Timing.DrainTimeout = patience })
	first := b.later("pos.payment.start", order("a", terminal1))
	<-asked
	again := b.later("pos.payment.start", order("a", terminal1))
	eventually(t, "the same start waits", func() bool {
		var stats micro.Stats
		ask(b, "$SRV.STATS.pos-bridge", &stats)
		for _, e := range stats.Endpoints {
			if e.Subject == "pos.payment.start" {
				return e.NumRequests == 2
			}
		}
		return false
	})
	r.stop()
	if e := (<-again).failed(schema.ShuttingDown); !e.Retryable {
		t.Errorf("got %+v", e)
	}
	if status, z := r.readyz(); status != http.StatusServiceUnavailable || z.Reasons[0].Condition != "draining" {
		t.Errorf("while it drains: %d, %+v", status, z)
	}
	close(release)
	if got := (<-first).started(); !got.Created || got.SessionID != "session-of-a" {
		t.Errorf("got %+v", got)
	}
	<-r.done
	b.run()
	p.become("completed")
	b.awaitLast("a", "completed")
	b.waitFree(terminal1)
	if n := p.called("create"); n != 1 {
		t.Errorf("%d creates", n)
	}
}

// A start whose follower is killed before it could answer is answered by the next. So is
// one that a drain waits for until BRIDGE_DRAIN_TIMEOUT, and no longer.
func TestFollowerDiesBeforeItAnswers(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*replica){"killed": (*replica).kill, "drained": (*replica).drain} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			p := &provider{}
			p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
				p.make(order)
				close(asked)
				<-r.Context().Done() // the answer never leaves
			}
			b := setup(t, options{provider: p})
			first := b.run(func(c *bridge.Config) {
				c.Timing.DrainTimeout, c.Timing.RequestTimeout = 300*time.Millisecond, patience
			})
			answered := b.later("pos.payment.start", order("a", terminal1))
			<-asked
			began := time.Now()
			end(first)
			if took := time.Since(began); first.err != nil || took > 5*time.Second {
				t.Errorf("the end took %s, with %v", took, first.err)
			}
			b.run()
			if got := (<-answered).started(); !got.Created || got.SessionID != "" {
				t.Errorf("got %+v", got)
			}
			b.await("a", "initialized")
			p.become("completed")
			b.await("a", "initialized", "completed")
			if n := p.called("create"); n != 1 {
				t.Errorf("%d creates", n)
			}
		})
	}
}

// A daemon that is stopped before NATS was there ends at once.
func TestStopBeforeNATSIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.nats.Shutdown()
	r := b.launch()
	if status, _ := r.readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("got %d", status)
	}
	r.drain()
	if r.err != nil {
		t.Errorf("it ended with %v", r.err)
	}
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	b.waitConnected()
}

// A session whose order is not at the provider yet is handed over too; its
// requester is answered by the other replica.
func TestDrainBeforeTheOrderIsMade(t *testing.T) {
	t.Parallel()
	var well atomic.Bool
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		if !well.Load() {
			w.Header().Set("Retry-After", "0.2")
			refuse(w, http.StatusServiceUnavailable, 1000, "Later")
			return
		}
		p.make(order)
		created(w, r, order)
	}
	b := setup(t, options{provider: p})
	long := func(c *bridge.Config) { c.Timing.StartDeadline, c.Timing.ReplicaTTL = patience, time.Minute }
	first := b.run(long)
	answered := b.later("pos.payment.start", order("a", terminal1))
	eventually(t, "the order is being created", func() bool { return p.called("create") > 0 })
	second := b.run(long)
	first.drain()
	well.Store(true)
	if got := (<-answered).started(); !got.Created || got.SessionID == "" {
		t.Errorf("got %+v", got)
	}
	if got := b.getOrder(terminal1, "a"); got.Replica != second.id {
		t.Errorf("got %+v", got)
	}
}

// A final status that comes while the only replica drains, after it has given
// the session back: the terminal is unlocked, and the drain does not hang.
func TestFinalStatusWhileTheOnlyReplicaDrains(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run(func(c *bridge.Config) { c.Timing.DrainTimeout, c.Timing.ReplicaTTL = time.Minute, time.Minute })
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	began := time.Now()
	r.stop()
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	<-r.done
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the drain took %s", took)
	}
	if n := b.queued(); n != 0 {
		t.Errorf("%d terminals are locked by payments that are over", n)
	}
}
