package payment

import "github.com/posbridge/bridge/schema"

// Step takes one input. It makes every decision about the payment, and is pure:
// the same payment and input give the same next payment and effects.
func Step(p Payment, in Input) (Payment, []Effect) {
	t := turn{p: p, at: in.At}
	t.take(in.Event)
	t.rest()
	return t.p, t.effects
}

// take hands the input to the phase that it is meant for. What comes too late
// for that is dropped.
func (t *turn) take(event Event) {
	if _, left := t.p.Phase.(Left); left {
		return
	}
	switch e := event.(type) {
	case Delivered:
		t.delivered(e)
	case Found:
		t.find()
	case LogRead:
		t.logRead(e.Log)
	case Stored:
		t.stored(e.Seq)
	case Refused:
		t.do(ReadLog{})
	case Posted:
		if phase, ok := t.p.Phase.(Creating); ok {
			t.posted(phase, e)
		}
	case Answered:
		t.p.Question.Asking, t.p.Question.Routine = false, false
		t.takeAnswer(e)
	case Cancelled:
		t.takeCancelled(e)
	case StreamOpened:
		t.streamOpened()
	case StreamEvent:
		t.streamEvent(e.Observation)
	case StreamInvalid:
		t.streamInvalid(e)
	case StreamUnsettled:
		if t.writes() {
			t.askNow()
		}
	case StreamEnded:
		t.streamEnded(e)
	case Tick:
		t.tick()
	case Unlocked:
		t.p.Place.Gone = true
		t.note(NoteUnlocked, "the terminal is free")
		t.finished()
	case Requeued:
		t.p.Place.Seq, t.p.Place.Handle, t.p.Place.Delivered = e.Seq, "", 0
	case Draining:
		t.p.Drain = DrainToOthers
		if e.Alone {
			t.p.Drain = DrainAlone
		}
	default:
		t.takeRequest(event)
	}
}

// takeRequest takes what other replicas and commands want to know or to happen.
func (t *turn) takeRequest(event Event) {
	p := &t.p
	switch e := event.(type) {
	case OwnerSaid:
		if phase, ok := p.Phase.(Inquiring); ok {
			t.ownerSaid(phase, e)
		}
	case Asked:
		t.asked(e)
	case Outranked:
		t.outranked(e)
	case CancelAsked:
		p.Cancel.Waiters = push(p.Cancel.Waiters, e.Waiter)
		switch p.Phase.(type) {
		case Following, HandingOver:
			t.cancel()
		}
	case LookAsked:
		p.Lookers = push(p.Lookers, e.Waiter)
		if t.writes() {
			t.askNow()
		}
	}
}

// delivered takes the session from the queue, or the new handle of one that is
// followed already.
func (t *turn) delivered(e Delivered) {
	place := e.Place
	if t.p.Session.Hash == "" && e.Session.Hash != "" { // found before it was delivered
		t.p.Session = e.Session
		t.expectAnswer()
	}
	if t.p.Phase == nil {
		t.arrive(place)
		return
	}
	if e.Session.Nonce != "" && (e.Session.Nonce != t.p.Session.Nonce || t.isOver()) && t.another(e) {
		return
	}
	if place.Handle == "" && place.Seq == t.p.Place.Seq {
		place.Handle = t.p.Place.Handle
	}
	if place.Seq >= t.p.Place.Seq && !t.p.Place.Gone {
		place.LogCreated = t.p.Place.LogCreated
		t.p.Place = place
	}
	if _, handing := t.p.Phase.(HandingOver); handing && place.Handle != "" {
		t.do(GiveBack{Handle: place.Handle}) // it is meant for another replica
	}
}

// logRead takes the log that was asked for.
func (t *turn) logRead(log Log) {
	if _, arriving := t.p.Phase.(Arriving); arriving {
		t.decide(log)
	} else {
		t.dispute(log)
	}
}

// takeAnswer takes the provider's answer as the phase needs it.
func (t *turn) takeAnswer(e Answered) {
	switch phase := t.p.Phase.(type) {
	case Creating:
		t.found(phase, e)
	case GivingUp:
		phase.Missing = !e.Exists && !e.SentAt.Before(t.certain())
		phase.Unproven = phase.Unproven && !e.Exists
		t.become(phase)
		t.answered(e)
	default:
		if t.writes() {
			t.answered(e)
		}
	}
}

// takeCancelled takes what a cancel came to as the phase needs it.
func (t *turn) takeCancelled(e Cancelled) {
	switch t.p.Phase.(type) {
	case Withdrawing:
		t.withdrawn(e)
	default:
		if t.writes() {
			t.cancelled(e)
		}
	}
}

