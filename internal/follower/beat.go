package follower

import (
	"context"
	"maps"
	"slices"
	"time"
)

// beatBuckets is over how many moments the heartbeats of all sessions are spread.
const beatBuckets = 8

// beats keep the sessions of this replica in the queue: each is reported as in
// progress once per period.
type beats struct {
	queue    Queue
	interval time.Duration
	// buckets have the handles of the sessions that are kept alive.
	buckets [beatBuckets]map[*actor]string
	now     int
	added   int
	// handles go to the goroutine that sends: the loop never waits for a socket.
	handles chan []string
}

func newBeats(queue Queue, period time.Duration) *beats {
	b := &beats{queue: queue, interval: period / beatBuckets, handles: make(chan []string, 1)}
	for i := range b.buckets {
		b.buckets[i] = map[*actor]string{}
	}
	return b
}

// add finds a place for a payment.
func (b *beats) add(a *actor) {
	a.bucket = b.added % beatBuckets
	b.added++
}

// set says by which handle a payment's session is kept alive, "" for none.
func (b *beats) set(a *actor, handle string) {
	switch {
	case a.handle == handle:
		return
	case handle == "":
		delete(b.buckets[a.bucket], a)
	default:
		b.buckets[a.bucket][a] = handle
	}
	a.handle = handle
}

// run sends until ctx is over. A heartbeat that is lost is followed by the next
// one before the session is delivered again.
func (b *beats) run(ctx context.Context) {
	for {
		select {
		case handles := <-b.handles:
			for _, h := range handles {
				_ = b.queue.InProgress(h)
			}
		case <-ctx.Done():
			return
		}
	}
}

// beat sends the heartbeats of one bucket. It runs in the loop.
func (f *Follower) beat() {
	b := f.beats
	if b.now = (b.now + 1) % beatBuckets; b.now == 0 {
		f.noteOldest()
	}
	handles := slices.Collect(maps.Values(b.buckets[b.now]))
	if len(handles) == 0 {
		return
	}
	select {
	case b.handles <- handles:
	default: // the sender is stuck: NATS is away
	}
}
