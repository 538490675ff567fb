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

// attempt is one message on its way to be stored.
type attempt struct {
	writes *writes
	// failing is set once a try has failed.
	failing bool
}

func (w *writes) begin() *attempt { return &attempt{writes: w} }

// answered notes that JetStream has answered: it stores messages.
func (a *attempt) answered() {
	a.writes.mu.Lock()
	defer a.writes.mu.Unlock()
	a.writes.since, a.writes.last = time.Time{}, nil
}

// failed notes that a try has failed; it is repeated.
func (a *attempt) failed(err error) {
	w := a.writes
	w.mu.Lock()
	defer w.mu.Unlock()
	if !a.failing {
		a.failing = true
		w.failing++
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	w.last = err
}

// end forgets the trouble if no other message has it.
func (a *attempt) end() {
	w := a.writes
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.failing {
		w.failing--
	}
	if w.failing == 0 {
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
