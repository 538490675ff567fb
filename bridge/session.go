package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// Why a session is left before its end. None of them acknowledges its message.
var (
	// errLost: another replica follows it now.
	errLost = errors.New("another replica has the session")
	// errHandedOver: this replica drains and has given it back.
	errHandedOver = errors.New("the session was handed over")
	// errStopped: the process is at its end.
	errStopped = errors.New("the replica stops")
)

// session is one payment, followed by this replica. All of it belongs to the
// goroutine of run, except what mu guards.
type session struct {
	*Replica
	msg bus.Session
	// seq is the session's place in the queue, which it leaves only with the queue
	// itself; lostSeq is the place before, 0 when the queue was never lost.
	seq, lostSeq uint64
	terminal     string
	order        string
	log          *zap.Logger

	handle bus.Handle
	// tried is true when the order may exist already: a create may have reached
	// the provider. It is then asked before it is told again.
	tried bool
	// held is the session's record as this replica last saw it.
	held held
	// stream is the order's event stream, zero when there is none to use.
	stream multisafepay.Stream
	// giveUp is set when it stayed unknown whether the order exists.
	giveUp bool
	// answered is set when the requester has got an answer.
	answered bool
	// state is what the last stored status says, which stands at stored.
	state  State
	stored uint64
	// over is set once the session is out of the queue; ended is the same for those
	// outside its goroutine.
	over  bool
	ended atomic.Bool

	// deadline fires when a requester who still waits is told that nothing is
	// known yet; nil while that would not be true.
	deadline <-chan time.Time

	beat *time.Ticker
	// beaten is when the session was last kept alive, to notice a pause; alive
	// is the same for those outside its goroutine, as the replica's age.
	beaten time.Time
	alive  atomic.Int64
	// unsure is set after such a pause until the record was read; every write to
	// it tells as well.
	unsure bool
	// unwritten is set when the bucket was lost, and the record with it.
	unwritten atomic.Bool
	// nudged holds a note when there is something to look at: a redelivery, or a
	// change of the record.
	nudged chan struct{}
	// leaving is why the session is to be left, nil while it is not.
	leaving error
	// released is set when the session was given back to the queue.
	released bool
	// overlap is how long the replica that had the session before may still
	// publish, 0 when it is gone.
	overlap time.Duration

	mu sync.Mutex
	// moved is the session's new place in a queue that was made anew.
	moved uint64
	// again is a redelivery that was not looked at yet.
	again *bus.Delivery
}

func newSession(r *Replica, d bus.Delivery) *session {
	return &session{
		Replica:  r,
		msg:      d.Session,
		seq:      d.Seq,
		terminal: d.Session.Terminal(),
		order:    d.Session.Order(),
		handle:   d.Handle,
		tried:    d.Redelivered || d.Session.Requeued,
		nudged:   make(chan struct{}, 1),
		log: r.Log.With(
			zap.String(telemetry.KeyTerminal, d.Session.Terminal()),
			zap.String(telemetry.KeyOrder, d.Session.Order())),
	}
}

// run takes the session from its delivery to its rest, or until it is no longer
// this replica's.
func (s *session) run(ctx context.Context) {
	ctx = traceIn(ctx, s.msg.Trace)
	s.beat = time.NewTicker(s.ReplicaTTL / 3)
	defer s.beat.Stop()
	s.beaten = time.Now()
	s.alive.Store(int64(s.age()))

	err := s.claim(ctx)
	if err == nil && !s.over {
		err = s.ensureOrder(ctx)
	}
	if err == nil && !s.over {
		err = s.follow(ctx)
	}
	switch {
	case err == nil:
	case errors.Is(err, errLost):
		s.Metrics.FenceLost()
		s.noteTookOver("Left: another replica follows it now")
		s.log.Info("Another replica follows the session now; leaving it")
	case errors.Is(err, errHandedOver):
		s.Metrics.SessionHandedOver()
		s.noteTookOver("Handed over: this replica drains")
		s.log.Info("Handed the session over")
	default:
		s.log.Info("Left the session where it is; it goes on elsewhere once it was silent for BRIDGE_REPLICA_TTL", zap.Error(err))
	}
}

