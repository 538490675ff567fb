package payment

import "github.com/posbridge/bridge/schema"

// asked answers another replica that considers taking the session over (R11).
func (t *turn) asked(e Asked) {
	p := &t.p
	switch {
	case !t.isOwner():
		t.do(Respond{Waiter: e.Waiter, Elsewhere: true})
	case e.Epoch > p.Ledger.Epoch && !t.knowsMore():
		t.do(Respond{Waiter: e.Waiter, Elsewhere: true})
		t.leave(LeaveOutranked)
	case e.Epoch == p.Ledger.Epoch && p.Drain != DrainNot && (t.hasToStore() || t.knowsMore()):
		t.do(Respond{Waiter: e.Waiter, Storing: true})
	case e.Epoch != p.Ledger.Epoch, p.Drain != DrainNot:
		t.do(Respond{Waiter: e.Waiter, Elsewhere: true})
	default:
		if e.Handle != "" && e.QueueSeq >= p.Place.Seq && !p.Place.Gone {
			p.Place.Handle, p.Place.Seq = e.Handle, e.QueueSeq
			p.Place.Delivered = max(p.Place.Delivered, 1)
		}
		t.do(Respond{Waiter: e.Waiter})
	}
}

// outranked leaves when another replica has claimed the session.
func (t *turn) outranked(e Outranked) {
	if e.Epoch <= t.p.Ledger.Epoch || !t.isOwner() || t.knowsMore() || e.Phase == ClaimCreating && t.exists() {
		return
	}
	switch t.p.Phase.(type) {
	case Claiming: // the fence tells, and the log what becomes of the session
	case HandingOver:
		t.leave(LeaveHandedOver)
	default:
		t.leave(LeaveOutranked)
	}
}

// isOwner reports whether this replica has claimed the session, or is about to
// hear whether it has.
func (t *turn) isOwner() bool {
	switch t.p.Phase.(type) {
	case Arriving, Inquiring, Connecting, Unlocking, Withdrawing:
		return false
	}
	return t.p.Phase != nil
}

// knowsMore reports whether only this replica can tell whether the order
// exists: it keeps the session until it has stored that (R7).
func (t *turn) knowsMore() bool {
	switch phase := t.p.Phase.(type) {
	case Creating:
		return phase.Posting
	case Opening:
		return true
	}
	return false
}

// dispute goes on after the fence refused a message, with the log as it is.
func (t *turn) dispute(log Log) {
	p := &t.p
	verdict := judgeRefusal(p.Ledger, log)
	if verdict == refusedAfterAll {
		t.stored(log.Last)
		return
	}
	if _, claiming := p.Phase.(Claiming); claiming {
		p.Ledger.Writing, p.Ledger.Epoch = nil, 0
		t.become(Arriving{})
		t.decide(log)
		return
	}
	switch verdict {
	case refusedByOwner:
		t.yield(log)
	case refusedByLoss:
		switch {
		case t.lacks(ruleClaimLost):
			t.leave(LeaveOutranked)
		case t.denies():
			t.giveBack()
		default:
			t.claimAgain(log)
		}
	default:
		t.tryAgain(log)
	}
}

// yield leaves the session to the owner with the other claim, unless that one
// does not know that the order exists (R7). A closed claim over an order that is
// followed is in a log that was made anew.
func (t *turn) yield(log Log) {
	p := &t.p
	_, opening := p.Phase.(Opening)
	claim, newest := log.Claim, log.Newest()
	switch {
	case opening && (claim != nil && claim.Phase == ClaimClosed || newest != nil && newest.Event.Status == schema.StatusNotCreated):
		t.withdraw()
	case claim != nil && claim.Phase != ClaimOpen && !log.Over() && t.exists() && !t.lacks(ruleKeepWhatExists):
		t.claimAgain(log)
	default:
		t.leave(LeaveOutranked)
	}
}

// denies reports whether this replica is about to say that nothing was created.
// When the log was lost, that may not be true any more: another replica may have
// claimed and created the order before that.
func (t *turn) denies() bool {
	switch phase := t.p.Phase.(type) {
	case Closing:
		return true
	case Ending:
		return phase.Status == schema.StatusNotCreated
	}
	return false
}

// claimAgain claims above whatever the log shows, from memory.
func (t *turn) claimAgain(log Log) {
	p := &t.p
	t.catchUp(log)
	if log.Claim != nil {
		p.Ledger.Epoch = max(p.Ledger.Epoch, log.Claim.Epoch)
	}
	if newest := log.Newest(); newest != nil {
		p.Ledger.Epoch = max(p.Ledger.Epoch, newest.Epoch)
	}
	p.Ledger.Epoch++
	if t.exists() || p.Ledger.Claim.Phase == ClaimOpen {
		t.storeClaim(ClaimOpen, nil)
		return
	}
	t.storeClaim(ClaimCreating, nil)
}

// tryAgain repeats the refused message behind what the log shows: a claim at once, and
// what waits at the end of the step.
func (t *turn) tryAgain(log Log) {
	claim := t.p.Ledger.Claim
	_, wasClaim := t.p.Ledger.Writing.(claimWrite)
	t.catchUp(log)
	if wasClaim {
		t.storeClaim(claim.Phase, claim.Answer)
	}
}

// catchUp takes over what the log has more than memory. Memory goes on when the
// log has lost something.
func (t *turn) catchUp(log Log) {
	p := &t.p
	p.Ledger.Writing, p.Ledger.Last = nil, log.Last
	if newest := log.Newest(); newest != nil && newest.Event.Sequence >= p.State.Sequence {
		p.State, p.Ledger.Seen = stateOf(log), seenOf(log)
	}
	switch p.Phase.(type) {
	case Following, HandingOver, GivingUp, Ending:
		if p.State.Final {
			t.settle()
		}
	}
}
