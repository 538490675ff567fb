package processtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// crowd is a scene with many open payments that wait for hands.
type crowd struct {
	*processtest.Scene
	*hand
	orders []string // by terminal
}

// setupCrowd starts replicas and one payment on each of n terminals, and waits
// until all are followed. No stream is idle long enough to connect again while the
// others start: statuses that change at once on a new connection look like history.
func setupCrowd(t *testing.T, o processtest.SceneOptions, n int, replicas ...string) *crowd {
	t.Helper()
	o.Terminals = n
	o.Provider.Manual = true
	o.Env = processtest.Env{"IDLE_TIMEOUT": "2m"}.With(o.Env)
	c := &crowd{Scene: processtest.NewScene(t, o), hand: &hand{t: t, ctx: processtest.Context(t)}}
	c.hand.Scene = c.Scene
	for _, id := range replicas {
		c.replicas = append(c.replicas, c.Serve(t, id))
	}
	for i, terminal := range c.Terminals {
		order := fmt.Sprintf("order-%d", i+1)
		c.orders = append(c.orders, order)
		reply, err := processtest.Insist(c.ctx, c.Conn, "pos.payment.start", processtest.NewStart(terminal, order, ""))
		if err != nil || reply.Error != nil {
			t.Fatalf("start on %s: %+v, %v", terminal, reply, err)
		}
		if _, err := c.Provider.WaitStream(c.ctx, order); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// all does something on every terminal.
func (c *crowd) all(a simulator.Action) {
	c.t.Helper()
	for _, terminal := range c.Terminals {
		if _, err := c.Provider.Act(terminal, a); err != nil {
			c.t.Fatal(err)
		}
	}
}

// heard waits until a status has been heard of every order.
func (c *crowd) heard(status string) {
	c.t.Helper()
	for _, order := range c.orders {
		if _, err := c.Auditor.WaitHeard(c.ctx, order, status); err != nil {
			c.t.Fatal(err)
		}
	}
}

// NATS is away for longer than a replica may be silent while statuses change:
// when it is back every one of them is published, although the queue hands each
// session to any replica then.
func TestNATSAwayWhileStatusesChange(t *testing.T) {
	t.Parallel()
	c := setupCrowd(t, processtest.SceneOptions{}, 10, "a", "b")
	c.all(simulator.ActTap)
	c.heard("initialized")
	back := c.NATSAway()
	away := time.Now()
	c.NATS[0].Kill()
	for _, a := range []simulator.Action{simulator.ActDecline, simulator.ActTap, simulator.ActDecline, simulator.ActTap, simulator.ActApprove} {
		c.all(a)
	}
	for _, r := range c.replicas {
		processtest.Until(t, exitLimit, "replica "+r.ID+" notices", func() bool { return !r.Ready() })
	}
	// No heartbeat may arrive for longer than REPLICA_TTL.
	longer := time.Duration(processtest.Count(t, "BRIDGE_AWAY_SECONDS", 3, 60)) * time.Second
	processtest.Eventually(longer+exitLimit, func() bool { return time.Since(away) > longer })
	c.NATS[0].Restart(t)
	back()
	restarted := time.Now()
	for i, order := range c.orders {
		if err := c.Auditor.WaitStored(c.ctx, c.Terminals[i], order, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("NATS away for %s; all caught up %s after it served again", restarted.Sub(away).Round(time.Millisecond), time.Since(restarted).Round(time.Millisecond))
	c.Close(t)
}

// Statuses change all the time while one replica after the other is drained, and
// nobody waits for anybody: no status is missing, not even under the exception.
// They change more slowly than a new connection may replay history: faster, a
// status that goes away and comes back in the same transaction looks like history.
func TestStatusesChangeWhileSessionsMove(t *testing.T) {
	t.Parallel()
	c := setupCrowd(t, processtest.SceneOptions{Env: processtest.Env{"REPLICA_TTL": "20s"}}, 8, "a", "b")
	stop, stopped := make(chan struct{}), make(chan struct{})
	changes := 0
	go func() {
		defer close(stopped)
		tick := time.NewTicker(1200 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, a := range []simulator.Action{simulator.ActTap, simulator.ActDecline} {
				select {
				case <-tick.C:
				case <-stop:
					<-tick.C // the last change is no faster than the others
					return
				}
				for _, terminal := range c.Terminals {
					if _, err := c.Provider.Act(terminal, a); err != nil {
						t.Error(err)
						return
					}
					changes++
				}
			}
		}
	}()
	for i := range 6 {
		r := c.replicas[i%2]
		r.Drain(t)
		c.replicas[i%2] = c.Serve(t, r.ID)
	}
	close(stop)
	<-stopped
	c.all(simulator.ActApprove)
	c.heard("completed")
	t.Logf("%d statuses changed", changes)
	if r := c.Close(t); len(r.Excepted)+len(r.Unseen) > 0 {
		t.Errorf("%d statuses are missing after drains, want none", len(r.Excepted)+len(r.Unseen))
	}
}
