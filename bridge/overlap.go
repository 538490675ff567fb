package bridge

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
)

// Two replicas may have a session for a moment: while one hands it to the other,
// and after a spell of bad weather on the bus, when the queue hands out again
// what could not be kept alive. The fence lets only one of them publish each
// next status; but the one before has been shown events that its successor has
// not, and whatever its successor publishes shuts those out. So the successor
// holds back, and the one before publishes what it has and leaves.
const (
	// handOverSettle is how long a successor that reads the stream holds back
	// after its record has said so: the one before has then left.
	handOverSettle = 300 * time.Millisecond
	// givenBack is how long a successor holds back for a replica that has given the
	// session back.
	givenBack = handOverOverlap + handOverSettle
	// calmOverlap is how long a successor holds back for a replica that fell
	// silent although the bus works: as a rule it is dead.
	calmOverlap = 500 * time.Millisecond
	// stormOverlap is how long a successor holds back when the bus was in trouble
	// shortly before: a publish that was lost with a leader is repeated after
	// callLimit of package bus and a pause of at most maxRetryPause.
	stormOverlap = 3 * time.Second
	// maxRetryPause bounds the pause between two tries of an operation on the bus.
	maxRetryPause = 500 * time.Millisecond
	// ownInterval is how often a successor that holds back makes sure that the
	// session is still its own: the next one waits no longer than it does, and
	// the watch of the records may be silent just then.
	ownInterval = 500 * time.Millisecond
	// overlapLimit bounds the holding back while the trouble goes on, counted from
	// when the connection was made again: while it is away nobody can publish.
	overlapLimit = 30 * time.Second
	// stormMemory is how long a trouble on the bus is remembered, beyond the time
	// after which the queue hands a silent session out again.
	stormMemory = 10 * time.Second
)

// noteStorm remembers that the bus did not work just now.
func (r *Replica) noteStorm() { r.storm.Store(int64(r.age())) }

// noteReconnect has everything tried again at once that waits for the bus: what
// is pending must be published before a successor holds back no more.
func (r *Replica) noteReconnect() {
	r.noteStorm()
	r.cameBack.Store(int64(r.age()))
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.reconnected)
	r.reconnected = make(chan struct{})
}

// sinceStorm is how long the bus has been working.
func (r *Replica) sinceStorm() time.Duration {
	storm := r.storm.Load()
	if storm == 0 {
		return math.MaxInt64
	}
	return r.age() - time.Duration(storm)
}

// stormy reports whether a session that is handed over now may be one whose
// follower lives and only could not say so.
func (r *Replica) stormy() bool { return r.sinceStorm() < r.ReplicaTTL+stormMemory }

// rest waits between two tries of an operation on the bus, for d or until the
// connection to it was made again. It reports whether ctx was still alive then.
func (r *Replica) rest(ctx context.Context, d time.Duration) bool {
	r.mu.Lock()
	reconnected := r.reconnected
	r.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-reconnected:
	case <-ctx.Done():
		return false
	}
	return true
}

// overlapWith says how long the replica that a record names may still publish.
func (s *session) overlapWith(before bus.Record) time.Duration {
	switch {
	case before.Replica == "":
		return givenBack
	case before.Replica == s.ReplicaID:
		return 0
	case s.stormy():
		return stormOverlap
	}
	return calmOverlap
}

// holdBack begins to fold nothing for as long as another replica may publish.
func (f *follower) holdBack() {
	f.holding = f.overlap > 0
	f.holdingSince = time.Now()
	f.holdingUntil = f.holdingSince.Add(f.overlap)
	if f.holding {
		f.overlapEnds.Reset(min(f.overlap, ownInterval))
		f.log.Debug("Holding back for the replica that had the session before", zap.Duration(telemetry.KeyWait, f.overlap))
	}
}

