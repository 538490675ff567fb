package board

import (
	"context"
	"sync"
)

// waits are those who wait for the board to change.
type waits struct {
	mu sync.Mutex
	// orders has the waiters of each order; every one gets a note in its channel.
	orders map[Ref]map[chan struct{}]struct{}
	// seq is the last sequence of the stream that was told, syncs who waits for one.
	seq   uint64
	syncs map[chan struct{}]uint64
}

func newWaits() waits {
	return waits{orders: map[Ref]map[chan struct{}]struct{}{}, syncs: map[chan struct{}]uint64{}}
}

// changed leaves a note for everybody who waits for an order.
func (w *waits) changed(ref Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.orders[ref] {
		select {
		case ch <- struct{}{}:
		default: // one note is enough
		}
	}
}

// told notes that the stream was shown up to a sequence.
func (w *waits) told(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq = max(w.seq, seq)
	for ch, wanted := range w.syncs {
		if w.seq >= wanted {
			delete(w.syncs, ch)
			close(ch)
		}
	}
}

// Changes returns a channel that gets a note after every change of an order, and
// a function that ends it. Whoever takes the channel first and reads the order's
// log second misses nothing. How many wait is for the callers to bound.
func (b *Board) Changes(ref Ref) (changed <-chan struct{}, stop func()) {
	w, ch := &b.waits, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.orders[ref] == nil {
		w.orders[ref] = map[chan struct{}]struct{}{}
	}
	w.orders[ref][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.orders[ref], ch)
		if len(w.orders[ref]) == 0 {
			delete(w.orders, ref)
		}
	}
}

// Await waits until holds is true of an order, or returns the error of ctx.
func (b *Board) Await(ctx context.Context, ref Ref, holds func(Entry) bool) error {
	changed, stop := b.Changes(ref)
	defer stop()
	for {
		if e, _ := b.Get(ref); holds(e) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Synced waits until the board shows everything up to a sequence of the stream.
func (b *Board) Synced(ctx context.Context, seq uint64) error {
	w, ch := &b.waits, make(chan struct{})
	w.mu.Lock()
	if w.seq >= seq {
		w.mu.Unlock()
		return nil
	}
	w.syncs[ch] = seq
	w.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		delete(w.syncs, ch)
		w.mu.Unlock()
		return ctx.Err()
	}
}
