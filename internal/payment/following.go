package payment

import (
	"cmp"

	"github.com/posbridge/bridge/schema"
)

// openStream keeps a connection to the event stream from now on.
func (t *turn) openStream() {
	s := &t.p.Stream
	s.Wanted = true
	t.do(OpenStream{Sealed: s.Sealed, LastID: s.LastID})
}

// connected claims once the stream is open, or will not be in time.
func (t *turn) connected() {
	if phase, ok := t.p.Phase.(Connecting); ok {
		t.claimOver(phase.Log, GoalFollow)
	}
}

// follow reads the stream of an order that exists, and asks for what the stream
// does not tell.
func (t *turn) follow() {
	p := &t.p
	t.become(Following{})
	switch {
	case p.Stream.Wanted: // since before the claim
		t.replayEarly()
		t.askNow()
	case len(p.Stream.Sealed) > 0:
		t.openStream()
		t.wake(TimerQuestion, min(p.Rules.ReconcileInterval, streamPatience))
	default:
		t.note(NoteStream, "there is no event stream; the bridge polls the provider")
		t.askNow()
	}
	if len(p.Cancel.Waiters) > 0 {
		t.cancel()
	}
}

// replayEarly takes what the stream showed before the claim, now that the
// stored statuses are certain. What came before the last stored one is history.
func (t *turn) replayEarly() {
	s := &t.p.Stream
	last := 0
	if known := t.p.known(); len(known) > 0 {
		for i, e := range s.Early {
			if e.event != nil && known[len(known)-1].same(e.event.seen()) {
				last = i
			}
		}
	}
	for i, e := range s.Early {
		switch {
		case e.event != nil && i < last:
		case e.event != nil:
			t.show(*e.event)
		case e.invalid:
			s.Connection.Blurred = true
		default:
			if !containsRun(t.p.known(), s.Connection.Run) { // the owner before has stored it
				t.resolveRun()
			}
			s.Connection = Connection{Since: e.at}
		}
	}
	s.Early = nil
}

// streamOpened begins a new connection. What happened before it was open is
// gone unless asked for.
func (t *turn) streamOpened() {
	p := &t.p
	p.Stream.Connected = true
	p.Question.Polls = 0
	t.note(NoteStream, "event stream connected")
	if !t.writes() {
		p.Stream.Early = push(p.Stream.Early, early{at: t.at})
		t.connected()
		return
	}
	t.resolveRun()
	fresh := p.Stream.Connection.Since.IsZero() && len(p.known()) == 0
	p.Stream.Connection = Connection{Since: t.at, Live: len(p.known()) == 0}
	if fresh { // hardly anything can have happened yet
		t.askRoutine(true)
	} else {
		t.askNow()
	}
}

// streamEvent takes a status from the stream.
func (t *turn) streamEvent(o Observation) {
	p := &t.p
	p.Question.Moment.News++
	p.Stream.LastID = cmp.Or(o.EventID, p.Stream.LastID)
	if !t.writes() {
		p.Stream.Early = push(p.Stream.Early, early{at: t.at, event: &o})
		return
	}
	held := p.Question.Held
	if s := t.clear(); s != nil {
		held = push(held, s.Observation)
	}
	p.Question.Held = nil
	for _, h := range held {
		switch {
		case schema.IsFinal(o.Status) && endsAnew(p.known(), o) && !schema.IsFinal(h.Status):
			p.Pending = p.Pending.with(h) // from before the stream was open: nothing is open after the end
		case h.Status != o.Status:
			t.askNow() // the answer was about something later, or earlier
		}
	}
	t.show(o)
	p.Question.Interval = 0
	if _, following := p.Phase.(Following); following && !p.Question.Asking {
		t.wake(TimerQuestion, p.Rules.ReconcileInterval)
	}
}

// show adds what is certainly new. Events that may be repeats are held until
// the provider has been asked.
func (t *turn) show(o Observation) {
	p := &t.p
	if t.lacks(ruleOverlap) {
		p.Stream.Connection.Live = true
	}
	if p.Stream.Connection.Live && t.mayBeBefore(o) {
		p.Stream.Connection = Connection{Since: t.at.Add(streamPatience)}
	}
	if p.Stream.Connection.Live {
		p.Pending = p.Pending.with(o)
		return
	}
	var news []Observation
	p.Stream.Connection, news = p.Stream.Connection.show(p.known(), o)
	p.Pending = p.Pending.with(news...)
	if len(news) == 0 && !p.Stream.Connection.Live && len(p.Stream.Connection.Run) > 0 {
		t.askNow()
		t.holdRun(o)
	}
}

// mayBeBefore reports whether an event may be older than the only known status, which an
// answer told: it is about another attempt.
func (t *turn) mayBeBefore(o Observation) bool {
	if o.Status != "declined" || o.Transaction == "" || t.p.Ledger.Seen.len() > 1 { // known costs more
		return false
	}
	known := t.p.known()
	return len(known) == 1 && (known[0].Asked || t.p.Ledger.Seen.len() == 0) &&
		known[0].Transaction != "" && o.Transaction != known[0].Transaction
}

// holdRun sets how long the provider's answer is awaited before events that may
// be history are decided about without it. The end of a payment waits less.
func (t *turn) holdRun(o Observation) {
	limit := t.p.Rules.RequestTimeout
	if schema.IsFinal(o.Status) {
		limit = streamPatience
	}
	if due := t.p.Timers[TimerHold]; due.IsZero() || due.After(t.at.Add(limit)) {
		t.wake(TimerHold, limit)
	}
}

