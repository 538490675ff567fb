package payment

import (
	"cmp"
	"slices"

	"github.com/posbridge/bridge/schema"
)

// storeClaim publishes a claim of this replica in its present epoch.
func (t *turn) storeClaim(phase ClaimPhase, answer *schema.Error) {
	p := &t.p
	p.Ledger.Claim = Claim{
		Owner: p.Rules.Self, Replica: p.Rules.Replica, Epoch: p.Ledger.Epoch, Phase: phase,
		Session: p.Session, SessionID: p.State.SessionID, Sealed: p.Stream.Sealed,
		Handle: p.Place.Handle, QueueSeq: p.Place.Seq, Answer: answer, Ended: p.Ledger.Ended, UpdatedAt: t.at,
	}
	p.Ledger.Writing = claimWrite{}
	t.do(StoreClaim{Claim: p.Ledger.Claim, Expect: p.Ledger.Last})
}

// claimOver makes this replica the owner, over whatever the log shows.
func (t *turn) claimOver(log Log, goal Goal) {
	p := &t.p
	t.know(log)
	p.Ledger.Epoch = 1
	if newest := log.Newest(); newest != nil {
		p.Ledger.Epoch = newest.Epoch + 1
	}
	if c := log.Claim; c != nil {
		p.Ledger.Epoch = max(p.Ledger.Epoch, c.Epoch+1)
		p.Ledger.Ended = c.ended()
	}
	phase := ClaimOpen
	if goal == GoalCreate || goal == GoalFindOut {
		phase = ClaimCreating
	}
	t.become(Claiming{Goal: goal})
	t.stop(TimerPhase)
	t.storeClaim(phase, nil)
}

// maxEnded is how many ended sessions a claim names.
const maxEnded = 8

// ended are the sessions that ended without the order, this one included.
func (c Claim) ended() []string {
	if c.Phase != ClaimClosed {
		return c.Ended
	}
	return push(c.Ended[max(0, len(c.Ended)-maxEnded+1):], c.Session.Nonce)
}

// know takes over what the log says.
func (t *turn) know(log Log) {
	p := &t.p
	p.Ledger.Last, p.Ledger.Seen = log.Last, seenOf(log)
	p.State = stateOf(log)
	t.knowEvent(log)
}

// knowEvent takes over which event of the stream was the last one that is stored.
func (t *turn) knowEvent(log Log) {
	for _, e := range slices.Backward(log.Statuses) {
		if e.EventID != "" { // what answers told has none
			t.p.Stream.LastID = cmp.Or(t.p.Stream.LastID, e.EventID)
			return
		}
	}
}

// adopt takes over from a claim what this replica does not know by itself.
func (t *turn) adopt(log Log) {
	p := &t.p
	t.knowEvent(log)
	if c := log.Claim; c != nil {
		// The claim's session was put to the provider, not another one that joined
		// it; and one that was queued again looks younger than it is.
		p.Answered = p.Answered && p.Session.Nonce == c.Session.Nonce
		p.Session = c.Session
		if !p.Answered && (p.Place.Delivered > 0 || t.at.Before(p.Session.Deadline)) {
			t.expectAnswer()
		}
		if p.Place.Seq == 0 {
			p.Place.Seq, p.Place.Handle = c.QueueSeq, c.Handle
		}
		p.Stream.Sealed = c.Sealed
		return
	}
	if n := log.Newest(); n != nil && p.Session.Hash == "" {
		p.Session.Hash, p.Session.Group, p.Session.StartedAt = n.Hash, n.Group, n.StartedAt
		p.Session.Deadline = n.StartedAt
		p.Session.Request.Amount, p.Session.Request.Currency = n.Event.Amount, n.Event.Currency
	}
}

func seenOf(log Log) *chain[Seen] {
	var seen *chain[Seen]
	for _, e := range log.Statuses {
		seen = withStatus(seen, e)
	}
	return seen
}

