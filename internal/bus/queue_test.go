package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// deliveries collects what a bus is handed until the test ends.
func deliveries(t testing.TB, b *bus.Bus) (got chan bus.Delivery, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got = make(chan bus.Delivery, 4096)
	done := make(chan error, 1)
	go func() {
		defer close(got)
		done <- b.Deliveries(ctx, func(d bus.Delivery) { got <- d }, func(err error) { t.Logf("deliveries: %v", err) })
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := receive(t, done); err != nil {
				t.Errorf("deliveries ended with %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return got, stop
}

func TestASessionLocksItsTerminal(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		if _, err := b.Queued(ctx, "T1"); !errors.Is(err, bus.ErrNotFound) {
			t.Fatalf("got %v, want not found", err)
		}
		seq := must(b.Enqueue(ctx, session("T1", "A/1")))(t)
		if _, err := b.Enqueue(ctx, session("T1", "B")); !errors.Is(err, bus.ErrConflict) {
			t.Fatalf("got %v, want a conflict", err)
		}
		queued := must(b.Queued(ctx, "T1"))(t)
		if queued.Seq != seq || queued.Session.Order() != "A/1" || queued.Session.Terminal() != "T1" || queued.StoredAt.IsZero() {
			t.Errorf("queued: %+v", queued)
		}
		if got := must(b.QueuedTerminals(ctx))(t); len(got) != 1 || got[0] != "T1" {
			t.Errorf("queued terminals: %q", got)
		}
		got, _ := deliveries(t, b.Bus)
		d := receive(t, got)
		if d.Seq != seq || d.Delivered != 1 || d.Session.Nonce != "T1/A/1" {
			t.Errorf("delivered: %+v", d)
		}
		other := b.another()
		if at, ok := other.ParseHandle(d.Handle); !ok || at != seq {
			t.Errorf("the handle %q belongs to %d, want %d", d.Handle, at, seq)
		}
		if err := other.InProgress(d.Handle); err != nil {
			t.Error(err)
		}
		if err := other.Nak(d.Handle); err != nil {
			t.Error(err)
		}
		again := receive(t, got)
		if again.Seq != seq || again.Delivered != 2 {
			t.Errorf("delivered again: %+v", again)
		}
		if err := other.Ack(ctx, d.Handle); err != nil {
			t.Error(err)
		}
		free(t, b.Bus, "T1")
	})
}

// free waits until a terminal is not locked: on replicated streams the ack is
// confirmed before the message is gone.
func free(t testing.TB, b *bus.Bus, terminal string) {
	t.Helper()
	until(t, func() bool {
		_, err := b.Queued(t.Context(), terminal)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			t.Error(err)
		}
		return err != nil
	})
}

func TestASessionIsRemovedByItsSequence(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		seq := must(b.Enqueue(t.Context(), session("T1", "A")))(t)
		for range 2 { // the second time it is gone, which is no error
			if err := b.DeleteSession(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
		free(t, b.Bus, "T1")
	})
}

// A handle belongs to one session for ever: after the queue was deleted and
// created again it does nothing to the session of another terminal.
func TestAnOldHandleDoesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		got, stop := deliveries(t, b.Bus)
		old := must(b.Enqueue(ctx, session("T1", "A")))(t)
		handle := receive(t, got).Handle
		stop()
		if err := b.js.DeleteStream(ctx, "POS_SESSIONS"); err != nil {
			t.Fatal(err)
		}
		if made := b.ensure(); made != (bus.Made{Sessions: true}) {
			t.Errorf("made %+v", made)
		}
		got, _ = deliveries(t, b.Bus)
		next := must(b.Enqueue(ctx, session("T2", "B")))(t)
		d := receive(t, got)
		if d.Seq != next || next <= old {
			t.Fatalf("delivered %d, want %d, after %d", d.Seq, next, old)
		}
		_ = b.Ack(ctx, handle) // whether it is answered does not matter
		if err := b.Nak(handle); err != nil {
			t.Error(err)
		}
		if err := b.DeleteSession(ctx, old); err != nil {
			t.Error(err)
		}
		if queued := must(b.Queued(ctx, "T2"))(t); queued.Seq != next {
			t.Errorf("queued: %+v", queued)
		}
		if err := b.Ack(ctx, d.Handle); err != nil {
			t.Error(err)
		}
		free(t, b.Bus, "T2")
		if len(got) > 0 {
			t.Errorf("delivered %+v, too", <-got)
		}
	})
}

func TestParseHandle(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	for _, tt := range []struct {
		handle string
		seq    uint64
	}{
		{"$JS.ACK.POS_SESSIONS.bridge.1.42.7.1764270000000000000.3", 42},
		{"$JS.ACK.hub.ACCHASH.POS_SESSIONS.bridge.1.42.7.1764270000000000000.3.token", 42},
		{"$JS.ACK._.ACCHASH.POS_SESSIONS.bridge.1.42.7.1764270000000000000.3", 42},
		{"", 0},
		{"pos.T1.session", 0},
		{"$JS.ACK.POS_STATUS.bridge.1.42.7.1764270000000000000.3", 0},
		{"$JS.ACK.POS_SESSIONS.other.1.42.7.1764270000000000000.3", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.42.7.1764270000000000000", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.42.7.1764270000000000000.3.4", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.0.7.1764270000000000000.3", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.*.7.1764270000000000000.3", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.-2.7.1764270000000000000.3", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.42.7.1764270000000000000.3\r\nPUB x", 0},
		{"$JS.ACK.POS_SESSIONS.bridge.1.18446744073709551615.7.1764270000000000000.3", 0},
		{"$JS.API.STREAM.DELETE.POS_SESSIONS", 0},
	} {
		seq, ok := b.ParseHandle(tt.handle)
		if ok != (tt.seq > 0) || ok && seq != tt.seq {
			t.Errorf("%q: got %d, %v, want %d", tt.handle, seq, ok, tt.seq)
		}
		if !ok {
			for _, err := range []error{b.InProgress(tt.handle), b.Nak(tt.handle), b.Ack(t.Context(), tt.handle)} {
				if !errors.Is(err, bus.ErrHandle) {
					t.Errorf("%q: got %v, want ErrHandle", tt.handle, err)
				}
			}
		}
	}
}

