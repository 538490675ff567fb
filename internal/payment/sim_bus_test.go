package payment

import (
	"strconv"
	"time"
)

// simBus is NATS with its two streams.
type simBus struct {
	w         *world
	downUntil time.Duration
	// repeats is set when streams begin with sequence 1 again (R5 is off).
	repeats bool
	// created is when the status stream was made, last its last sequence.
	created time.Duration
	last    uint64
	logs    []simLog
	queue   simQueue
}

// simLog is what the status stream holds of one order.
type simLog struct {
	last    uint64
	claim   *Claim
	entries []Status
	ids     []simID
}

// simQueue is the work queue.
type simQueue struct {
	last     uint64
	sessions []*simSession
}

// simSession is a message of the work queue.
type simSession struct {
	seq       uint64
	order     *simOrder
	session   Session
	storedAt  time.Duration
	delivered uint64
	// pending until is set while a delivery waits for its ack.
	pending bool
	until   time.Duration
	gone    bool
}

func newSimBus(w *world, repeats bool) *simBus {
	b := &simBus{w: w, repeats: repeats}
	b.created, b.last = w.now, b.firstSequence()
	b.queue.last = b.last
	return b
}

func (b *simBus) down() bool { return b.w.now < b.downUntil }

// latency is the way of a message to or from the server.
func (b *simBus) latency() time.Duration {
	w := b.w
	if w.fault(w.weather.slow) {
		return w.between(10*time.Millisecond, w.weather.slowMost)
	}
	return w.between(200*time.Microsecond, 3*time.Millisecond)
}

// firstSequence is the one that a stream begins with that is made now.
func (b *simBus) firstSequence() uint64 {
	if b.repeats {
		return 0
	}
	return uint64(epoch.Add(b.w.now).UnixMicro())
}

func (b *simBus) recreateStatus() {
	w := b.w
	w.logf("=== the status stream is deleted and made anew")
	for i := range b.logs {
		b.logs[i] = simLog{}
	}
	b.created, b.last = w.now, b.firstSequence()
	w.audit.statusLost()
	w.objectsMade()
}

func (b *simBus) recreateQueue() {
	b.w.logf("=== the queue is deleted and made anew")
	for _, s := range b.queue.sessions {
		s.gone = true
	}
	b.queue = simQueue{last: b.firstSequence()}
	b.w.objectsMade()
}

// objectsMade has every replica compare queue and logs.
func (w *world) objectsMade() {
	for _, r := range w.replicas {
		r.later(w.between(100*time.Millisecond, 2*time.Second), func() { r.sweepOnce() })
	}
}

// purge empties the status stream. It still knows the ids of what was in it.
func (b *simBus) purge() {
	b.w.logf("=== the status stream is purged")
	for i := range b.logs {
		b.logs[i] = simLog{ids: b.logs[i].ids}
	}
	b.w.audit.statusLost()
}

// simID is a message id that the status stream knows for a while.
type simID struct {
	sequence, stored uint64
	until            time.Duration
}

// append stores a message of an order if the last one is the expected one. busy
// is set when its id is known from before a purge.
func (b *simBus) append(order int, expect uint64, claim *Claim, entry *Status) (seq uint64, ok, busy bool) {
	l := &b.logs[order]
	if entry != nil {
		for _, id := range l.ids {
			if id.sequence == entry.Event.Sequence && b.w.now < id.until {
				return 0, false, id.stored <= expect
			}
		}
	}
	if l.last != expect {
		return 0, false, false
	}
	b.last++
	l.last = b.last
	switch {
	case claim != nil:
		l.claim = claim
		b.w.audit.claimStored(order, claim)
		b.republish(order, claim)
	case entry != nil:
		e := *entry
		l.entries = append(l.entries, e)
		l.ids = append(l.ids, simID{e.Event.Sequence, b.last, b.w.now + 2*time.Minute})
		b.w.statuses++
		b.w.audit.statusStored(order, e)
	}
	return b.last, true, false
}

// republish lets the other replicas see a claim.
func (b *simBus) republish(order int, claim *Claim) {
	w := b.w
	for _, r := range w.replicas {
		if !r.alive || r.isCut() || r.self == claim.Owner || w.fault(w.weather.hintLost) {
			continue
		}
		y := r.find(order)
		if y == nil {
			continue
		}
		r.later(b.latency(), func() {
			if y := r.find(order); y != nil {
				r.step(y, Outranked{Epoch: claim.Epoch, Phase: claim.Phase})
			}
		})
	}
}

