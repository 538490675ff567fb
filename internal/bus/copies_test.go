package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// An operator turns one copy into three while payments are open. What was begun
// before continues, and the first start afterwards works.
func TestFromOneToThreeCopies(t *testing.T) {
	t.Parallel()
	b := ready(t, natstest.RunCluster(t, 3).URL(), func(o *bus.Options) { o.Replicas = 1 })
	ctx := t.Context()
	got, _ := deliveries(t, b.Bus)
	last := map[string]uint64{}
	handles := map[string]string{}
	for i := range 10 {
		order := fmt.Sprintf("o%d", i)
		must(b.Enqueue(ctx, session("T"+order, order)))(t)
		handles[order] = receive(t, got).Handle
		last[order] = appendAnyway(t, b, status(order, "initialized", 1), 0)
	}
	for _, name := range []string{"POS_STATUS", "POS_SESSIONS"} {
		c := must(b.js.Stream(ctx, name))(t).CachedInfo().Config
		c.Replicas = 3
		must(b.js.UpdateStream(ctx, c))(t)
	}
	until(t, func() bool {
		seq, err := b.Enqueue(ctx, session("T1", "new"))
		if err != nil && !errors.Is(err, bus.ErrConflict) {
			t.Logf("enqueue: %v", err)
		}
		return seq > 0 || errors.Is(err, bus.ErrConflict)
	})
	for order, seq := range last {
		last[order] = appendAnyway(t, b, status(order, "completed", 2), seq)
		until(t, func() bool {
			err := b.Ack(ctx, handles[order])
			if err != nil {
				t.Logf("ack: %v", err)
			}
			return err == nil
		})
		free(t, b.Bus, "T"+order)
	}
	for receive(t, got).Terminal != "T1" { //nolint:revive // sessions before it do not matter
	}
	for order, seq := range last {
		if log := must(b.ReadLog(ctx, "T1", order, true))(t); log.Last != seq || len(log.Statuses) != 2 {
			t.Errorf("%s: got %+v, want two statuses, the last at %d", order, log, seq)
		}
	}
	if _, err := b.AppendStatus(ctx, status("o0", "again", 3), last["o1"]); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("got %v, want a conflict: the fence must hold", err)
	}
}
