package bridge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// An object of JetStream's is deleted under an open payment: it is made again,
// and the payment goes on to its end.
func TestObjectsDeletedDuringAPayment(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*bundle) error{
		"consumer": func(b *bundle) error { return b.js.DeleteConsumer(b.ctx, "POS_SESSIONS", "bridge") },
		"queue":    func(b *bundle) error { return b.js.DeleteStream(b.ctx, "POS_SESSIONS") },
		"bucket":   func(b *bundle) error { return b.js.DeleteKeyValue(b.ctx, "pos_sessions") },
		"queue and bucket": func(b *bundle) error {
			if err := b.js.DeleteStream(b.ctx, "POS_SESSIONS"); err != nil {
				return err
			}
			return b.js.DeleteKeyValue(b.ctx, "pos_sessions")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{simulator: simulator.Options{Manual: true}})
			r := b.run()
			b.start(order("a", terminal1))
			b.await("a", "initialized")
			if err := remove(b); err != nil {
				t.Fatal(err)
			}
			b.act(terminal1, simulator.ActDecline)
			b.await("a", "initialized", "declined") // the stream of statuses is there
			eventually(t, "the objects are made again", func() bool {
				_, queue := b.js.Consumer(b.ctx, "POS_SESSIONS", "bridge")
				_, bucket := b.js.KeyValue(b.ctx, "pos_sessions")
				return queue == nil && bucket == nil
			})
			b.act(terminal1, simulator.ActApprove)
			b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf("a")) == "completed" })
			b.await("a", "initialized", "declined", "initialized", "completed")
			b.waitFree(terminal1)
			r.waitReady(http.StatusOK)
			r.waitMetric("pos_bridge_sessions_active", "0")
			if got := b.start(order("b", terminal1)); !got.Created {
				t.Errorf("the next payment: got %+v", got)
			}
			b.await("b", "initialized")
			b.act(terminal1, simulator.ActCancel)
			b.await("b", "initialized", "cancelled")
			for _, id := range []string{"a", "b"} {
				if n := b.sim.Calls(id).Create; n != 1 {
					t.Errorf("%s: %d creates", id, n)
				}
			}
		})
	}
}

// All of JetStream is lost under an open payment, as with its disk: the replica
// that follows it locks the terminal again, and creates nothing a second time.
func TestEverythingDeletedDuringAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	for _, err := range []error{
		b.js.DeleteStream(b.ctx, "POS_SESSIONS"), b.js.DeleteKeyValue(b.ctx, "pos_sessions"), b.js.DeleteStream(b.ctx, "POS_STATUS"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.forget() // the auditor cannot know what was lost
	eventually(t, "the session is listed again", func() bool {
		_, err := b.js.KeyValue(b.ctx, "pos_sessions")
		return err == nil && len(b.list()) == 1
	})
	if r := b.do("pos.payment.start", order("b", terminal1)); r.header.Get(schema.HeaderErrorCode) != "409" {
		t.Errorf("another payment on the terminal: %s", r.body)
	}
	if got := b.start(order("a", terminal1)); got.Created {
		t.Errorf("the same request again: %+v", got)
	}
	b.act(terminal1, simulator.ActDecline, simulator.ActTap, simulator.ActApprove)
	b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf("a")) == "completed" })
	b.await("a", "initialized", "declined", "initialized", "completed")
	b.waitFree(terminal1)
	if n := b.sim.Calls("a").Create; n != 1 {
		t.Errorf("%d creates", n)
	}
}

// The stream of statuses is deleted under an open payment: it is made again, and
// what comes then is published, counting on.
func TestStatusesDeletedDuringAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	if err := b.js.DeleteStream(b.ctx, "POS_STATUS"); err != nil {
		t.Fatal(err)
	}
	b.forget() // the auditor cannot know what was lost
	b.act(terminal1, simulator.ActApprove)
	b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf("a")) == "completed" })
	events := b.events("a")
	if names := namesOf(events); !slices.Equal(names, []string{"initialized", "completed"}) || events[1].Sequence != 2 {
		t.Errorf("got %+v", events)
	}
	b.waitFree(terminal1)
}

