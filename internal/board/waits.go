package board

import (
	"context"
	"sync"
)

// waits are those who wait for the board to change.
type waits struct {
	mu sync.Mutex
	// orders has the waiters of each order; every one gets a note in its channel. Those of
	// the zero Ref wait for any message.
	orders map[Ref]map[chan struct{}]struct{}
	// seq is the last sequence of the stream that was told.
	seq uint64
}

// changed leaves a note for everybody who waits for an order.
func (w *waits) changed(ref Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(ref)
}

// told notes that the stream was shown up to a sequence.
func (w *waits) told(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq = max(w.seq, seq)
	w.note(Ref{})
}

// note leaves notes. w.mu is held.
func (w *waits) note(ref Ref) {
	for ch := range w.orders[ref] {
		select {
		case ch <- struct{}{}:
		default: // one note is enough
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
	return b.await(ctx, ref, func() bool {
		e, _ := b.Get(ref)
		return holds(e)
	})
}

// Synced waits until the board shows everything up to a sequence of the stream.
func (b *Board) Synced(ctx context.Context, seq uint64) error {
	return b.await(ctx, Ref{}, func() bool {
		b.waits.mu.Lock()
		defer b.waits.mu.Unlock()
		return b.waits.seq >= seq
	})
}

func (b *Board) await(ctx context.Context, ref Ref, holds func() bool) error {
	changed, stop := b.Changes(ref)
	defer stop()
	for !holds() {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