// stored takes the confirmation of the message in flight.
func (t *turn) stored(seq uint64) {
	p := &t.p
	write := p.Ledger.Writing
	p.Ledger.Last, p.Ledger.Writing = seq, nil
	switch w := write.(type) {
	case claimWrite:
		t.claimed()
	case statusWrite:
		e, ended := &w.status.Event, w.status.Event.Final && !p.State.Final
		p.State = w.status.after(p.State)
		p.Ledger.Seen = withStatus(p.Ledger.Seen, w.status)
		p.Pending = p.Pending.rest()
		t.do(Note{Kind: NoteStatus, Text: e.Status, Event: e})
		switch {
		case ended:
			t.settle()
		case e.Status == "completed" && e.Source == schema.SourceStream && e.AmountCharged == 0:
			t.askNow() // paid after all: for the amount that was charged
		}
	case invalidWrite:
		p.Invalid = p.Invalid[1:]
	}
}

// claimed goes on with what a claim was stored for.
func (t *turn) claimed() {
	switch phase := t.p.Phase.(type) {
	case Claiming:
		t.owns(phase.Goal)
	case Opening:
		t.opened()
	case Closing:
		t.closed(phase)
	}
}

// tick fires the timers that are due.
func (t *turn) tick() {
	for timer := range timerCount {
		if due := t.p.Timers[timer]; due.IsZero() || due.After(t.at) {
			continue
		}
		t.stop(timer)
		t.fire(timer)
	}
}

func (t *turn) fire(timer Timer) {
	switch timer {
	case TimerAnswer:
		t.answerOverdue()
	case TimerLife:
		t.lifeOver()
	case TimerPhase:
		t.phaseOver()
	case TimerQuestion:
		if t.p.Stream.Connected {
			t.askRoutine(false)
		} else {
			t.askNow()
		}
	case TimerHold:
		t.held()
	case TimerLook:
		t.look()
	case TimerCancel:
		if c := t.p.Cancel; c.Failure != nil && !c.Sent {
			t.respondCancels("", untold(c.Failure))
		}
	}
}

// answerOverdue tells the requester what is known at the deadline.
func (t *turn) answerOverdue() {
	failure := unknownError()
	switch phase := t.p.Phase.(type) {
	case Unlocking:
		t.answer(phase.Answer) // it is stored, whatever keeps the queue from unlocking
		return
	case Creating:
		failure.Provider = phase.Failure.Provider
	}
	t.answer(AnswerStart{Failure: failure})
}

const timeOver = "BRIDGE_SESSION_TIMEOUT has passed"

// lifeOver ends a session that has taken too long.
func (t *turn) lifeOver() {
	switch phase := t.p.Phase.(type) {
	case Watching:
		t.leave(LeaveDone)
	case Following:
		t.giveUp(timeOver)
	case Creating:
		if !phase.Posting {
			t.giveUp(timeOver)
			return
		}
		t.wake(TimerLife, t.p.Rules.RequestTimeout)
	case Opening, Closing:
		t.wake(TimerLife, t.p.Rules.RequestTimeout)
	}
}

// phaseOver ends what the phase has waited for long enough.
func (t *turn) phaseOver() {
	switch phase := t.p.Phase.(type) {
	case Connecting:
		t.connected()
	case HandingOver:
		if t.p.Drain == DrainAlone && !t.hasToStore() {
			t.leave(LeaveHandedOver)
			return
		}
		t.offer() // the queue may not have heard it
	case GivingUp:
		phase.Impatient = true
		t.become(phase)
	case Settling:
		t.settleOver(phase)
	case Withdrawing:
		t.do(Cancel{})
	case Watching:
		t.watchRound()
	}
}

// rest does what becomes possible when nothing is on its way any more.
func (t *turn) rest() {
	p := &t.p
	t.flush()
	t.next()
	if p.State.Final && p.Ledger.Writing == nil {
		t.respondCancels(p.State.Status, nil)
	}
	if p.Cancel.Failure != nil && !t.busy() {
		t.respondCancels("", p.Cancel.Failure)
	}
	if len(p.Lookers) > 0 && t.writes() && !t.busy() {
		for _, w := range p.Lookers {
			t.do(Respond{Waiter: w, Status: p.State.Status})
		}
		p.Lookers = nil
	}
	t.giveUpNext()
	t.settled()
	if _, watching := p.Phase.(Watching); watching && !t.busy() && (p.Timers[TimerPhase].IsZero() || p.Drain != DrainNot) {
		t.leave(LeaveDone)
	}
	if p.Drain != DrainNot {
		t.drain()
	}
}

// drain hands the session over as soon as nothing is lost by it.
func (t *turn) drain() {
	switch phase := t.p.Phase.(type) {
	case Arriving, Inquiring, Connecting, Claiming:
		t.giveBack()
	case Creating:
		if !phase.Posting {
			t.giveBack()
		}
	case Following:
		t.handOver()
	case Watching:
		if !t.hasToStore() && !t.p.Cancel.Sent && t.p.Visitor == nil && len(t.p.Lookers) == 0 { // the sweep of another replica asks again
			t.leave(LeaveDone)
		}
	}
}
