package bridge_test

import (
	"net/http"
	"testing"
	"time"

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
			eventually(t, "the objects are made again, and the terminal is locked", func() bool {
				_, err := b.js.Consumer(b.ctx, "POS_SESSIONS", "bridge")
				return err == nil && b.queued() == 1
			})
			b.do("pos.payment.start", order("b", terminal1)).failed(schema.TerminalBusy)
			b.act(terminal1, simulator.ActApprove)
			b.awaitLast("a", "completed")
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
// that follows it goes on, and creates nothing a second time.
func TestEverythingDeletedDuringAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	for _, name := range []string{"POS_SESSIONS", "POS_STATUS"} {
		if err := b.js.DeleteStream(b.ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	b.forget() // the auditor cannot know what was lost
	eventually(t, "the streams are made again", func() bool {
		_, err := b.js.Stream(b.ctx, "POS_STATUS")
		return err == nil && b.queued() >= 0
	})
	b.act(terminal1, simulator.ActDecline)
	b.await("a", "initialized", "declined")
	eventually(t, "the session is listed again, and its terminal locked", func() bool { return len(b.list()) == 1 && b.queued() == 1 })
	b.do("pos.payment.start", order("b", terminal1)).failed(schema.TerminalBusy)
	if got := b.start(order("a", terminal1)); got.Created {
		t.Errorf("the same request again: %+v", got)
	}
	b.act(terminal1, simulator.ActTap, simulator.ActApprove)
	b.awaitLast("a", "completed")
	events := b.await("a", "initialized", "declined", "initialized", "completed")
	for i, e := range events {
		if e.Sequence != uint64(i+1) {
			t.Errorf("got %+v", e)
		}
	}
	b.waitFree(terminal1)
	if n := b.sim.Calls("a").Create; n != 1 {
		t.Errorf("%d creates", n)
	}
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
