package payment

import (
	"slices"
	"time"
)

// simFinding is something that should not be.
type simFinding struct {
	order int
	what  string
	seq   uint64
}

// sweep compares queue and logs, as the follower does.
func (r *simReplica) sweep() {
	pause := simSweep
	if r.sweepOnce() {
		pause = 2 * time.Second
	}
	r.later(pause, r.sweep)
}

// sweepOnce looks once, and repairs what the last look saw too.
func (r *simReplica) sweepOnce() bool {
	if r.noSweep || r.isCut() || r.draining {
		return false
	}
	findings := r.look()
	var seen []simFinding
	for _, at := range findings {
		if slices.Contains(r.found, at) {
			r.w.logf("%s repairs order %s: %s", r.self, orderIDs[at.order], at.what)
			r.repair(at)
			continue
		}
		seen = append(seen, at)
	}
	r.found = seen
	return len(seen) > 0
}

func (r *simReplica) follows(order int, owner string) bool {
	if owner != r.self {
		return r.w.process(owner) != nil && !slices.Contains(r.gone, owner)
	}
	return r.find(order) != nil
}

func (r *simReplica) look() []simFinding {
	var findings []simFinding
	w := r.w
	for terminal := range w.weather.terminals {
		s := w.bus.queued(terminal)
		if s == nil || r.followedOn(terminal) {
			continue
		}
		at := simFinding{order: s.order.index, what: "unfollowed", seq: s.seq}
		findings = append(findings, at)
	}
	for i := range w.bus.logs {
		l := &w.bus.logs[i]
		switch {
		case l.claim == nil || l.claim.Phase == ClaimClosed:
		case l.over():
			last := l.entries[len(l.entries)-1].Event
			unpaid := last.Status == "cancelled" || last.Status == "void" || last.Status == "expired"
			if unpaid && r.clock().Sub(last.ObservedAt) < time.Minute+2*simSweep && !r.follows(i, l.claim.Owner) && l.claim.Owner != r.self {
				findings = append(findings, simFinding{order: i, what: "unwatched"})
			}
		case !r.follows(i, l.claim.Owner):
			findings = append(findings, simFinding{order: i, what: "unfollowed"})
		case l.claim.Owner == r.self && w.bus.queued(w.orders[i].terminal) == nil:
			findings = append(findings, simFinding{order: i, what: "unqueued"})
		}
	}
	return findings
}

// followedOn reports whether an open order of a terminal is followed.
func (r *simReplica) followedOn(terminal int) bool {
	for i := range r.w.bus.logs {
		l := &r.w.bus.logs[i]
		if r.w.orders[i].terminal == terminal && l.claim != nil && l.claim.Phase != ClaimClosed && !l.over() && r.follows(i, l.claim.Owner) {
			return true
		}
	}
	return false
}

func (r *simReplica) repair(at simFinding) {
	w := r.w
	o := w.orders[at.order]
	switch {
	case at.what == "unqueued":
		r.requeue(o)
	case at.seq != 0:
		s := w.bus.bySequence(at.seq)
		if s == nil {
			return
		}
		place := Place{Seq: s.seq, Delivered: 2, LogCreated: epoch.Add(w.bus.created)}
		r.later(w.bus.latency(), func() { r.deliver(o, s.session, place) })
	default:
		r.later(w.bus.latency(), func() { r.begin(o) })
	}
}

// requeue queues the session of an open order again.
func (r *simReplica) requeue(o *simOrder) {
	w := r.w
	y := r.find(o.index)
	if y == nil || !y.p.Active() || y.p.State.Final {
		return
	}
	session := y.p.Session
	var seq uint64
	r.request(func() {
		if s, ok := w.bus.enqueue(o, session); ok {
			seq = s.seq
		}
	}, func() {
		if y := r.find(o.index); y != nil && seq != 0 {
			r.step(y, Requeued{Seq: seq})
		}
	}, func() {})
}
