package follower

import (
	"context"
	"time"
)

// beatParts is the number of parts into which the sessions are divided. The heartbeats of
// one part are sent together.
const beatParts = 8

// beats keep the sessions of this replica in the queue: each is reported as in
// progress once per period.
type beats struct {
	queue    Queue
	interval time.Duration
	// sessions are those that this replica keeps alive, in parts; count is how many.
	sessions [beatParts]map[*actor]struct{}
	count    int
	// now is the part whose turn it was last.
	now int
	// handles go to the goroutine that sends: the loop never waits for a socket.
	handles chan []string
}

func newBeats(queue Queue, period time.Duration) *beats {
	b := &beats{queue: queue, interval: period / beatParts, handles: make(chan []string, 1)}
	for i := range b.sessions {
		b.sessions[i] = map[*actor]struct{}{}
	}
	return b
}

// set says whether a payment's session is kept alive, and reports whether it was not so
// before.
func (b *beats) set(a *actor, active bool) (changed bool) {
	part := b.sessions[a.number%beatParts]
	switch _, was := part[a]; {
	case was == active:
		return false
	case active:
		part[a] = struct{}{}
		b.count++
	default:
		delete(part, a)
		b.count--
	}
	return true
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

// beat sends the heartbeats of one part of the sessions. It runs in the loop.
func (f *Follower) beat() {
	b := f.beats
	if b.now = (b.now + 1) % beatParts; b.now == 0 {
		f.noteOldest()
	}
	var handles []string
	for a := range b.sessions[b.now] {
		if h := a.payment.Place.Handle; h != "" {
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
