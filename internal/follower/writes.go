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
	mu    sync.Mutex
	since time.Time
	last  error
}

func (w *writes) succeeded() {
	w.mu.Lock()
	w.since, w.last = time.Time{}, nil
	w.mu.Unlock()
}

func (w *writes) failed(err error) {
	w.mu.Lock()
	if w.since.IsZero() {
		w.since = time.Now()
	}
	w.last = err
	w.mu.Unlock()
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
