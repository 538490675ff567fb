package payment

// another takes the delivery of another session of the order, or of any once the order is
// over. It reports whether nothing more is to be done with its place in the queue.
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
		p.Next = &e
		return true
	case Arriving, Inquiring, Connecting, Claiming, Closing, Unlocking, Withdrawing:
		p.Next = &e
		return true
	}
	if answer.Reply != "" { // the lock was lost with the queue
		t.do(answer)
	}
	return false
}

// isOver reports whether the order is over and its session has left the queue.
func (t *turn) isOver() bool {
	switch t.p.Phase.(type) {
	case Settling, Watching:
		return t.p.Place.Gone
	}
	return false
}

// next takes a session that has waited, as soon as the phase allows.
func (t *turn) next() {
	if next := t.p.Next; next != nil {
		t.p.Next = nil
		t.delivered(*next)
	}
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