// withStatus adds a stored status. One that only brings the charged amount is
// nothing that a stream repeats.
func withStatus(seen *chain[Seen], e Status) *chain[Seen] {
	if e.Event.Status == e.Event.PreviousStatus && e.Event.Status != "declined" {
		return seen
	}
	asked := seen.len() == 0 && e.Event.Source == schema.SourceReconcile
	return seen.with(Seen{Status: e.Event.Status, Transaction: e.Event.TransactionID, EventID: e.EventID, Asked: asked})
}

// withIDs notes the ids under which the stream shows the first status, if an answer
// told it: a later connection repeats it under those, not under the answer's.
func withIDs(seen *chain[Seen], o Observation) *chain[Seen] {
	if seen == nil || !seen.newest.Asked || o.Source != schema.SourceStream || o.Status != seen.newest.Status {
		return seen
	}
	told := seen.newest
	return seen.before.with(Seen{Status: o.Status, Transaction: cmp.Or(o.Transaction, told.Transaction), EventID: cmp.Or(o.EventID, told.EventID)})
}

// known are all statuses that are stored or will be, oldest first.
func (p *Payment) known() []Seen {
	known, s := p.Ledger.Seen.all(p.Pending.Len()), p.State
	for _, o := range p.Pending.all() {
		next, news := Fold(s, p.Session.Request.Amount, o)
		if news {
			known = append(known, o.seen())
		}
		s = next
	}
	return known
}

// flush folds what is pending and stores the first news. One message of an
// order is in flight at a time.
func (t *turn) flush() {
	p := &t.p
	for p.Ledger.Writing == nil && t.writes() && p.Pending.Len() > 0 {
		o := p.Pending.first()
		next, news := Fold(p.State, p.Session.Request.Amount, o)
		if !news {
			p.State, p.Pending = next, p.Pending.rest()
			p.Ledger.Seen = withIDs(p.Ledger.Seen, o)
			continue
		}
		next.OrderID, next.TerminalID, next.Currency = p.Session.Order(), p.Session.Terminal(), p.Session.Request.Currency
		entry := Status{
			Event: next.StatusEvent, Hash: p.Session.Hash, Group: p.Session.Group, Replica: p.Rules.Replica,
			Epoch: p.Ledger.Epoch, EventID: o.EventID, StartedAt: p.Session.StartedAt,
		}
		p.Ledger.Writing = statusWrite{entry}
		t.do(StoreStatus{Status: entry, Expect: p.Ledger.Last})
	}
	if p.Ledger.Writing == nil && t.writes() && len(p.Invalid) > 0 {
		p.Ledger.Writing = invalidWrite{}
		t.do(StoreInvalid{Event: p.Invalid[0], Expect: p.Ledger.Last})
	}
}

// writes reports whether the phase is one in which this replica stores news.
func (t *turn) writes() bool {
	switch t.p.Phase.(type) {
	case Following, HandingOver, GivingUp, Ending, Settling, Watching:
		return true
	}
	return false
}

// young reports whether the session cannot have been worked on by a replica
// that has gone since (R4).
func (t *turn) young() bool { return t.at.Sub(t.p.Session.StartedAt) < t.p.Rules.ReplicaTTL }

// logLost reports whether the log was made after the session was stored, or may
// have forgotten its claim: then it does not prove that nothing was sent (R4).
func (t *turn) logLost() bool {
	started := t.p.Session.StartedAt
	return t.p.Place.LogCreated.After(started) || t.at.Sub(started) > t.p.Rules.ClaimTTL
}

// exists reports whether this replica knows that the order exists.
func (t *turn) exists() bool {
	switch phase := t.p.Phase.(type) {
	case Opening, Following, HandingOver, Settling, Watching:
		return true
	case GivingUp:
		return !phase.Unproven
	}
	return false
}

// hasToStore reports whether this replica alone may have seen something that is not
// in the log yet.
func (t *turn) hasToStore() bool {
	p := &t.p
	return p.Ledger.Writing != nil || p.Pending.Len() > 0 || len(p.Invalid) > 0 || len(p.Question.Held) > 0 || p.Question.Suspect != nil ||
		p.Stream.Connection.open()
}

// busy reports whether something of the payment is on its way.
func (t *turn) busy() bool {
	p := &t.p
	return t.hasToStore() || p.Question.Asking || p.Cancel.Sent || p.Visitor != nil
}
