package payment

import (
	"time"

	"github.com/posbridge/bridge/schema"
)

// askNow has the provider asked for the order, because something may have
// happened. An answer to an older question is not enough.
func (t *turn) askNow() { t.askAfter(0) }

// askAfter is askNow after a pause.
func (t *turn) askAfter(pause time.Duration) {
	q := &t.p.Question
	q.Moment.Reasons++
	if !q.Asking || q.Routine {
		q.Asking, q.Routine = true, false
		t.do(Ask{After: pause})
	}
}

// askRoutine asks about a healthy, silent stream; first says that nothing was
// asked about it before.
func (t *turn) askRoutine(first bool) {
	q := &t.p.Question
	if !q.Asking {
		q.Asking, q.Routine = true, true
		t.do(Ask{Routine: true, First: first})
	}
}

// answered takes the provider's answer about an order that exists, or did.
func (t *turn) answered(e Answered) {
	q := &t.p.Question
	if c := &t.p.Stream.Connection; e.SentAt.Sub(c.Since) > historyLimit {
		c.Ripe = true
	}
	if e.Exists {
		t.weigh(e)
	} else {
		t.note(NoteTrouble, "the provider does not know the order at the moment")
		t.doubtAnswer()
	}
	t.awaitAmount(e)
	if q.Moment.Reasons != e.Asked.Reasons {
		t.askNow()
	} else {
		t.scheduleQuestion()
	}
}

// doubtAnswer asks again soon when the provider does not know an order that is
// over: it does, and another of its machines may say what came after the end.
func (t *turn) doubtAnswer() {
	p := &t.p
	pause := t.pause(p.Question.Polls)
	if p.Question.Polls == doubtLimit {
		return
	}
	switch phase := p.Phase.(type) {
	case Watching:
		p.Question.Polls++
		if round := p.Timers[TimerPhase]; round.IsZero() || t.at.Add(pause).Before(round) {
			t.wake(TimerPhase, pause)
		}
	case Settling:
		if phase.Over && !p.Stream.Connected {
			p.Question.Polls++
			t.askAfter(pause)
		}
	}
}

// awaitAmount asks again when the answer of a payment that was just made is older than
// that: it does not tell the amount that was charged.
func (t *turn) awaitAmount(e Answered) {
	q := &t.p.Question
	told := e.Exists && schema.IsFinal(e.Status)
	switch t.p.Phase.(type) {
	case Settling:
	case Watching:
		told = told || !e.Exists // doubtAnswer sees to that
	default:
		return
	}
	if t.lacksAmount() && !told && !q.Asking && q.Polls < doubtLimit && t.p.Drain == DrainNot {
		t.askAfter(t.pause(q.Polls))
		q.Polls++
	}
}

// lacksAmount reports whether the payment was made, and maybe with another amount.
func (t *turn) lacksAmount() bool {
	return t.p.State.Status == "completed" && t.p.State.AmountCharged == 0
}

// weigh compares an answer with what the stream shows, and with what a cancel
// came to. An answer that is older than such news, or shows an earlier transaction, is
// none, unless only it says that the payment is over.
func (t *turn) weigh(e Answered) {
	p, o := &t.p, e.observation(t.at)
	overtaken, past := p.Question.Moment.News != e.Asked.News, isPast(p.known(), o.seen())
	older := overtaken || past
	ends := schema.IsFinal(e.Status)
	if !older || ends && !t.expected().Final {
		t.judgeRun(o, e.SentAt)
	}
	if !older && len(p.Question.Held) > 0 && !p.holds(o) && !t.isLast(o) {
		t.release() // it came before this one
	}
	certain := !older && t.confirms(e, o)
	expected := t.expected()
	_, news := Fold(expected, p.Session.Request.Amount, o)
	suspicious := news && !certain && t.suspicious(o)
	if !news || suspicious || older && (expected.Final || !ends) {
		t.note(NoteAnswer, e.Status)
	} else {
		t.note(NoteNews, e.Status)
	}
	switch {
	case older && (expected.Final || !ends):
		if news && overtaken {
			p.Question.Moment.Reasons++ // the stream has told more since
		}
		if past {
			p.Question.Interval = 0 // it did not tell how things are
		}
	case !news:
		p.Pending = p.Pending.with(o) // the newest ids
	case suspicious:
		t.suspect(o)
	default:
		t.learnt(o)
	}
}

