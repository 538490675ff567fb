package bridge

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
)

func put(terminal, order string, revision uint64) bus.RecordChange {
	return bus.RecordChange{Terminal: terminal, Record: &bus.Record{Order: order}, Revision: revision}
}

func TestBoardKeepsTheLatest(t *testing.T) {
	t.Parallel()
	b := newBoard()
	var changes []string
	b.onChange = func(terminal string) { changes = append(changes, terminal) }
	b.told(put("T", "a", 1))
	b.wrote(put("T", "b", 3)) // this replica's own, before the watch tells it
	b.told(put("T", "old", 2))
	b.told(put("T", "b", 3))
	b.told(put("U", "c", 4))
	if r, revision, ok := b.of("T"); !ok || r.Order != "b" || revision != 3 {
		t.Errorf("got %+v at %d, %v", r, revision, ok)
	}
	if got := slices.Sorted(maps.Keys(b.all())); !slices.Equal(got, []string{"T", "U"}) {
		t.Errorf("got %q", got)
	}
	if want := []string{"T", "T", "U"}; !slices.Equal(changes, want) {
		t.Errorf("told of changes of %q, want %q", changes, want)
	}
	b.told(bus.RecordChange{Terminal: "T", Revision: 5})
	if _, _, ok := b.of("T"); ok {
		t.Error("a deleted record is still there")
	}
	b.restart()
	if got := b.all(); len(got) != 0 {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestBoardWakesWhoWaits(t *testing.T) {
	t.Parallel()
	b := newBoard()
	changed, stop := b.watch("T")
	other, stopOther := b.watch("U")
	b.told(put("T", "a", 1))
	b.told(put("T", "b", 2)) // one note is enough
	<-changed
	select {
	case <-changed:
		t.Error("two notes")
	case <-other:
		t.Error("woken for another terminal")
	default:
	}
	stop()
	stopOther()
	b.told(put("T", "c", 3))
	select {
	case <-changed:
		t.Error("woken after the end")
	default:
	}
	if len(b.waiting) != 0 {
		t.Errorf("%d terminals are still waited for", len(b.waiting))
	}
}

func TestBoardSync(t *testing.T) {
	t.Parallel()
	b := newBoard()
	b.told(put("T", "a", 5))
	if err := b.sync(t.Context(), 5); err != nil {
		t.Errorf("what was told already: %v", err)
	}
	synced := make(chan error, 1)
	go func() { synced <- b.sync(t.Context(), 7) }()
	for registered := false; !registered; { // until it waits
		b.mu.Lock()
		registered = len(b.syncing) == 1
		b.mu.Unlock()
	}
	b.told(put("T", "b", 6))
	select {
	case err := <-synced:
		t.Errorf("done too early: %v", err)
	default:
	}
	b.told(bus.RecordChange{Terminal: "T", Revision: 8})
	if err := <-synced; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.sync(ctx, 99); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(b.syncing) != 0 {
		t.Errorf("%d are still waiting", len(b.syncing))
	}
	b.restart() // a new watch tells everything anew before it is in step
	if err := b.sync(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("in step though nothing was told since the restart: %v", err)
	}
	b.complete(8)
	if err := b.sync(ctx, 8); err != nil {
		t.Error(err)
	}
}