// read is the log of an order as the leader has it.
func (b *simBus) read(order int) Log {
	l := b.logs[order]
	return Log{Claim: l.claim, Statuses: l.entries[:len(l.entries):len(l.entries)], Last: l.last, Created: epoch.Add(b.created)}
}

// enqueue stores a session if its terminal has none.
func (b *simBus) enqueue(o *simOrder, session Session) (*simSession, bool) {
	if s := b.queued(o.terminal); s != nil {
		return s, false
	}
	q := &b.queue
	q.last++
	if session.StartedAt.IsZero() { // not queued again
		session.StartedAt = epoch.Add(b.w.now)
	}
	deadline := session.StartedAt.Add(b.w.weather.startDeadline)
	if session.Deadline.IsZero() || deadline.Before(session.Deadline) {
		session.Deadline = deadline
	}
	s := &simSession{seq: q.last, order: o, session: session, storedAt: b.w.now}
	q.sessions = append(q.sessions, s)
	b.w.logf("queue: session %s of order %s is stored as %d", session.Nonce, o.id, s.seq)
	b.deliver(s, 0)
	return s, true
}

func (b *simBus) queued(terminal int) *simSession {
	for _, s := range b.queue.sessions {
		if s.order.terminal == terminal {
			return s
		}
	}
	return nil
}

func (b *simBus) bySequence(seq uint64) *simSession {
	for _, s := range b.queue.sessions {
		if s.seq == seq {
			return s
		}
	}
	return nil
}

// remove takes a session out of the queue: an ack, or a delete by sequence.
func (b *simBus) remove(seq uint64) {
	for i, s := range b.queue.sessions {
		if s.seq == seq {
			b.w.logf("queue: session %s of order %s has left, sequence %d", s.session.Nonce, s.order.id, seq)
			b.w.audit.unlocked(s)
			s.gone = true
			b.queue.sessions = append(b.queue.sessions[:i:i], b.queue.sessions[i+1:]...)
			return
		}
	}
}

// byHandle finds the session of a handle: on its stream sequence alone.
func (b *simBus) byHandle(handle string) *simSession {
	seq, err := strconv.ParseUint(handle, 10, 64)
	if err != nil {
		return nil
	}
	return b.bySequence(seq)
}

func (b *simBus) inProgress(handle string) {
	if s := b.byHandle(handle); s != nil && s.pending {
		s.until = b.w.now + simReplicaTTL
	}
}

func (b *simBus) nak(handle string) {
	if s := b.byHandle(handle); s != nil && s.pending {
		s.pending = false
		b.deliver(s, 0)
	}
}

// deliver hands a session to a replica that fetches.
func (b *simBus) deliver(s *simSession, after time.Duration) {
	w := b.w
	w.after(after, func() {
		if s.gone || s.pending {
			return
		}
		r := w.fetching()
		if r == nil || b.down() {
			b.deliver(s, w.between(200*time.Millisecond, time.Second))
			return
		}
		s.delivered++
		s.pending, s.until = true, w.now+simReplicaTTL
		b.await(s)
		place := Place{
			Seq: s.seq, Handle: strconv.FormatUint(s.seq, 10), Delivered: s.delivered,
			LogCreated: epoch.Add(b.created),
		}
		if w.fault(w.weather.lost) {
			return
		}
		r.later(b.latency(), func() { r.deliver(s.order, s.session, place) })
	})
}

// await delivers a session again once it was silent for BRIDGE_REPLICA_TTL.
func (b *simBus) await(s *simSession) {
	b.w.after(s.until-b.w.now, func() {
		switch {
		case s.gone || !s.pending:
		case s.until > b.w.now:
			b.await(s)
		default:
			s.pending = false
			b.deliver(s, 0)
		}
	})
}

// fetching picks a replica that waits for sessions; a paused one may.
func (w *world) fetching() *simReplica {
	n := len(w.replicas)
	from := w.rand.IntN(n)
	for i := range n {
		if r := w.replicas[(from+i)%n]; r.alive && !r.draining && !r.isCut() {
			return r
		}
	}
	return nil
}
