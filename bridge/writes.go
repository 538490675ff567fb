package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/bus"
)

// writesLimit is how long writes on JetStream may fail, with none succeeding,
// before this replica is not ready: a full disk, or a quorum that is gone, is
// seen by nothing else.
const writesLimit = 2 * time.Second

// writesMemory is how long a failure counts that no other write has followed:
// nobody can tell how it would end now.
const writesMemory = 10 * time.Second

// writes watches the outcome of everything that a replica writes on JetStream.
type writes struct {
	mu sync.Mutex
	// failing is when writes began to fail, last when one failed last.
	failing, last time.Time
	// tell is called when writes begin to fail for good, with the error, and
	// when one has succeeded again, with nil.
	tell func(error)
	told bool
}

// note takes the outcome of one write. A conflict is an answer, not a failure;
// a write that was cut short by its caller says nothing.
func (w *writes) note(ctx context.Context, err error) {
	if w.tell == nil || ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || errors.Is(err, bus.ErrConflict) {
		w.well()
		return
	}
	if w.failing.IsZero() || time.Since(w.last) > writesMemory {
		w.failing = time.Now()
	}
	w.last = time.Now()
	if !w.told && time.Since(w.failing) > writesLimit {
		w.told = true
		w.tell(err)
	}
}

// lapse forgets a failure that no other write has followed for long.
func (w *writes) lapse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.failing.IsZero() && time.Since(w.last) > writesMemory {
		w.well()
	}
}

// well notes that writes do not fail. w.mu is held.
func (w *writes) well() {
	w.failing = time.Time{}
	if w.told {
		w.told = false
		w.tell(nil)
	}
}

// watched wraps what a replica writes with.
func (p Ports) watched(w *writes) Ports {
	p.Journal = watchedJournal{p.Journal, w}
	p.Records = watchedRecords{p.Records, w}
	p.Queue = watchedQueue{p.Queue, w}
	return p
}

type watchedJournal struct {
	Journal
	writes *writes
}

func (j watchedJournal) Append(ctx context.Context, s bus.Status, after uint64) (uint64, error) {
	seq, err := j.Journal.Append(ctx, s, after)
	j.writes.note(ctx, err)
	return seq, err
}

type watchedRecords struct {
	Records
	writes *writes
}

func (r watchedRecords) PutRecord(ctx context.Context, terminal string, record bus.Record, revision uint64) (uint64, error) {
	at, err := r.Records.PutRecord(ctx, terminal, record, revision)
	r.writes.note(ctx, err)
	return at, err
}

type watchedQueue struct {
	Queue
	writes *writes
}

func (q watchedQueue) Enqueue(ctx context.Context, s bus.Session) (uint64, error) {
	seq, err := q.Queue.Enqueue(ctx, s)
	q.writes.note(ctx, err)
	return seq, err
}