// Sessions that were fetched when a replica stops go to another one at once.
func TestAStoppedReplicaGivesBackWhatItHasNotTaken(t *testing.T) {
	t.Parallel()
	b := ready(t, "", func(o *bus.Options) { o.ReplicaTTL = time.Hour }) // nothing but a nak brings one back
	const sessions = 40
	for i := range sessions {
		must(b.Enqueue(t.Context(), session(fmt.Sprintf("T%d", i), "o")))(t)
	}
	ctx, stop := context.WithCancel(t.Context())
	taken := map[string]bool{}
	err := b.Deliveries(ctx, func(d bus.Delivery) {
		taken[d.Session.Terminal()] = true
		stop()
	}, func(err error) { t.Error(err) })
	if err != nil || len(taken) == 0 || len(taken) == sessions {
		t.Fatalf("took %d, ended with %v", len(taken), err)
	}
	got, _ := deliveries(t, b.another(func(o *bus.Options) { o.ReplicaTTL = time.Hour }))
	for len(taken) < sessions {
		d := receive(t, got)
		if taken[d.Session.Terminal()] {
			t.Errorf("%s was taken before", d.Session.Terminal())
		}
		taken[d.Session.Terminal()] = true
	}
}

// What the bridge cannot have written unlocks its terminal. What a later release
// has written waits for it.
func TestUnreadableSessions(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	for terminal, body := range map[string]string{
		"garbage": "{", "unversioned": `{"request":{"terminal_id":"unversioned","order_id":"o"}}`, "later": `{"v":3}`,
		"other": `{"v":1,"request":{"terminal_id":"T1","order_id":"o"}}`, "orderless": `{"v":1,"request":{"terminal_id":"orderless"}}`,
	} {
		msg := &nats.Msg{Subject: "pos." + terminal + ".session", Data: []byte(body), Header: nats.Header{"Status": {"408"}}}
		must(b.js.PublishMsg(t.Context(), msg))(t)
	}
	must(b.Enqueue(t.Context(), session("T9", "o")))(t)
	got, _ := deliveries(t, b.Bus)
	if d := receive(t, got); d.Session.Terminal() != "T9" {
		t.Errorf("delivered %+v", d)
	}
	for _, terminal := range []string{"garbage", "unversioned", "other", "orderless"} {
		free(t, b.Bus, terminal)
	}
	if _, err := b.Queued(t.Context(), "later"); !errors.Is(err, bus.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// Two replicas take everything that 16 requesters queue, each session once.
func TestEverySessionIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	b := ready(t, "", func(o *bus.Options) { o.ReplicaTTL = time.Minute })
	const requesters, each = 16, 50
	one, _ := deliveries(t, b.Bus)
	two, _ := deliveries(t, b.another(func(o *bus.Options) { o.ReplicaTTL = time.Minute }))
	var group errgroup.Group
	for r := range requesters {
		group.Go(func() error {
			for i := range each {
				if _, err := b.Enqueue(t.Context(), session(fmt.Sprintf("T%d-%d", r, i), "o")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	seen := map[string]bool{}
	for len(seen) < requesters*each {
		var d bus.Delivery
		select {
		case d = <-one:
		case d = <-two:
		case <-time.After(patience):
			t.Fatalf("%d of %d were delivered", len(seen), requesters*each)
		}
		if seen[d.Session.Terminal()] || d.Delivered != 1 {
			t.Errorf("%s came again, delivery %d", d.Session.Terminal(), d.Delivered)
		}
		seen[d.Session.Terminal()] = true
		if err := b.Ack(t.Context(), d.Handle); err != nil {
			t.Error(err)
		}
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if left := must(b.QueuedTerminals(t.Context()))(t); len(left) > 0 {
		t.Errorf("still queued: %q", left)
	}
}

func TestDeliveriesEndWithoutTheirConsumer(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	done := make(chan error, 1)
	got := make(chan bus.Delivery, 1)
	go func() { done <- b.Deliveries(t.Context(), func(d bus.Delivery) { got <- d }, func(error) {}) }()
	must(b.Enqueue(t.Context(), session("T1", "o")))(t)
	receive(t, got)
	if err := b.js.DeleteConsumer(t.Context(), "POS_SESSIONS", "bridge"); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, done); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("got %v, want consumer not found", err)
	}
}

// The queue goes on after its server was away.
func TestDeliveriesContinueAfterARestart(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := ready(t, server.URL())
	got, _ := deliveries(t, b.Bus)
	first := must(b.Enqueue(t.Context(), session("T1", "o")))(t)
	if d := receive(t, got); d.Seq != first {
		t.Fatalf("delivered %+v", d)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { // while the server starts
		_, err := b.Enqueue(t.Context(), session("T2", "o"))
		return err == nil || errors.Is(err, bus.ErrConflict)
	})
	for receive(t, got).Session.Terminal() != "T2" { //nolint:revive // sessions before it do not matter
	}
}
