package bus_test

import (
	"context"
	"errors"
	"testing"

	bus "github.com/posbridge/bridge/internal/bus2"
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
		if queued.Seq != seq || queued.Order != "A/1" || queued.Terminal != "T1" || queued.StoredAt.IsZero() {
			t.Errorf("queued: %+v", queued)
		}
		if got := must(b.QueuedTerminals(ctx))(t); len(got) != 1 || got[0] != "T1" {
			t.Errorf("queued terminals: %q", got)
		}
		got, _ := deliveries(t, b.Bus)
		d := receive(t, got)
		if d.Seq != seq || d.Delivered != 1 || d.Session.Nonce != "T1/A/1" || d.Session.V != bus.Version {
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
	for {
		_, err := b.Queued(t.Context(), terminal)
		if errors.Is(err, bus.ErrNotFound) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
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
