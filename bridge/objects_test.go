package bridge_test

import (
	"net/http"
	"slices"
	"testing"

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
