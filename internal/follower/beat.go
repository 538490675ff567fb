package follower

import (
	"context"
	"time"
)

// beatBuckets is over how many moments the heartbeats of all sessions are spread.
const beatBuckets = 32

// beats keep the sessions of this replica in the queue: each is reported as in
// progress once per period.
type beats struct {
	queue    Queue
	interval time.Duration
	buckets  [beatBuckets]map[*actor]struct{}
	now      int
	added    int
	// handles go to the goroutine that sends: the loop never waits for a socket.
	handles chan []string
}

func newBeats(queue Queue, period time.Duration) *beats {
	b := &beats{queue: queue, interval: period / beatBuckets, handles: make(chan []string, 1)}
	for i := range b.buckets {
		b.buckets[i] = map[*actor]struct{}{}
	}
	return b
}

func (b *beats) add(a *actor) {
	a.bucket = b.added % beatBuckets
	b.added++
	b.buckets[a.bucket][a] = struct{}{}
}

func (b *beats) remove(a *actor) { delete(b.buckets[a.bucket], a) }

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
	var handles []string
	for a := range b.buckets[b.now] {
		if h := a.payment.Place.Handle; h != "" && a.payment.Active() {
			handles = append(handles, h)
		}
	}
	if len(handles) == 0 {
		return
	}
	select {
	case b.handles <- handles:
	default: // the sender is stuck: NATS is away
	}
}