// isLast reports whether an observation is the last known status again.
func (t *turn) isLast(o Observation) bool {
	known := t.p.known()
	return len(known) > 0 && known[len(known)-1].same(o.seen())
}

// learnt takes news that the stream has not shown.
func (t *turn) learnt(o Observation) {
	if t.p.Stream.Connected {
		t.hold(o)
		return
	}
	t.release() // it is older
	t.p.Pending = t.p.Pending.with(o)
}

// judgeRun decides about events that may be history by an answer that is newer:
// they are, if the order is where the last stored status left it. An answer that was
// asked for too early may not have heard of the events.
func (t *turn) judgeRun(o Observation, sent time.Time) {
	c := &t.p.Stream.Connection
	if c.Live || len(c.Run) == 0 {
		return
	}
	if known := t.p.known(); c.isHistory(known, o.seen()) {
		if wait := c.Run[len(c.Run)-1].At.Add(lagLimit).Sub(sent); wait > 0 && !containsRun(known, c.Run) && !t.lacks(ruleSecondLook) {
			if t.p.Timers[TimerLook].IsZero() {
				t.wake(TimerLook, wait)
			}
			return
		}
		if t.p.Pending.Len() == 0 && t.p.Ledger.Writing == nil {
			t.p.Ledger.Seen = withIDs(t.p.Ledger.Seen, c.Run[len(c.Run)-1])
		}
		*c = c.history()
	} else {
		t.resolveRun()
	}
	if len(t.p.Question.Held) == 0 {
		t.stop(TimerHold)
	}
}

// expected is the state once everything that is pending is stored.
func (t *turn) expected() State {
	s := t.p.State
	for _, o := range t.p.Pending.all() {
		s, _ = Fold(s, t.p.Session.Request.Amount, o)
	}
	return s
}

// hold keeps an answer for a moment while the stream is open: the stream shows
// every change, the answer only the last one.
func (t *turn) hold(o Observation) {
	if !t.p.holds(o) {
		t.p.Question.Held = push(t.p.Question.Held, o)
	}
	t.wake(TimerHold, streamFirst)
}

// holds reports whether the last answer that is held says the same.
func (p *Payment) holds(o Observation) bool {
	held := p.Question.Held
	return len(held) > 0 && held[len(held)-1].seen() == o.seen()
}

// held lets go of what was held long enough.
func (t *turn) held() {
	t.resolveRun()
	t.release()
}

// release takes held answers as news. What the stream shows next may be from before
// them.
func (t *turn) release() {
	p := &t.p
	held := p.Question.Held
	if len(held) == 0 {
		return
	}
	first := len(p.known()) == 0 && held[len(held)-1].Status == "initialized" // nothing is older
	p.Pending = p.Pending.with(held...)
	p.Question.Held = nil
	if p.Stream.Connected && !first {
		p.Stream.Connection = Connection{Since: t.at.Add(streamPatience)}
	}
}

// resolveRun decides about events that may be repeats.
func (t *turn) resolveRun() {
	p := &t.p
	var news []Observation
	p.Stream.Connection, news = p.Stream.Connection.settle(p.known())
	p.Pending = p.Pending.with(news...)
}

// scheduleQuestion sets the time of the next question: rarer and rarer while a
// healthy stream is silent, soon while there is none.
func (t *turn) scheduleQuestion() {
	p := &t.p
	q := &p.Question
	switch p.Phase.(type) {
	case Following, HandingOver:
	default:
		return
	}
	if !p.Stream.Connected {
		t.wake(TimerQuestion, t.pause(q.Polls))
		q.Polls++
		return
	}
	q.Polls = 0
	t.wake(TimerQuestion, max(q.Interval, p.Rules.ReconcileInterval))
	q.Interval = min(2*max(q.Interval, p.Rules.ReconcileInterval), routineFactor*p.Rules.ReconcileInterval)
}
