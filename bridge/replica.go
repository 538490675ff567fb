package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/subjects"
)

// Settings are the numbers that a replica works by; see the variables of the
// same names.
type Settings struct {
	// ReplicaID is this replica's name.
	ReplicaID string
	// ReplicaTTL is how long a session may go unbeaten.
	ReplicaTTL        time.Duration
	StartDeadline     time.Duration
	BackoffInitial    time.Duration
	BackoffMax        time.Duration
	ReconcileInterval time.Duration
	SettleWindow      time.Duration
	SessionTimeout    time.Duration
	RequestTimeout    time.Duration
}

// Ports are what a replica works with.
type Ports struct {
	Queue      Queue
	Journal    Journal
	Records    Records
	Requesters Requesters
	Clock      Clock
	Provider   Provider
	Groups     Groups
	Space      subjects.Space
	Metrics    *telemetry.Metrics
	Log        *zap.Logger
	// Tracer makes the spans; nil when nothing is traced.
	Tracer trace.Tracer
}

// Replica follows the sessions that the queue hands to it, and answers commands.
type Replica struct {
	Settings
	Ports
	board *board
	// activities are remembered for those who look.
	activities *activities
	// changed is called after a terminal's record has changed, with "" when all
	// were told anew; for those who look.
	changed func(terminal string)

	writes *writes
	pulse  pulse

	mu sync.Mutex
	// sessions that this replica follows, one that is over and settles included.
	sessions map[*session]bool
	// latest is the newest session of each terminal.
	latest map[string]*session
	wg     sync.WaitGroup
	// rewatch gets a note when the records are to be watched anew.
	rewatch chan struct{}
	// born is when the replica was made: moments that only this process knows of
	// are counted from there, by a clock that never jumps.
	born time.Time
	// storm is when the bus last did not work, in nanoseconds since born, 0 for never.
	storm atomic.Int64
	// cameBack is when the connection to the bus was made again last, as storm.
	cameBack atomic.Int64
	// reconnected is closed, and made anew, when the connection to the bus was
	// made again. Guarded by mu.
	reconnected chan struct{}

	// draining is closed when sessions are to be handed over.
	draining  chan struct{}
	drainOnce sync.Once
	// work is over when sessions must stop where they are.
	work     context.Context
	stopWork context.CancelFunc
}

// NewReplica returns a replica that does nothing yet.
func NewReplica(s Settings, p Ports) *Replica {
	if p.Tracer == nil {
		p.Tracer = noop.NewTracerProvider().Tracer("")
	} else {
		p = p.traced(p.Tracer)
	}
	r := &Replica{
		Settings: s,
		Ports:    p,
		born:     time.Now(),
		board:    newBoard(),
		writes:   &writes{},

		activities: newActivities(),
		changed:    func(string) {},

		sessions: map[*session]bool{},
		latest:   map[string]*session{},
		rewatch:  make(chan struct{}, 1),
		draining: make(chan struct{}),

		reconnected: make(chan struct{}),
	}
	r.Ports = r.watched(r.writes)
	r.work, r.stopWork = context.WithCancel(context.Background())
	r.board.onChange = func(terminal string) {
		r.nudge(terminal)
		r.changed(terminal)
	}
	return r
}

// take starts to follow a session that the queue handed over, or gives the
// session that is followed already its new handle. It returns at once.
func (r *Replica) take(d bus.Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.work.Err() != nil {
		return // it arrives elsewhere after AckWait
	}
	if s := r.latest[d.Session.Terminal()]; s != nil && s.msg.Nonce == d.Session.Nonce && !s.ended.Load() {
		s.redeliver(d)
		return
	}
	s := newSession(r, d)
	r.sessions[s] = true
	r.latest[s.terminal] = s
	r.Metrics.SetActiveSessions(len(r.sessions))
	r.noteOldest()
	r.wg.Go(func() {
		s.run(r.work)
		r.leave(s)
	})
}

// leave forgets a session that is no longer followed here. If it was handed
// over again while it was being left, following it begins anew.
func (r *Replica) leave(s *session) {
	r.mu.Lock()
	delete(r.sessions, s)
	if r.latest[s.terminal] == s {
		delete(r.latest, s.terminal)
	}
	r.Metrics.SetActiveSessions(len(r.sessions))
	r.noteOldest()
	r.mu.Unlock()
	if d, again := s.takeRedelivery(); again {
		r.take(d)
	}
}

// noteOldest keeps the age of the oldest session for the metrics. r.mu is held.
func (r *Replica) noteOldest() {
	var oldest time.Time
	for s := range r.sessions {
		if oldest.IsZero() || s.msg.StartedAt.Before(oldest) {
			oldest = s.msg.StartedAt
		}
	}
	r.Metrics.SetOldestSession(oldest)
}

// stuck names a session that has not moved for twice the time after which it
// goes elsewhere, empty when there is none: its goroutine hangs, which no session
// should ever do.
func (r *Replica) stuck() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.sessions {
		alive := s.alive.Load()
		if alive > 0 && r.age()-time.Duration(alive) > 2*r.ReplicaTTL {
			return fmt.Sprintf("the session of order %s on terminal %s does not move", s.order, s.terminal)
		}
	}
	return ""
}

