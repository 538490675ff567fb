package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/subjects"
)

func TestWatchShowsEveryOrder(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := ready(t, server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	last := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
	last = must(b.AppendStatus(ctx, status("A", "initialized", 1), last))(t)
	entries, caughtUp, done := make(chan bus.Entry, 16), make(chan uint64, 2), make(chan error, 1)
	go func() {
		done <- b.Watch(ctx, time.Time{}, func(e bus.Entry) { entries <- e }, func(seq uint64) { caughtUp <- seq })
	}()
	if e := receive(t, entries); e.Kind != subjects.Claim || e.Claim == nil || e.Claim.Epoch != 1 || e.Terminal != "T1" || e.Order != "A" || e.At.IsZero() {
		t.Errorf("got %+v, want the claim", e)
	}
	if e := receive(t, entries); e.Kind != subjects.Status || e.Status == nil || e.Status.Event.Status != "initialized" || e.Seq != last {
		t.Errorf("got %+v, want the status", e)
	}
	if seq := receive(t, caughtUp); seq != last {
		t.Errorf("caught up at %d, want %d", seq, last)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	after := appendAnyway(t, b, status("A", "completed", 2), last)
	if e := receive(t, entries); e.Seq != after {
		t.Errorf("got %+v, want the next status after the restart", e)
	}
	cancel()
	if err := receive(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if len(entries)+len(caughtUp) > 0 {
		t.Error("something came twice")
	}
}

// appendAnyway publishes a status while the server may be away.
func appendAnyway(t testing.TB, b *bundle, s payment.Status, expect uint64) uint64 {
	t.Helper()
	var seq uint64
	until(t, func() bool {
		var err error
		if seq, err = b.AppendStatus(t.Context(), s, expect); err == nil {
			return true
		}
		log, err := b.ReadLog(t.Context(), s.Event.TerminalID, s.Event.OrderID, false)
		seq = log.Last
		return err == nil && seq > expect
	})
	return seq
}

func TestWatchOfAnEmptyStreamIsReadyAtOnce(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	caughtUp, done := make(chan uint64, 1), make(chan error, 1)
	go func() { done <- b.Watch(ctx, time.Time{}, func(bus.Entry) {}, func(seq uint64) { caughtUp <- seq }) }()
	receive(t, caughtUp)
	cancel()
	receive(t, done)
}

func TestWatchIsReadyAgainWhenTheStreamWasMadeAnew(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	last := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
	caughtUp, done := make(chan uint64, 4), make(chan error, 1)
	go func() { done <- b.Watch(ctx, time.Time{}, func(bus.Entry) {}, func(seq uint64) { caughtUp <- seq }) }()
	if seq := receive(t, caughtUp); seq != last {
		t.Errorf("caught up at %d, want %d", seq, last)
	}
	if err := b.js.DeleteStream(ctx, subjects.Default().StatusStream()); err != nil {
		t.Fatal(err)
	}
	b.ensure()
	if seq := receive(t, caughtUp); seq <= last {
		t.Errorf("caught up at %d, want more than %d", seq, last)
	}
	cancel()
	receive(t, done)
}

func TestTerminalOfAnOrder(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	must(b.AppendStatus(t.Context(), status("A/1.x", "initialized", 1), 0))(t)
	if terminal := must(b.TerminalOf(t.Context(), "A/1.x"))(t); terminal != "T1" {
		t.Errorf("got %s, want T1", terminal)
	}
	must(b.AppendClaim(t.Context(), "T2", "B", claim("T2", "B", 1), 0))(t)
	if terminal := must(b.TerminalOf(t.Context(), "B"))(t); terminal != "T2" {
		t.Errorf("without a status: got %s, want T2", terminal)
	}
	if _, err := b.TerminalOf(t.Context(), "A"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
}
