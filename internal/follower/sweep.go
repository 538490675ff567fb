package follower

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
)

const (
	// SweepInterval is how often queue and logs are compared.
	SweepInterval = 30 * time.Second
	// sweepRepeat is the least time between the two sweeps that must see the same: a
	// session that was only just stored is not delivered or claimed at once.
	sweepRepeat = 2 * time.Second
	// maxWatches is how many orders that are over one sweep takes: the many that a
	// busy replica leaves must not delay the payments that are open.
	maxWatches = 50
)

// sweeper compares the queue with the logs: what no redelivery, no heartbeat and
// no replica will repair. It acts only on what it sees in two sweeps.
type sweeper struct {
	f *Follower
	// seen is since when the sweeps up to the last one have seen each finding.
	seen map[finding]time.Time
}

// Sweep compares queue and logs until ctx is over: at once, after every note on
// again, and every SweepInterval.
func (f *Follower) Sweep(ctx context.Context, again <-chan struct{}) {
	s := &sweeper{f: f, seen: map[finding]time.Time{}}
	for ctx.Err() == nil {
		pause := SweepInterval
		found, err := s.sweep(ctx, time.Now())
		if err != nil {
			f.report.Log.Debug("Could not compare the queue with the logs", zap.Error(err))
		}
		if found || err != nil {
			pause = sweepRepeat
		}
		select {
		case <-time.After(pause):
		case <-again:
		case <-ctx.Done():
		}
	}
}

// sweep looks once. found is set when something is to be looked at again.
func (s *sweeper) sweep(ctx context.Context, now time.Time) (found bool, err error) {
	findings, err := s.look(ctx)
	if err != nil {
		return false, err
	}
	repairs, pending := choose(findings, s.seen, now)
	for _, at := range repairs {
		s.repair(ctx, at)
	}
	s.seen = pending
	faults := faultsIn(repairs)
	s.f.opts.Swept(faults)
	return len(pending) > 0 || faults != "", nil // after a fault it looks whether the repair helped
}

// choose picks what an earlier sweep has seen too, and at most maxWatches orders that are
// over. The rest waits for the next sweep.
func choose(findings []finding, seen map[finding]time.Time, now time.Time) (repairs []finding, pending map[finding]time.Time) {
	pending = map[finding]time.Time{}
	watches := 0
	for _, at := range findings {
		since, again := seen[at]
		if !again {
			since = now
		}
		if now.Sub(since) < sweepRepeat || at.what == unwatched && watches == maxWatches {
			pending[at] = since
			continue
		}
		if at.what == unwatched {
			watches++
		}
		repairs = append(repairs, at)
	}
	return repairs, pending
}

// look lists everything that should not be.
func (s *sweeper) look(ctx context.Context) ([]finding, error) {
	terminals, err := s.f.opts.Bus.QueuedTerminals(ctx)
	if err != nil {
		return nil, err
	}
	open := s.f.opts.Orders.Open()
	var findings, left []finding
	own, held := s.unlisted(open), map[string]bool{} // the terminals of what is followed
	for ref, owner := range open {
		if !s.f.follows(ref, owner) {
			s.f.peers.heard(owner) // it is pinged from now on: the next sweep knows whether it is there
			left = append(left, finding{ref: ref, what: unfollowed})
			continue
		}
		held[ref.Terminal] = true
		if owner == s.f.opts.Rules.Self {
			own = append(own, ref)
		}
	}
	queued := map[string]bool{}
	for _, terminal := range terminals {
		queued[terminal] = true
		if held[terminal] {
			continue
		}
		at, ok, err := s.lookAtSession(ctx, terminal)
		if err != nil {
			return nil, err
		}
		if ok {
			findings = append(findings, at)
		}
	}
	findings = append(findings, left...)
	for _, ref := range own {
		if !queued[ref.Terminal] {
			findings = append(findings, finding{ref: ref, what: unqueued})
		}
	}
	return append(findings, s.unwatched()...), nil
}

// unlisted are the payments that this replica keeps alive, and whose claims the log has
// lost.
func (s *sweeper) unlisted(open map[Ref]string) []Ref {
	refs, _ := inLoop(s.f.work, s.f, func(answer func([]Ref)) {
		var refs []Ref
		for _, a := range s.f.actors {
			if _, listed := open[a.ref]; !listed && a.payment.Active() && !a.payment.State.Final {
				refs = append(refs, a.ref)
			}
		}
		answer(refs)
	})
	return refs
}