// The lock of a terminal is lost under an open payment, and another order is
// started there: it is refused, and the first payment goes on.
func TestSecondStartAfterALostLock(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	s, err := b.js.Stream(b.ctx, "POS_SESSIONS")
	if err == nil {
		err = s.Purge(b.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // one of them at least goes to the other replica
		b.do("pos.payment.start", order(fmt.Sprint("b", i), terminal1)).failed(schema.TerminalBusy)
	}
	b.act(terminal1, simulator.ActDecline, simulator.ActTap, simulator.ActApprove)
	b.await("a", "initialized", "declined", "initialized", "completed")
}

// The queue is lost while a payment settles: a payment that is over locks its
// terminal no more.
func TestQueueLostInTheSettleWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run(func(c *bridge.Config) { c.Timing.SettleWindow, c.Timing.ReplicaTTL = 20*time.Second, 20*time.Second })
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	if err := b.js.DeleteStream(b.ctx, "POS_SESSIONS"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is made again", func() bool {
		_, err := b.js.Consumer(b.ctx, "POS_SESSIONS", "bridge")
		return err == nil
	})
	if got := b.start(order("b", terminal1)); !got.Created {
		t.Errorf("the next payment: %+v", got)
	}
}

// The queue takes nothing when open sessions are to be queued again, and is lost
// once more: it is made again all the same.
func TestQueueDeletedTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	lose := func() {
		if err := b.js.DeleteStream(b.ctx, "POS_SESSIONS"); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	var full jetstream.StreamConfig
	eventually(t, "the queue is made again, and takes nothing", func() bool {
		s, err := b.js.Stream(b.ctx, "POS_SESSIONS")
		if err != nil {
			return false
		}
		full = s.CachedInfo().Config
		full.MaxMsgSize = 10
		_, err = b.js.UpdateStream(b.ctx, full)
		return err == nil
	})
	lose()
	eventually(t, "the session has a place again", func() bool { return b.queued() == 1 })
	r.waitReady(http.StatusOK)
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
}

// Something that no bridge wrote stands among an order's statuses: the payment
// ends all the same, and its terminal is free.
func TestGarbageAmongTheStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	garbage := nats.NewMsg("pos." + terminal1 + ".a.journal")
	garbage.Header.Set(garbageHeader, "yes")
	if _, err := b.js.PublishMsg(b.ctx, garbage); err != nil {
		t.Fatal(err)
	}
	b.act(terminal1, simulator.ActApprove)
	b.waitFree(terminal1)
	if got := b.getOrder(terminal1, "a"); got.Status != "completed" || got.Sequence != 2 {
		t.Errorf("got %+v", got)
	}
}

// The bucket is lost under a session that was taken over before: nobody else has
// the session, and its follower goes on reading the event stream.
func TestBucketLostUnderATakenOverSession(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	often := func(c *bridge.Config) { c.Timing.ReconcileInterval = 200 * time.Millisecond }
	first := b.run(often)
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	first.kill()
	r := b.run(often)
	eventually(t, "the other replica follows, and asks", func() bool {
		s := b.list()
		return len(s) == 1 && s[0].Replica == r.id && strings.Contains(r.logs.String(), "No change")
	})
	if err := b.js.DeleteKeyValue(b.ctx, "pos_sessions"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session is listed again", func() bool {
		_, err := b.js.KeyValue(b.ctx, "pos_sessions")
		return err == nil && len(b.list()) == 1
	})
	r.waitReady(http.StatusOK)
	b.act(terminal1, simulator.ActDecline, simulator.ActTap, simulator.ActApprove)
	b.await("a", "initialized", "declined", "initialized", "completed")
	if strings.Contains(r.logs.String(), "leaving it") {
		t.Error("the session was left although nobody else had it")
	}
}

// The lock of a terminal is lost together with the replica that follows its
// payment. The next start there is refused, and has the payment followed again.
func TestLockAndFollowerLost(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	first.kill()
	s, err := b.js.Stream(b.ctx, "POS_SESSIONS")
	if err == nil {
		err = s.Purge(b.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.run()
	b.do("pos.payment.start", order("b", terminal1)).failed(schema.TerminalBusy)
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	if got := b.start(order("b", terminal1)); !got.Created {
		t.Errorf("the next payment: %+v", got)
	}
	if n := b.sim.Calls("a").Create; n != 1 {
		t.Errorf("%d creates", n)
	}
}