// claim makes this replica the one that follows the session, continuing from
// the last status that was published. A session whose payment is over, or that
// was refused, is only taken out of the queue.
func (s *session) claim(ctx context.Context) error {
	var tried held // a claim that met a conflict, perhaps with itself
	before := ""   // whose the session was then
	for {
		// The record is read before the status and the status before the queue,
		// the other way round than they are written when a session ends: what is
		// found is either all there or known to be over.
		there, err := await(ctx, s, func(ctx context.Context) (held, error) { return s.readRecord(ctx, s.terminal) })
		if err != nil {
			return err
		}
		if there.record.Seq > s.seq {
			return errLost // the terminal's next session is there: this one is over
		}
		last, err := await(ctx, s, s.lastStatus)
		if err != nil {
			return err
		}
		seen := there.record.Seen
		if len(seen) > 0 {
			since, err := await(ctx, s, func(ctx context.Context) (sequel, error) { return s.publishedSince(ctx, there.record.SeenAfter) })
			if err != nil {
				return err
			}
			if n := len(since.others); n > 0 {
				last = since.others[n-1]
				last.Seq = since.last
			}
			seen = unpublished(seen, since.others)
		}
		if there.record.Seq < s.seq {
			seq := s.seq
			if err := await1(ctx, s, func(ctx context.Context) error { return s.stillQueued(ctx, seq) }); err != nil {
				return err
			}
		}
		if last.Seq > 0 {
			s.state, s.stored, s.tried = s.state.Rebase(last.Event), last.Seq, true
		}
		claim, known := s.nextClaim(there)
		if there.record.Replica != s.ReplicaID || !there.sameClaim(tried) { // else it was stored, and only its answer lost
			before = there.record.Replica
			if !known {
				before = s.ReplicaID // nobody's but this one's
			}
		}
		if known {
			noteSeen(&claim.record, seen, last.Seq)
		}
		open := false
		if !known && last.Seq == 0 {
			if open, err = await(ctx, s, func(ctx context.Context) (bool, error) { return s.stillPaid(ctx, s.terminal, there.record) }); err != nil {
				return err
			}
		}
		switch {
		case open: // its lock was lost, not its payment
			s.held = there
			if err := s.remove(ctx); err != nil {
				return err
			}
			// Not before: whoever is handed the session again may find the terminal free,
			// and this till has left.
			if there.record.Order == s.order { // with other content, or it would be known
				s.answerError(orderConflict(s.order))
			} else {
				s.answerError(terminalBusy(s.terminal, there.record.Order))
			}
			s.relock(ctx, s.terminal, there.record)
			return nil
		case last.Seq > 0 && last.Hash != s.msg.Hash: // it was over and gone when this start was queued
			s.held = there
			s.answerError(orderConflict(s.order))
			return s.remove(ctx)
		case s.state.Final:
			s.held = there
			if !known || !there.record.Answered {
				s.answer(false)
			}
			return s.remove(ctx)
		case known && there.record.Newer(): // what it says may be anything
			return bus.ErrNewer
		case known && there.record.Phase == bus.Refused:
			s.held = there
			s.answered = there.record.Answered
			return s.removeRefused(ctx, there.record.Error)
		}
		claimed, err := await(ctx, s, func(ctx context.Context) (held, error) { return s.claimRecord(ctx, s.terminal, claim) })
		if errors.Is(err, bus.ErrConflict) {
			tried = claim
			continue // somebody wrote in between; look again
		}
		if err != nil {
			return err
		}
		s.held = claimed
		s.atPlace()
		if known {
			there.record.Replica = before
			s.resume(ctx, there.record)
		} else {
			s.noteDid("Taken from the queue; the terminal is locked")
		}
		return nil
	}
}

// stillQueued fails with errLost when the session has left the queue: a delivery
// that was looked at late, by a replica that was paused meanwhile.
func (s *session) stillQueued(ctx context.Context, seq uint64) error {
	_, there, err := s.Queue.Queued(ctx, s.terminal)
	if errors.Is(err, bus.ErrNotFound) || err == nil && there != seq {
		return errLost
	}
	return err
}