// nudge tells the session of a terminal that its record has changed.
func (r *Replica) nudge(terminal string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.latest[terminal]; s != nil {
		wake(s.nudged)
	}
}

// rewrite has all sessions followed here write their records, after the bucket was
// lost.
func (r *Replica) rewrite() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.sessions {
		s.unwritten.Store(true)
		wake(s.nudged)
	}
}

// requeue locks the terminals of the sessions followed here again, after the
// queue itself was lost: their payments are open, or the claim finds them over.
// It tries each session once, and fails while one has no place.
func (r *Replica) requeue(ctx context.Context) error {
	r.mu.Lock()
	open := slices.Collect(maps.Values(r.latest))
	r.mu.Unlock()
	var failed error
	for _, s := range open {
		if s.ended.Load() {
			continue
		}
		again := s.msg
		again.Requeued = true
		seq, err := r.Queue.Enqueue(ctx, again)
		if errors.Is(err, bus.ErrConflict) {
			var there bus.Session
			there, seq, err = r.Queue.Queued(ctx, s.terminal)
			if err == nil && there.Nonce != s.msg.Nonce {
				err = fmt.Errorf("another start has locked terminal %s", s.terminal)
			}
		}
		if err != nil {
			failed = fmt.Errorf("queue open sessions again: %w", err)
			continue
		}
		s.move(seq)
	}
	if failed == nil {
		r.Log.Warn("The session queue was lost; open sessions were queued again", zap.Int(telemetry.KeyCount, len(open)))
	}
	return failed
}

// Drain hands every session to the other replicas and waits for it. When ctx is
// over first, what is left stays where it is and arrives elsewhere after
// ReplicaTTL; the error says how many.
func (r *Replica) Drain(ctx context.Context) error {
	r.beginDrain()
	gone := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		r.stopWork()
		return nil
	case <-ctx.Done():
		r.mu.Lock()
		left := len(r.sessions)
		r.mu.Unlock()
		r.stopWork()
		<-gone
		if left == 0 {
			return nil
		}
		return &drainError{left}
	}
}

// beginDrain has commands refused and every session handed over.
func (r *Replica) beginDrain() {
	r.drainOnce.Do(func() { close(r.draining) })
}

type drainError struct{ left int }

func (e *drainError) Error() string {
	return fmt.Sprintf("drain was cut short: %d sessions go on elsewhere once they were silent for BRIDGE_REPLICA_TTL", e.left)
}

// watchRecords keeps the board until ctx is over, beginning anew whenever the
// watch breaks. ready is called when the board is complete for the first time.
func (r *Replica) watchRecords(ctx context.Context, ready func()) {
	pause := r.backoff()
	for ctx.Err() == nil {
		began := time.Now()
		err := r.watchOnce(ctx, ready)
		if ctx.Err() != nil {
			return
		}
		r.Log.Warn("The records are watched anew", zap.Error(err))
		if time.Since(began) > r.BackoffMax {
			pause.Reset()
		}
		sleep(ctx, pause.NextBackOff())
	}
}

// watchOnce keeps the board for as long as one watch holds.
func (r *Replica) watchOnce(ctx context.Context, ready func()) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.board.restart()
	before, err := r.Records.RecordsRevision(ctx)
	if err != nil {
		return err
	}
	watching.Go(func() {
		select {
		case <-r.rewatch:
			cancel()
		case <-ctx.Done():
		}
	})
	return r.Records.WatchRecords(ctx, r.board.told, func() {
		r.board.complete(before)
		ready()
		r.changed("")
	})
}

// age is how long the replica has been there.
func (r *Replica) age() time.Duration { return time.Since(r.born) }

// since and until measure from and to a time of the clock that replicas share.
func (r *Replica) since(t time.Time) time.Duration { return r.Clock.Now().Sub(t) }
func (r *Replica) until(t time.Time) time.Duration { return t.Sub(r.Clock.Now()) }

// backoff returns a jittered exponential backoff that never gives up. It is for
// one goroutine.
func (r *Replica) backoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.BackoffInitial),
		backoff.WithMaxInterval(r.BackoffMax),
		backoff.WithRandomizationFactor(0.3),
		backoff.WithMultiplier(1.7),
		backoff.WithMaxElapsedTime(0),
	)
}

// persist repeats an operation whose errors may pass, until it succeeds, ends
// with a permanent error, or ctx is over.
func persist[T any](ctx context.Context, r *Replica, operation func(context.Context) (T, error)) (T, error) {
	pause := r.backoff()
	pause.MaxInterval = min(r.BackoffMax, maxRetryPause)
	for {
		v, err := operation(ctx)
		if err == nil || isPermanent(err) || ctx.Err() != nil {
			return v, err
		}
		r.noteStorm()
		r.Log.Debug("Trying again", zap.Error(err))
		if !r.rest(ctx, pause.NextBackOff()) {
			return v, err
		}
	}
}

// isPermanent tells the errors of the bus that repeating does not change.
func isPermanent(err error) bool {
	return errors.Is(err, bus.ErrConflict) || errors.Is(err, bus.ErrNotFound) || errors.Is(err, bus.ErrNewer) ||
		errors.Is(err, errLost) || errors.Is(err, subjects.ErrOrder) || errors.Is(err, subjects.ErrTerminal)
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