// stillHolding is how much longer the other replica may publish: its time is
// longer while the bus does not work, within a limit. One that has given the
// session back leaves soon, unless the connection was away meanwhile.
func (f *follower) stillHolding() time.Duration {
	left := time.Until(f.holdingUntil)
	held, connected := time.Since(f.holdingSince), f.age()-time.Duration(f.cameBack.Load())
	if f.overlap == givenBack && held < connected {
		return left
	}
	if min(held, connected) < overlapLimit {
		left = max(left, stormOverlap-f.sinceStorm())
	}
	return left
}

// lookBack ends the holding back when it is time: it continues from what the
// other replica has published meanwhile.
func (f *follower) lookBack(ctx context.Context) {
	left := f.stillHolding()
	switch {
	case f.writing: // the record is being written
		f.overlapEnds.Reset(f.BackoffInitial)
		return
	case f.departing == nil && left > 0:
		f.makeSure(ctx)
		f.overlapEnds.Reset(min(left, ownInterval))
		return
	}
	f.writing = true
	after, h := f.stored, f.held
	f.run(ctx, func(ctx context.Context) func() {
		// Whose it is comes last: what was published before that, by whoever had it
		// then, is known; what is published later meets the fence.
		since, err := persist(ctx, f.Replica, func(ctx context.Context) (sequel, error) { return f.publishedSince(ctx, after) })
		var there held
		if err == nil {
			there, err = persist(ctx, f.Replica, func(ctx context.Context) (held, error) { return f.readRecord(ctx, f.terminal) })
		}
		lost := false
		if err == nil {
			_, err = persist(ctx, f.Replica, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, f.claimedBy(ctx, f.terminal, there, h)
			})
			if lost = errors.Is(err, errLost); lost {
				err = nil
			}
		}
		return func() {
			f.writing, f.holding = false, false
			f.outdated = f.outdated || len(f.held.record.Seen) > 0
			switch {
			case err != nil:
				f.leaving = err
				return
			case lost && f.tooLate(there, since.others): // what was shown here has its place before what stands there
				f.leaving = errLost
				return
			case len(since.others) > 0:
				f.catchUp(since)
			}
			if lost {
				f.leave(errLost)
			}
		}
	})
}

// tooLate reports whether something was published already under a later claim
// than this replica's, or the session is over.
func (f *follower) tooLate(there held, others []bus.Status) bool {
	return there.record.Seq != f.seq ||
		slices.ContainsFunc(others, func(s bus.Status) bool { return s.Epoch > f.held.record.Epoch })
}

// makeSure reads whose session it is, from the bucket's leader.
func (f *follower) makeSure(ctx context.Context) {
	f.writing = true
	h := f.held
	f.run(ctx, func(ctx context.Context) func() {
		_, err := persist(ctx, f.Replica, func(ctx context.Context) (struct{}, error) { return struct{}{}, f.stillClaimed(ctx, h) })
		return func() {
			f.writing, f.unsure = false, false
			if errors.Is(err, errLost) {
				f.leave(err)
			}
		}
	})
}

// leave has the session left to another replica, once what this one was shown
// is published: the successor waits for it, and whoever comes too late meets the
// fence.
func (f *follower) leave(why error) {
	if !errors.Is(why, errLost) && !errors.Is(why, errHandedOver) {
		f.leaving = why
		return
	}
	if f.departing != nil {
		return
	}
	f.departing = why
	f.stopStream()
	f.news = nil
	if f.holding { // what this one was shown meanwhile is told now or never
		f.overlapEnds.Reset(0)
	}
}

// lookWhileThere is look for a session that is being followed: what it finds
// does not keep this replica from publishing what it was shown.
func (f *follower) lookWhileThere() {
	if f.departing != nil {
		return
	}
	f.look()
	f.noteCancel()
	f.outdated = f.unwritten.Swap(false) || f.outdated
	if why := f.leaving; why != nil {
		f.leaving = nil
		f.leave(why)
	}
}

// readerShown cuts the holding back short once the record says that this replica
// reads: a replica that has handed the session over leaves then.
func (f *follower) readerShown(stream string) {
	if f.holding && f.overlap == givenBack && (stream == streamConnected || stream == streamPolling) {
		f.holdingUntil = time.Now().Add(handOverSettle)
		f.overlapEnds.Reset(handOverSettle)
	}
}
