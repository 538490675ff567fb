package processtest_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// hand is a scene with one terminal that waits for a hand, and replicas.
type hand struct {
	*processtest.Scene
	t        *testing.T
	ctx      context.Context
	terminal string
	order    string
	replicas []*processtest.Replica
}

func setupHand(t *testing.T, env processtest.Env, replicas ...string) *hand {
	t.Helper()
	h := &hand{t: t, ctx: processtest.Context(t), order: "INV.7/1"}
	h.Scene = processtest.NewScene(t, processtest.SceneOptions{Provider: simulator.Options{Manual: true}, Env: env})
	h.terminal = h.Terminals[0]
	for _, id := range replicas {
		h.replicas = append(h.replicas, h.Serve(t, id))
	}
	return h
}

// start starts the payment and returns the answer once the stream is open, so
// that every status from here on is shown to somebody.
func (h *hand) start() processtest.Reply {
	h.t.Helper()
	reply, err := processtest.Insist(h.ctx, h.Conn, "pos.payment.start", processtest.NewStart(h.terminal, h.order, ""))
	if err != nil || reply.Error != nil {
		h.t.Fatalf("start: %+v, %v", reply, err)
	}
	h.stream()
	return reply
}

// stream waits until the order's event stream is open.
func (h *hand) stream() {
	h.t.Helper()
	if _, err := h.Provider.WaitStream(h.ctx, h.order); err != nil {
		h.t.Fatal(err)
	}
}

// act does something at the terminal.
func (h *hand) act(actions ...simulator.Action) {
	h.t.Helper()
	for _, a := range actions {
		if _, err := h.Provider.Act(h.terminal, a); err != nil {
			h.t.Fatal(err)
		}
	}
}

// hear waits for a status on the bus and returns when it came.
func (h *hand) hear(status string) time.Time {
	h.t.Helper()
	at, err := h.Auditor.WaitHeard(h.ctx, h.order, status)
	if err != nil {
		h.t.Fatal(err)
	}
	return at
}

// step does something at the terminal and waits for the status it leads to.
func (h *hand) step(a simulator.Action, status string) time.Time {
	h.t.Helper()
	h.act(a)
	return h.hear(status)
}

// owner returns the replica that follows the payment, and another one.
func (h *hand) owner() (owner, other *processtest.Replica) {
	h.t.Helper()
	reply, err := processtest.Insist(h.ctx, h.Conn, "pos.payment.get", map[string]string{"terminal_id": h.terminal, "order_id": h.order})
	if err != nil || reply.Error != nil {
		h.t.Fatalf("get: %+v, %v", reply, err)
	}
	for _, r := range h.replicas {
		if r.ID == reply.Replica {
			owner = r
		} else {
			other = r
		}
	}
	if owner == nil {
		h.t.Fatalf("the payment is followed by %q, none of the replicas", reply.Replica)
	}
	return owner, other
}

// ownedBy waits until a replica follows the payment.
func (h *hand) ownedBy(r *processtest.Replica) {
	h.t.Helper()
	processtest.Until(h.t, time.Minute, "replica "+r.ID+" follows the payment", func() bool {
		reply, err := processtest.Ask(h.ctx, h.Conn, "pos.payment.get", map[string]string{"terminal_id": h.terminal, "order_id": h.order}, time.Second)
		return err == nil && reply.Replica == r.ID
	})
}

// end holds the statuses that were heard against what is wanted, sees that the
// terminal takes another payment, and audits.
func (h *hand) end(want ...string) {
	h.t.Helper()
	if got := h.Auditor.Heard(h.order); !slices.Equal(got, want) {
		h.t.Errorf("heard %v, want %v", got, want)
	}
	h.next()
}

// next sees that the terminal takes another payment, and audits.
func (h *hand) next() {
	h.t.Helper()
	next := processtest.NewStart(h.terminal, h.order+"-next", "")
	reply, err := processtest.Insist(h.ctx, h.Conn, "pos.payment.start", next)
	if err != nil || reply.Error != nil || !reply.Created {
		h.t.Fatalf("start of the next payment on the terminal: %+v, %v", reply, err)
	}
	h.act(simulator.ActCancel)
	h.Close(h.t)
}