// unwatched lists the orders that are over, that may have been paid all the same or
// with another amount, and whose owner has gone.
func (s *sweeper) unwatched() (findings []finding) {
	var unpaid time.Duration
	if n := len(s.f.opts.Rules.Aftercare); n > 0 {
		unpaid = s.f.opts.Rules.Aftercare[n-1] + 2*SweepInterval
	}
	for ref, owner := range s.f.opts.Orders.Watched(unpaid, 2*SweepInterval) {
		if owner != s.f.opts.Rules.Self && !s.f.follows(ref, owner) {
			s.f.peers.heard(owner)
			findings = append(findings, finding{ref: ref, what: unwatched})
		}
	}
	return findings
}

// lookAtSession looks at a session whose terminal no known payment holds.
func (s *sweeper) lookAtSession(ctx context.Context, terminal string) (finding, bool, error) {
	d, err := s.f.opts.Bus.Queued(ctx, terminal)
	switch {
	case errors.Is(err, bus.ErrNotFound), errors.Is(err, bus.ErrNewer): // a replica of that release looks after it
		return finding{}, false, nil
	case err != nil && d.Seq != 0:
		return finding{ref: Ref{Terminal: terminal}, what: unreadable, seq: d.Seq}, true, nil
	case err != nil:
		return finding{}, false, err
	}
	at := finding{ref: refOf(d.Session), what: unfollowed, seq: d.Seq}
	log, err := s.f.opts.Bus.ReadLog(ctx, at.ref.Terminal, at.ref.Order, false)
	switch {
	case errors.Is(err, bus.ErrNewer):
		return finding{}, false, nil
	case err != nil:
		return finding{}, false, err
	}
	switch {
	case log.Over() && log.Newest().Hash == d.Session.Hash:
		at.what = ended
	case log.Last == 0:
		at.what = undelivered
	}
	return at, true, nil
}

// follows reports whether a replica that is there follows the order, as far as
// is known without asking it. An owner that is silent does not, although somebody
// listens under its name: perhaps a subscriber to all subjects.
func (f *Follower) follows(ref Ref, owner string) bool {
	if owner != f.opts.Rules.Self {
		return owner != "" && f.peers.isThere(owner) && !f.isSilent(owner)
	}
	followed, _ := inLoop(f.work, f, func(answer func(bool)) { answer(f.actors[ref] != nil) })
	return followed
}

// repair acts on what two sweeps saw. Everything it does is decided again from
// the log by the payment itself.
func (s *sweeper) repair(ctx context.Context, at finding) {
	f := s.f
	f.report.Metrics.SweepRepaired(at.what)
	f.report.Log.Warn("Repairing an inconsistency that two sweeps found", zap.String(telemetry.KeyReason, at.what),
		zap.String(telemetry.KeyTerminal, at.ref.Terminal), zap.String(telemetry.KeyOrder, at.ref.Order))
	switch at.what {
	case unreadable:
		if err := f.opts.Bus.DeleteSession(ctx, at.seq); err != nil {
			f.report.Log.Debug("Could not remove an unreadable session", zap.Error(err))
		}
	case unqueued:
		s.requeue(ctx, at.ref)
	default:
		if at.seq != 0 { // one that has ended is answered and removed
			s.take(ctx, at)
			return
		}
		f.post(func() { f.find(at.ref) })
	}
}

// take begins with a session that was not delivered in time.
func (s *sweeper) take(ctx context.Context, at finding) {
	d, err := s.f.opts.Bus.Queued(ctx, at.ref.Terminal)
	if err != nil || d.Seq != at.seq {
		return
	}
	d.Delivered = 2 // another replica may have worked on it: nothing is taken for granted
	d.Handle = ""
	s.f.Deliver(d)
}

// requeue queues the session of a payment that this replica follows again, if
// its terminal is free. A payment that is over here, and open in its log, has lost its
// end: it is taken up again from its log.
func (s *sweeper) requeue(ctx context.Context, ref Ref) {
	p, ok := inLoop(ctx, s.f, func(answer func(payment.Session)) {
		var session payment.Session
		switch a := s.f.actors[ref]; {
		case a == nil:
		case a.payment.State.Final:
			s.f.forget(a)
			s.f.find(ref)
		case a.payment.Locks():
			session = a.payment.Session
		}
		answer(session)
	})
	if !ok || p.Hash == "" {
		return
	}
	seq, err := s.f.opts.Bus.Enqueue(ctx, p)
	if err != nil {
		s.f.report.Log.Debug("Could not queue an open payment again", zap.String(telemetry.KeyOrder, ref.Order), zap.Error(err))
		return
	}
	s.f.post(func() {
		if a := s.f.actors[ref]; a != nil {
			s.f.step(a, payment.Requeued{Seq: seq})
		}
	})
}