// stillPaid reports whether the payment of another order's record is open: the
// queue has lost its session, which its follower goes on with all the same.
func (r *Replica) stillPaid(ctx context.Context, terminal string, other bus.Record) (bool, error) {
	if other.Phase != bus.Open || r.since(other.StartedAt) > r.SessionTimeout {
		return false, nil
	}
	last, err := r.Journal.Last(ctx, terminal, other.Order)
	if errors.Is(err, bus.ErrNotFound) {
		return true, nil
	}
	return err == nil && !last.Event.Final, err
}

// relock queues the session of a record that has no place in the queue any more.
// Its follower may be gone too, and then nobody would go on with its payment; if
// it is not, the new place is one more takeover.
func (r *Replica) relock(ctx context.Context, terminal string, record bus.Record) {
	s := bus.Session{
		Request: schema.StartRequest{OrderID: record.Order, TerminalID: terminal, Amount: record.Amount, Currency: record.Currency},
		Hash:    record.Hash, Nonce: rand.Text(), StartedAt: record.StartedAt, Deadline: record.StartedAt.Add(r.StartDeadline), Requeued: true,
	}
	_, err := r.Queue.Enqueue(ctx, s)
	r.Log.Warn("An open payment had lost the lock of its terminal; it is queued again",
		zap.String(telemetry.KeyTerminal, terminal), zap.String(telemetry.KeyOrder, record.Order), zap.Error(err))
}

// nextClaim is the record that makes the session this replica's. known is true
// when an earlier claim of the same payment stands there: of this session, or of
// the one that was queued before the queue itself was lost.
func (s *session) nextClaim(there held) (claim held, known bool) {
	claim = there
	known = there.record.Seq == s.seq ||
		there.record.Seq != 0 && there.record.Order == s.order && there.record.Hash == s.msg.Hash && there.record.Phase != bus.Refused
	claim.record.Seq = s.seq
	if !known {
		claim.record = bus.Record{
			Seq: s.seq, Order: s.order, Hash: s.msg.Hash, Phase: bus.Creating,
			Amount: s.msg.Request.Amount, Currency: s.msg.Request.Currency, StartedAt: s.msg.StartedAt,
		}
	}
	claim.record.Replica = s.ReplicaID
	claim.record.Epoch++
	claim.record.Stream = ""
	showState(&claim.record, s.state, s.answered)
	return claim, known
}

// resume continues from what an earlier follower has stored.
func (s *session) resume(ctx context.Context, before bus.Record) {
	s.tried = true
	s.overlap = s.overlapWith(before)
	s.answered = before.Answered
	s.state.SessionID = orElse(s.state.SessionID, before.SessionID)
	switch before.Replica {
	case "":
		s.noteTookOver("Taken on from a replica that handed it over")
	case s.ReplicaID:
		s.noteTookOver("Taken up again by the same replica")
	default:
		s.noteTookOver("Taken over from " + before.Replica)
	}
	if before.Replica != "" && before.Replica != s.ReplicaID {
		s.Metrics.SessionTakenOver()
		s.log.Info("Took the session over", zap.String(telemetry.KeyOwner, before.Replica),
			zap.String(telemetry.KeyStatus, shownStatus(s.state.Status)))
	}
	if len(before.Sealed) == 0 {
		return
	}
	group, err := s.group(ctx)
	if err == nil {
		s.stream, err = unseal(group.Key, s.sealedFor(), before.Sealed)
	}
	if err != nil {
		s.log.Warn("The stored event stream cannot be opened; asking for the order instead", zap.Error(err))
	}
}

// group finds the order's group, or before there is one the terminal's; the
// provider may have to be asked.
func (s *session) group(ctx context.Context) (terminalgroups.Group, error) {
	madeWith := s.held.record.Group
	return during(ctx, s, func(ctx context.Context) (terminalgroups.Group, error) {
		return s.Groups.Keep(ctx, s.terminal, madeWith)
	})
}