// The only replica is killed in the middle of a payment and another process is
// started: it goes on where the first one was.
func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	h := setupHand(t, nil, "a")
	first := h.start()
	h.step(simulator.ActTap, "initialized")
	h.Kill(h.replicas[0])
	killed := time.Now()
	h.act(simulator.ActDecline)
	h.replicas = append(h.replicas, h.Serve(t, "b"))
	shown := h.hear("declined")
	t.Logf("from kill to the first status of the successor, which was started after it: %s", shown.Sub(killed).Round(time.Millisecond))
	h.ownedBy(h.replicas[1])
	h.stream()

	again, err := processtest.Insist(h.ctx, h.Conn, "pos.payment.start", processtest.NewStart(h.terminal, h.order, ""))
	if err != nil || again.Error != nil || again.Created || again.SessionID != first.SessionID {
		t.Errorf("the same start again: %+v, %v; want session %s, not created", again, err, first.SessionID)
	}
	h.step(simulator.ActTap, "initialized")
	h.step(simulator.ActApprove, "completed")
	h.end("initialized", "declined", "initialized", "completed")
	if calls := h.Provider.Calls(h.order); calls.Create != 1 {
		t.Errorf("the order was created %d times, want once", calls.Create)
	}
}

// Of two replicas the one that follows the payment is killed. The other one takes
// over because the owner's connection is gone, long before REPLICA_TTL.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	h := setupHand(t, processtest.Env{"REPLICA_TTL": "30s"}, "a", "b")
	h.start()
	h.step(simulator.ActTap, "initialized")
	owner, other := h.owner()
	h.Kill(owner)
	killed := time.Now()
	shown := h.step(simulator.ActDecline, "declined")
	t.Logf("from kill to the survivor's first status %s", shown.Sub(killed).Round(time.Millisecond))
	if limit := 15 * time.Second; shown.Sub(killed) > limit {
		t.Errorf("it took more than %s, and REPLICA_TTL is 30 s", limit)
	}
	h.ownedBy(other)
	h.stream()
	h.step(simulator.ActTap, "initialized")
	h.step(simulator.ActApprove, "completed")
	h.end("initialized", "declined", "initialized", "completed")
	if got := other.Metric(t, "pos_bridge_failovers_total", ""); got < 1 {
		t.Errorf("failovers_total of the survivor is %v, want 1 at least", got)
	}
}

// The replica that follows the payment is stopped for longer than it may be
// silent, and goes on without knowing: it publishes nothing any more.
func TestOwnerPaused(t *testing.T) {
	t.Parallel()
	h := setupHand(t, processtest.Env{"REPLICA_TTL": "5s"}, "a", "b")
	h.start()
	h.step(simulator.ActTap, "initialized")
	owner, other := h.owner()
	h.Pause(owner)
	paused := time.Now()
	shown := h.step(simulator.ActDecline, "declined")
	t.Logf("from pause to the survivor's first status %s", shown.Sub(paused).Round(time.Millisecond))
	if limit := 9 * time.Second; shown.Sub(paused) > limit {
		t.Errorf("it took more than %s, and REPLICA_TTL is 5 s", limit)
	}
	h.ownedBy(other)
	// The paused one's stream holds events for it by now.
	h.step(simulator.ActTap, "initialized")
	h.Resume(owner)
	h.step(simulator.ActDecline, "declined")
	h.act(simulator.ActTap, simulator.ActApprove)
	h.hear("completed")
	processtest.Until(t, time.Minute, "the paused replica has left the session", func() bool {
		return owner.Metric(t, "pos_bridge_sessions_active", "") == 0
	})
	h.end("initialized", "declined", "initialized", "declined", "initialized", "completed")
}

// The only replica is stopped for less than REPLICA_TTL, and for longer than a stream
// may be idle. What came meanwhile waits in its socket: the stream was not idle.
func TestPausedLongerThanIdle(t *testing.T) {
	t.Parallel()
	h := setupHand(t, processtest.Env{"REPLICA_TTL": "60s", "IDLE_TIMEOUT": "1s", "RECONCILE_INTERVAL": "60s"}, "a")
	h.start()
	h.step(simulator.ActTap, "initialized")
	want, dice := []string{"initialized"}, rand.New(rand.NewPCG(1, 2))
	for range 3 {
		owner, _ := h.owner()
		h.Pause(owner)
		h.act(simulator.ActDecline, simulator.ActTap)
		processtest.Pass(h.ctx, dice, 1500*time.Millisecond, 2*time.Second)
		h.act(simulator.ActDecline, simulator.ActTap)
		h.Resume(owner)
		h.step(simulator.ActDecline, "declined")
		h.step(simulator.ActTap, "initialized")
		want = append(want, "declined", "initialized", "declined", "initialized", "declined", "initialized")
	}
	h.step(simulator.ActApprove, "completed")
	h.end(append(want, "completed")...)
}

