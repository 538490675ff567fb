package bus

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// connState is what nats.go's callbacks have reported about the connection.
type connState struct {
	// conn is set when Connect is about to return; callbacks may come earlier.
	conn atomic.Pointer[nats.Conn]
	// connected is set with the first connection and stays.
	connected atomic.Bool
	// closing is set when Close is called: what the connection then reports is no
	// news.
	closing     atomic.Bool
	lastTrouble atomic.Pointer[time.Time]
	refused     atomic.Pointer[refusal]
}

// refusal is a permission error of the server. A call that timed out because of
// it would otherwise not say why.
type refusal struct {
	err error
	at  time.Time
}

func (s *connState) trouble() {
	now := time.Now()
	s.lastTrouble.Store(&now)
}

func (s *connState) refuse(err error) { s.refused.Store(&refusal{err, time.Now()}) }

// refusedWithin returns the last permission error, if it is not older than d.
func (s *connState) refusedWithin(d time.Duration) error {
	if r := s.refused.Load(); r != nil && time.Since(r.at) <= d {
		return r.err
	}
	return nil
}

// waitingPublishes ends a publish early when the server refuses the right to it:
// JetStream never sees such a message and never answers.
type waitingPublishes struct {
	mu   sync.Mutex
	list map[*waitingPublish]struct{}
}

type waitingPublish struct {
	subject string
	cancel  context.CancelCauseFunc
}

// add returns a context that ends when the server refuses the subject. The caller
// calls done after the answer.
func (w *waitingPublishes) add(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &waitingPublish{subject, cancel}
	w.mu.Lock()
	if w.list == nil {
		w.list = map[*waitingPublish]struct{}{}
	}
	w.list[p] = struct{}{}
	w.mu.Unlock()
	return ctx, func() {
		w.mu.Lock()
		delete(w.list, p)
		w.mu.Unlock()
		cancel(nil)
	}
}

// refuse ends the publishes on the subject that a permission error names, and
// reports whether there was one.
func (w *waitingPublishes) refuse(err error) bool {
	text, found := err.Error(), false
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.list {
		if strings.Contains(text, `"`+p.subject+`"`) {
			p.cancel(err)
			found = true
		}
	}
	return found
}
