package payment

// another takes the delivery of another session of the order. It reports whether
// nothing more is to be done with its place in the queue.
func (t *turn) another(e Delivered) bool {
	p := &t.p
	answer := t.answerFor(e.Session)
	switch p.Phase.(type) {
	case Settling, Watching:
		if p.Place.Gone && p.Visitor == nil { // the order is over, and this session with it
			p.Visitor, p.Place = &answer, e.Place
			t.unlock()
			return true
		}
	case Unlocking, Withdrawing:
		if e.Place.Handle != "" { // it begins afresh when this one has ended
			t.do(GiveBack{Handle: e.Place.Handle})
		}
		return true
	case Arriving, Inquiring, Connecting, Claiming, Closing:
		return true // it is delivered again
	}
	if answer.Reply != "" { // the lock was lost with the queue
		t.do(answer)
	}
	return false
}

// answerFor is the answer to another start of the order.
func (t *turn) answerFor(s Session) AnswerStart {
	p := &t.p
	switch {
	case s.Hash != p.Session.Hash:
		return AnswerStart{Reply: s.Reply, Failure: conflictError(p.Session.Order())}
	case !t.exists():
		return AnswerStart{Reply: s.Reply, Failure: unknownError()}
	}
	return AnswerStart{Reply: s.Reply, SessionID: p.State.SessionID, Status: p.State.Status}
}
