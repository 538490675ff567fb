package follower

import (
	"sync"
	"time"
)

// writesLimit is for how long messages may fail to be stored before the replica
// is not ready.
const writesLimit = 3 * time.Second

// writes knows whether messages are stored.
type writes struct {
	mu sync.Mutex
	// failing are the messages that are tried again just now.
	failing int
	since   time.Time
	last    error
}

// answered notes that JetStream has answered: it stores messages.
func (w *writes) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.last = time.Time{}, nil
}

// failed notes that a try has failed, the first one of its message or not; it is repeated.
func (w *writes) failed(first bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first {
		w.failing++
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	w.last = err
}

// ended notes that a message that has failed is not tried any more, and forgets the
// trouble if no other message has it.
func (w *writes) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing--; w.failing == 0 {
		w.since, w.last = time.Time{}, nil
	}
}

// trouble says why messages are not stored, nil when they are.
func (w *writes) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() || time.Since(w.since) < writesLimit {
		return nil
	}
	return w.last
}
