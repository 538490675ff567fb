package payment

import (
	"slices"

	"github.com/posbridge/bridge/schema"
)

// arrive begins with a session from the queue. The first delivery of a young
// session claims an empty log without reading it: the fence tells if it is not.
func (t *turn) arrive(place Place) {
	p := &t.p
	p.Place = place
	t.expectAnswer()
	t.note(NoteTaken, "received from the queue; the terminal is locked")
	if place.Delivered == 1 && t.young() && !t.logLost() && !p.Condemned {
		t.become(Arriving{})
		t.claimOver(Log{}, GoalCreate)
		return
	}
	t.find()
}

// find begins with the log.
func (t *turn) find() {
	t.become(Arriving{})
	t.do(ReadLog{})
}

// decide is what the log means for an order that this replica comes upon.
func (t *turn) decide(log Log) {
	p := &t.p
	if !log.Created.IsZero() {
		p.Place.LogCreated = log.Created
	}
	claim, newest := log.Claim, log.Newest()
	switch {
	case p.Place.Delivered > 0 && t.decideDelivered(log):
	case claim == nil && newest == nil, claim != nil && claim.Phase == ClaimClosed:
		t.leave(LeaveUnknown)
	case claim != nil && claim.Owner != p.Rules.Self:
		t.inquire(log)
	default:
		t.takeOver(log)
	}
}

// decideDelivered is what the log means for a session from the queue. It reports false
// if the order exists and may be open.
func (t *turn) decideDelivered(log Log) bool {
	p := &t.p
	claim, newest := log.Claim, log.Newest()
	closed := claim != nil && claim.Phase == ClaimClosed
	begin := GoalFindOut
	if p.Place.Delivered == 1 && t.young() && !t.logLost() || t.lacks(ruleEmptyLog) { // nobody had the session before
		begin = GoalCreate
	}
	switch {
	case t.otherContent(log):
		t.finish(AnswerStart{Failure: conflictError(p.Session.Order())})
	case log.Over():
		t.finish(AnswerStart{
			SessionID: newest.Event.SessionID, Status: newest.Event.Status,
			Created: claim != nil && claim.QueueSeq == p.Place.Seq,
		})
	case claim == nil && newest == nil:
		t.claimOver(log, begin)
	case claim != nil && slices.Contains(claim.Ended, p.Session.Nonce):
		t.finish(AnswerStart{Failure: unknownError()}) // a publish that arrived late; it was answered long ago
	case closed && t.closedBy(*claim):
		t.finish(AnswerStart{Failure: claim.Answer})
	case closed: // the session before ended for certain (R1)
		t.claimOver(log, begin)
	default:
		return false
	}
	return true
}

// closedBy reports whether a closed claim ends the session: it is of this
// session or a later one (R1). A session that was published twice, because the
// first try was late, ended with the first.
func (t *turn) closedBy(c Claim) bool {
	return c.QueueSeq >= t.p.Place.Seq || c.Session.Nonce == t.p.Session.Nonce
}

// otherContent reports whether the order exists with other content than the
// session's. A closed session was about nothing that exists (R1).
func (t *turn) otherContent(log Log) bool {
	if t.p.Session.Hash == "" {
		return false
	}
	if newest := log.Newest(); newest != nil {
		return newest.Hash != t.p.Session.Hash
	}
	claim := log.Claim
	return claim != nil && claim.Phase != ClaimClosed && claim.Session.Hash != t.p.Session.Hash
}

// finish ends a session of which nothing is left to do: it unlocks the
// terminal, then answers.
func (t *turn) finish(answer AnswerStart) {
	if answer.Failure != nil && answer.Failure.Code != schema.OrderConflict {
		t.note(NoteRefused, string(answer.Failure.Code))
	}
	t.become(Unlocking{Answer: answer})
	t.unlock()
}

// finished answers once the session has left the queue.
func (t *turn) finished() {
	t.seeOff()
	if phase, ok := t.p.Phase.(Unlocking); ok {
		t.answer(phase.Answer)
		t.leave(LeaveDone)
	}
}