// sealedFor binds a sealed stream to this one payment.
func (s *session) sealedFor() string { return s.terminal + "/" + s.order + "/" + s.msg.Nonce }

// lastStatus reads the order's last status; the zero Status when there is none.
func (s *session) lastStatus(ctx context.Context) (bus.Status, error) {
	last, err := s.Journal.Last(ctx, s.terminal, s.order)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.Status{}, nil
	}
	return last, err
}

// showState copies a state into a record, for those who look.
func showState(r *bus.Record, state State, answered bool) {
	r.Status, r.FinancialStatus, r.TransactionID = state.Status, state.FinancialStatus, state.TransactionID
	r.Final, r.Sequence = state.Final, state.Sequence
	r.SessionID = orElse(state.SessionID, r.SessionID)
	r.Answered = r.Answered || answered
}

// hold takes a newer record of this replica's own claim.
func (s *session) hold(h held) {
	if h.revision > s.held.revision {
		s.held = h
		s.atPlace()
	}
}

// change writes the state and a change to the record, and waits for it.
func (s *session) change(ctx context.Context, change func(*bus.Record)) error {
	h, state, answered := s.held, s.state, s.answered
	changed, err := await(ctx, s, func(ctx context.Context) (held, error) {
		return s.changeRecord(ctx, s.terminal, h, func(r *bus.Record) {
			showState(r, state, answered)
			change(r)
		})
	})
	if err != nil {
		return err
	}
	s.hold(changed)
	return nil
}

// end notes that the session is out of the queue.
func (s *session) end() {
	s.over = true
	s.ended.Store(true)
}

// remove takes the session out of the queue, which frees its terminal, and
// deletes its record.
func (s *session) remove(ctx context.Context) error {
	h, handle, seq := s.held, s.handle, s.seq
	err := await1(ctx, s, func(ctx context.Context) error { return s.unlock(ctx, handle, seq, h) })
	if err == nil {
		s.end()
	}
	return err
}

// unlock deletes the record of a payment that is over and takes the session out
// of the queue, confirmed. A session whose record is another's is left to the
// other. It touches nothing of the session that changes, so that it may run
// beside it.
func (s *session) unlock(ctx context.Context, handle bus.Handle, seq uint64, h held) error {
	if h.record.Seq == seq {
		if err := s.dropRecord(ctx, s.terminal, h); err != nil {
			return err
		}
	}
	return s.confirmDone(ctx, handle, seq)
}

// removeRefused ends a session of which nothing exists at the provider. Its
// record goes last, for it is all that a redelivery would know the session by.
// The requester is answered when the terminal is free.
func (s *session) removeRefused(ctx context.Context, answer *schema.Error) error {
	handle, seq, h := s.handle, s.seq, s.held
	if err := await1(ctx, s, func(ctx context.Context) error { return s.confirmDone(ctx, handle, seq) }); err != nil {
		return err
	}
	s.end()
	s.answerError(answer)
	return await1(ctx, s, func(ctx context.Context) error { return s.dropRecord(ctx, s.terminal, h) })
}

// goneLimit is how long a replicated queue may still show a session whose
// acknowledgement it has confirmed, and goneLook how often it is looked at.
const (
	goneLimit = 2 * time.Second
	goneLook  = 5 * time.Millisecond
)

// confirmDone acknowledges the session's message, and returns when it has left
// the queue: a confirmation that was lost is looked for, and a replicated queue
// confirms a moment before the lock is gone.
func (s *session) confirmDone(ctx context.Context, handle bus.Handle, seq uint64) error {
	done := handle.Done(ctx)
	for began := time.Now(); ; {
		err := s.stillQueued(ctx, seq)
		switch {
		case errors.Is(err, errLost):
			return nil
		case done != nil:
			return fmt.Errorf("unlock terminal: %w", done)
		case err != nil:
			return fmt.Errorf("unlock terminal: %w", err)
		case time.Since(began) > goneLimit:
			return nil // it is confirmed: whoever wants the terminal meets the lock a little longer
		case !sleep(ctx, goneLook):
			return errStopped
		}
	}
}