// streamInvalid keeps what was not understood for the log, and asks instead.
func (t *turn) streamInvalid(e StreamInvalid) {
	p := &t.p
	p.Invalids++
	p.Stream.Connection.Blurred = !p.Stream.Connection.Live
	if !t.writes() {
		p.Stream.Early = push(p.Stream.Early, early{at: t.at, invalid: true})
	}
	t.note(NoteInvalid, e.Reason)
	if p.Invalids <= maxInvalid {
		p.Invalid = push(p.Invalid, schema.InvalidEvent{
			OrderID: p.Session.Order(), TerminalID: p.Session.Terminal(), SessionID: p.State.SessionID,
			Reason: e.Reason, Event: e.Type, Data: e.Data, ObservedAt: t.at.UTC().Round(0),
		})
	}
	if t.writes() {
		t.askNow()
	}
}

// streamEnded goes on by asking until the stream is back, if it comes back.
func (t *turn) streamEnded(e StreamEnded) {
	p := &t.p
	p.Stream.Connected = false
	if e.Lost {
		p.Stream.Wanted = false
	}
	switch p.Phase.(type) {
	case Connecting:
		t.note(NoteTrouble, e.Reason)
		t.connected()
	case Settling:
		if p.Stream.Wanted { // providers end the stream when the payment is over
			t.closeStream()
		}
	case Following, HandingOver:
		t.note(NoteTrouble, e.Reason)
		if !p.Question.Asking || p.Question.Routine {
			t.askAfter(t.pause(p.Question.Polls))
			p.Question.Polls++
		}
	}
}

// cancel puts a cancel to the provider.
func (t *turn) cancel() {
	if !t.p.Cancel.Sent {
		t.p.Cancel.Sent = true
		t.do(Cancel{})
	}
}

// cancelled takes what the cancel came to. The waiters are answered with the
// status that is stored for it, so that answer and event say the same.
func (t *turn) cancelled(e Cancelled) {
	p := &t.p
	p.Cancel.Sent = false
	if e.Outcome == Done && schema.IsFinal(e.Status) {
		p.Question.Moment.News++
		t.resolveRun()
	}
	switch {
	case e.Outcome == Done && (t.expected().Final || schema.IsFinal(e.Status) && !EndsUnpaid(e.Status)):
		p.Cancel.Failure = nil
		t.askNow() // for what came in between, or for what was paid
	case e.Outcome == Done && schema.IsFinal(e.Status):
		t.believe() // it came before the cancel
		t.learnt(Observation{Source: schema.SourceReconcile, Status: e.Status, At: t.at})
		p.Cancel.Failure = nil
	case e.Outcome == Done:
		t.respondCancels(e.Status, nil)
		t.askNow()
	case e.Outcome.changesNothing() && !t.expected().Final: // and asking may not tell either
		t.respondCancels("", e.failure())
	default:
		p.Cancel.Failure = e.failure()
		t.wake(TimerCancel, p.Rules.RequestTimeout/2)
		t.askNow() // it may be over already
	}
}

// respondCancels answers everybody who wants the order cancelled.
func (t *turn) respondCancels(status string, failure *schema.Error) {
	for _, w := range t.p.Cancel.Waiters {
		t.do(Respond{Waiter: w, Status: status, Failure: failure})
	}
	t.p.Cancel.Waiters, t.p.Cancel.Failure = nil, nil
	t.stop(TimerCancel)
}

// handOver gives the session back while this replica stops, once nothing of it
// is on its way to the log.
func (t *turn) handOver() {
	if _, following := t.p.Phase.(Following); following && t.p.Drain != DrainNot && !t.hasToStore() {
		t.become(HandingOver{})
		t.offer()
	}
}

// offer gives the session back without leaving it.
func (t *turn) offer() {
	t.wake(TimerPhase, handOverLimit)
	if place := t.p.Place; place.Handle != "" && !place.Gone {
		t.do(GiveBack{Handle: place.Handle})
	}
}

// giveUp begins to end a session without a final status: it asks once more.
func (t *turn) giveUp(why string) {
	creating, unproven := t.p.Phase.(Creating)
	if claiming, fresh := t.p.Phase.(Claiming); fresh {
		unproven = claiming.Goal != GoalFollow
	}
	t.become(GivingUp{Unproven: unproven && creating.Belief != Proven})
	if unproven {
		t.answer(AnswerStart{Failure: unknownError()})
	}
	t.stop(TimerQuestion)
	t.wake(TimerPhase, t.p.Rules.RequestTimeout)
	t.askNow()
	t.note(NoteTrouble, "the bridge gives the session up: "+why)
}

// giveUpNext takes the next step of giving up once nothing is on its way any
// more, or has been for too long: the cancel, then the end.
func (t *turn) giveUpNext() {
	p := &t.p
	phase, still := p.Phase.(GivingUp)
	switch {
	case !still:
	case p.Ledger.Writing != nil, p.Pending.Len() > 0: // it may be the end
		if p.Timers[TimerPhase].IsZero() {
			t.wake(TimerPhase, p.Rules.RequestTimeout)
		}
	case t.busy() && !phase.Impatient:
	case phase.Unproven && phase.Missing:
		t.conclude(schema.StatusNotCreated, "the provider does not know the order; nothing was created")
	case !phase.Cancelling:
		phase.Cancelling, phase.Impatient = true, false
		t.become(phase)
		t.wake(TimerPhase, 2*p.Rules.RequestTimeout)
		t.cancel()
	default:
		reason := "BRIDGE_SESSION_TIMEOUT has passed without a final status"
		if p.Condemned {
			reason = "the bridge failed repeatedly on this payment"
		}
		t.conclude(schema.StatusUnresolved, reason+"; look the order up at the provider")
	}
}
