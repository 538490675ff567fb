package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
)

// flush folds what is pending and has the outcome written, one operation at a
// time: statuses first and in order, then the terminal's release, then the
// record for those who look. After a pause it makes sure before that that the
// session is still this replica's.
func (f *follower) flush(ctx context.Context) {
	for !f.writing && f.leaving == nil {
		switch {
		case f.holding:
			if !f.outdated || f.over || f.departing != nil {
				return
			}
			f.update(ctx)
		case f.unsure && !f.over && f.departing == nil:
			f.makeSure(ctx)
		case f.departing != nil && len(f.pending) > 0 && f.isSuccessors():
			f.pending = f.pending[1:]
		case len(f.pending) > 0:
			f.fold(ctx)
		case f.departing != nil:
			f.leaving = f.departing
		case f.state.Final && !f.over:
			f.free(ctx)
		case f.outdated && !f.over:
			f.update(ctx)
		default:
			return
		}
	}
}

// isSuccessors reports whether the first pending observation is the successor's to
// make: what is to be decided, and what can be asked for still. An answer that the
// stream has gone on from can not: it is told before what the stream told.
func (f *follower) isSuccessors() bool {
	return f.pending[0].Source == schema.SourceBridge ||
		!slices.ContainsFunc(f.pending, func(o observed) bool { return o.Source == schema.SourceStream })
}

// fold folds the first pending observation. What changes the status is
// published; the observation stays pending until that is certain, because a
// publish that meets another replica's is folded anew.
func (f *follower) fold(ctx context.Context) {
	o := f.pending[0]
	next, change, verdict := Fold(f.state, o.Observation)
	if !f.sure && f.doubtful(o.Observation, verdict) {
		f.verify(ctx)
		return
	}
	f.sure = false
	if o.Source == schema.SourceReconcile {
		if verdict == News {
			f.Metrics.Reconciled(telemetry.ReconcileNews)
			f.noteDid("Asked the provider: there is news")
		} else {
			f.Metrics.Reconciled(telemetry.ReconcileNoNews)
			f.noteDid("Asked the provider: nothing new")
		}
	}
	if change == nil {
		f.pending = f.pending[1:]
		f.state = next
		f.log.Debug("No change", zap.String(telemetry.KeyStatus, o.Status),
			zap.String(telemetry.KeySource, o.Source), zap.String(telemetry.KeyReason, string(verdict)))
		if verdict == Stale && !f.over {
			f.askSoon(f.BackoffInitial)
		}
		return
	}
	change.OrderID, change.TerminalID = f.order, f.terminal
	change.Amount, change.Currency = f.msg.Request.Amount, f.msg.Request.Currency
	status := bus.Status{
		Event: *change, Hash: f.msg.Hash, Replica: f.ReplicaID, Epoch: f.held.record.Epoch, StartedAt: f.msg.StartedAt, Trace: f.msg.Trace,
	}
	f.writing = true
	f.Metrics.AddPendingPublishes(1)
	after, h, over := f.stored, f.held, f.over
	f.run(ctx, func(ctx context.Context) func() {
		w, err := f.store(ctx, status, after, h, over)
		f.Metrics.AddPendingPublishes(-1)
		return func() {
			f.writing = false
			switch {
			case err != nil:
				f.leaving = err
			case len(w.others) > 0:
				f.catchUp(w.sequel)
			default:
				f.pending = f.pending[1:]
				f.state, f.stored = next, w.seq
				f.published(status.Event, o.read)
			}
		}
	})
}

// doubtful reports whether an observation is to be folded only once it is certain
// that nothing was published since by another replica, and that the session is
// still this one's: one that seems to repeat what the replica before published;
// and an answer of the provider, in bad weather, which would shut out what a
// successor was shown meanwhile.
func (f *follower) doubtful(o Observation, verdict Verdict) bool {
	if f.over || f.departing != nil {
		return false
	}
	return verdict == Repeat && f.held.record.Epoch > 1 ||
		verdict == News && o.Source == schema.SourceReconcile && f.stormy()
}

// verify settles what is doubtful about the first pending observation.
func (f *follower) verify(ctx context.Context) {
	f.writing = true
	after, h := f.stored, f.held
	f.run(ctx, func(ctx context.Context) func() {
		since, err := persist(ctx, f.Replica, func(ctx context.Context) (sequel, error) {
			since, err := f.publishedSince(ctx, after)
			if err == nil {
				err = f.stillClaimed(ctx, h)
			}
			return since, err
		})
		return func() {
			f.writing = false
			switch {
			case err != nil:
				f.leave(err)
			case len(since.others) > 0:
				f.catchUp(since)
			default:
				f.sure = true
			}
		}
	})
}

// sequel is what stands in the stream after a place: statuses that another
// replica stored, and the last message of the order's at all.
type sequel struct {
	others []bus.Status
	last   uint64
}

func (s *session) publishedSince(ctx context.Context, after uint64) (sequel, error) {
	others, last, err := s.Journal.Since(ctx, s.terminal, s.order, after)
	return sequel{others, last}, err
}

// catchUp continues from what another replica has published meanwhile.
func (f *follower) catchUp(since sequel) {
	pending := make([]Observation, len(f.pending))
	for i, o := range f.pending {
		pending[i] = o.Observation
	}
	var rest []Observation
	f.state, rest = f.state.CatchUp(events(since.others), pending)
	f.stored = since.last
	f.arrived += uint64(len(since.others))
	f.pending = nil
	for _, o := range rest {
		if o.Source == schema.SourceBridge { // the answer it was to stand behind may have been dropped
			f.expired = true
			continue
		}
		f.pending = append(f.pending, observed{Observation: o})
	}
	if !f.state.Final {
		f.askSoon(0) // an answer that was waiting may have been dropped
	}
}