// The replica that follows the payment is told to stop while statuses change: the
// other one continues at once, and none is missed. Each is published before the
// next one. Of several that nobody has published, the successor could not tell a
// second cycle of declined and initialized from the first: the provider's events
// have nothing to tell them by.
func TestStatusesChangeDuringDrain(t *testing.T) {
	t.Parallel()
	h := setupHand(t, processtest.Env{"REPLICA_TTL": "20s"}, "a", "b")
	h.start()
	owner, _ := h.owner()
	var want []string
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		owner.Drain(t)
	}()
	change := time.NewTicker(20 * time.Millisecond)
	defer change.Stop()
	for done := false; !done; {
		select {
		case <-drained:
			done = true
		case <-change.C:
		}
		h.step(simulator.ActTap, "initialized")
		h.step(simulator.ActDecline, "declined")
		want = append(want, "initialized", "declined")
	}
	h.step(simulator.ActTap, "initialized")
	h.step(simulator.ActApprove, "completed")
	t.Logf("%d statuses changed during the drain", len(want))
	h.end(append(want, "initialized", "completed")...)
}

// A start that waited in the socket while its replica was stopped comes too late:
// no terminal rings for a till that has left.
func TestStartWhileStopped(t *testing.T) {
	t.Parallel()
	h := setupHand(t, processtest.Env{"START_DEADLINE": "1s"}, "a")
	h.Pause(h.replicas[0])
	paused := time.Now()
	answer := make(chan processtest.Reply, 1)
	go func() {
		reply, err := processtest.Ask(h.ctx, h.Conn, "pos.payment.start", processtest.NewStart(h.terminal, h.order, ""), time.Minute)
		if err != nil {
			t.Errorf("start: %v", err)
		}
		answer <- reply
	}()
	processtest.Eventually(exitLimit, func() bool { return time.Since(paused) > 2*time.Second }) // past START_DEADLINE
	h.Resume(h.replicas[0])
	reply := <-answer
	if reply.Error == nil || reply.Error.Code != "provider_unavailable" {
		t.Errorf("start: %+v, want provider_unavailable", reply)
	}
	if orders := h.Provider.Orders(); len(orders) != 0 {
		t.Errorf("the provider has %d orders, want none", len(orders))
	}
	h.order = "INV.7/2"
	h.start()
	h.act(simulator.ActTap, simulator.ActApprove)
	h.hear("completed")
	h.end("initialized", "completed")
}

// Thirty identical starts at once, through two replicas: one order at the
// provider, one answer that says created, and all the same session.
func TestThirtyIdenticalStarts(t *testing.T) {
	t.Parallel()
	h := setupHand(t, nil, "a", "b")
	// The provider takes its time, so that all of them arrive before it answers.
	if _, err := h.Provider.SetFault(simulator.Fault{Name: simulator.FaultSlowAPI, Operation: simulator.OpCreate, Delay: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	replies := make([]processtest.Reply, 30)
	var group sync.WaitGroup
	for i := range replies {
		subject := []string{"pos.payment.start", "pos." + h.terminal + ".payment.start"}[i%2]
		group.Go(func() {
			var err error
			// One whose answer was lost sends its start again.
			if replies[i], err = processtest.Insist(h.ctx, h.Conn, subject, processtest.NewStart(h.terminal, h.order, "")); err != nil {
				t.Errorf("start %d: %v", i, err)
			}
		})
	}
	group.Wait()
	made, ok := h.Provider.Order(h.order)
	if !ok || made.Calls.Create != 1 {
		t.Errorf("the provider was asked for %d creates, want 1", made.Calls.Create)
	}
	created := 0
	for i, r := range replies {
		if r.Error != nil || r.SessionID != made.SessionID || r.OrderID != h.order {
			t.Errorf("start %d: %+v, want session %s", i, r, made.SessionID)
		}
		if r.Created {
			created++
		}
	}
	if created != 1 {
		t.Errorf("%d answers say created, want 1", created)
	}
	h.stream()
	h.act(simulator.ActTap, simulator.ActApprove)
	h.hear("completed")
	h.end("initialized", "completed")
}