// written is the outcome of storing a status: it stands at seq, or something else
// was published in its place.
type written struct {
	seq uint64
	sequel
}

// store publishes a status until it is certain what became of it. A publish
// without an answer is repeated; one that is refused is compared with what
// stands there. errLost: the session is another replica's. It touches nothing of
// the session that changes.
func (s *session) store(ctx context.Context, status bus.Status, after uint64, h held, over bool) (written, error) {
	return persist(ctx, s.Replica, func(ctx context.Context) (written, error) {
		seq, err := s.Journal.Append(ctx, status, after)
		if err == nil {
			return written{seq: seq}, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return written{}, err
		}
		since, err := s.publishedSince(ctx, after)
		others := since.others
		switch {
		case err != nil:
			return written{}, err
		case len(others) == 0 && since.last > 0: // something that no bridge wrote
			after = since.last
			return written{}, errPassedOver
		case len(others) == 0: // the order's statuses are gone from the stream: begin after what is left
			last, err := s.lastStatus(ctx)
			switch {
			case err != nil:
				return written{}, err
			case last.Seq > 0:
				return written{sequel: sequel{[]bus.Status{last}, last.Seq}}, nil
			}
			after = 0
			return written{}, errEmptied
		case others[0].Event == status.Event && others[0].Replica == status.Replica:
			return written{seq: others[0].Seq}, nil // stored by an earlier try
		case over: // the payment is over and the record with it; the fence is enough
			return written{sequel: since}, nil
		}
		return written{sequel: since}, s.stillClaimed(ctx, h)
	})
}

// stillClaimed fails with errLost when the session is another replica's: what
// stands in the stream is then that one's to continue.
func (s *session) stillClaimed(ctx context.Context, h held) error {
	there, err := s.readRecord(ctx, s.terminal)
	if err != nil {
		return err
	}
	return s.claimedBy(ctx, s.terminal, there, h)
}

// Reasons to publish again at another place.
var (
	errEmptied    = errors.New("the status stream no longer has the order's statuses")
	errPassedOver = errors.New("something that no bridge wrote stands among the order's statuses")
)

// published goes on after a status was stored.
func (f *follower) published(e schema.StatusEvent, read time.Time) {
	f.Metrics.StatusPublished(e.Status, e.Source)
	took := time.Duration(0)
	if !read.IsZero() {
		took = f.since(read)
		f.Metrics.Delivered(took)
	}
	f.notePublished(e.Sequence, took)
	f.log.Info("Status changed", zap.String(telemetry.KeyStatus, e.Status),
		zap.String(telemetry.KeyPrevious, e.PreviousStatus), zap.Uint64(telemetry.KeySequence, e.Sequence),
		zap.String(telemetry.KeySource, e.Source), zap.Bool(telemetry.KeyFinal, e.Final))
	f.outdated = true
	f.poll.Reset()
	if e.Final && !f.over {
		f.Metrics.SessionEnded(e.Status)
	}
}

// free unlocks the terminal: the payment is over. The stream is then still read
// for the settle window.
func (f *follower) free(ctx context.Context) {
	f.writing = true
	h, handle, seq := f.held, f.handle, f.seq
	f.run(ctx, func(ctx context.Context) func() {
		err := f.unlock(ctx, handle, seq, h)
		again := err != nil && !isPermanent(err) && ctx.Err() == nil
		if again {
			f.noteStorm()
			f.log.Debug("Trying again", zap.Error(err))
			f.Replica.rest(ctx, maxRetryPause)
		}
		return func() {
			f.writing = false
			switch {
			case again || err == nil && f.seq != seq: // anew, with the handle and the place that it has now
				return
			case err != nil:
				f.leaving = err
				return
			}
			f.end()
			f.rest = f.state.Status == schema.StatusUnresolved
			f.settled = time.After(f.SettleWindow)
		}
	})
}

// update writes the record for those who look.
func (f *follower) update(ctx context.Context) {
	f.writing, f.outdated = true, false
	h, state, answered, stream := f.held, f.state, f.answered, f.shown
	seen, after := f.seen(), f.stored
	first := h.record.Stream != stream // before the board tells of this very write
	f.run(ctx, func(ctx context.Context) func() {
		h, err := persist(ctx, f.Replica, func(ctx context.Context) (held, error) {
			return f.changeRecord(ctx, f.terminal, h, func(r *bus.Record) {
				showState(r, state, answered)
				r.Stream = stream
				noteSeen(r, seen, after)
			})
		})
		return func() {
			f.writing = false
			if err != nil {
				f.leave(err)
				return
			}
			f.hold(h)
			f.noteCancel()
			if first {
				f.readerShown(stream)
			}
		}
	})
}

// publishInvalid publishes an event that could not be understood, for people to
// see. It is neither retried nor fenced.
func (f *follower) publishInvalid(ctx context.Context, event, reason, data string, at time.Time) {
	f.Metrics.EventInvalid()
	f.invalid++
	if f.invalid > maxInvalid {
		return
	}
	f.log.Warn("An event of the provider's could not be understood", zap.String(telemetry.KeyReason, reason))
	e := schema.InvalidEvent{
		OrderID: f.order, TerminalID: f.terminal, SessionID: f.state.SessionID,
		Reason: reason, Event: event, Data: data, ObservedAt: at.UTC(),
	}
	f.wg.Go(func() {
		if err := f.Journal.AppendInvalid(ctx, e); err != nil && ctx.Err() == nil {
			f.log.Warn("An invalid event could not be published", zap.Error(err))
		}
	})
}
