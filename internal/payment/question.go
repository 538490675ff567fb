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
	q.Since = t.at
	if !q.Asking || q.Routine {
		q.Asking, q.Routine = true, false
		t.do(Ask{After: pause})
	}
}

// askRoutine asks about a healthy, silent stream.
func (t *turn) askRoutine() {
	q := &t.p.Question
	if !q.Asking {
		q.Asking, q.Routine, q.Since = true, true, t.at
		t.do(Ask{Routine: true})
	}
}

// answered takes the provider's answer about an order that exists, or did.
func (t *turn) answered(e Answered) {
	p := t.p
	q := &p.Question
	o := e.observation(t.at)
	t.note(NoteAnswer, e.Status)
	stale := p.Stream.LastEvent.After(e.SentAt) && !schema.IsFinal(e.Status)
	_, change := Fold(t.expected(), p.Session.Request.Amount, o)
	switch {
	case !e.Exists:
		t.note(NoteTrouble, "the provider does not know the order just now")
	case stale && change != nil:
		q.Since = t.at // the stream has told more since
	case change == nil:
		t.keepRepeats(o)
		p.Pending = append(p.Pending, o) // the newest ids
	case p.Stream.Connected && !p.Stream.Connection.Live && len(p.Stream.Connection.Run) > 0:
		t.resolveRun()
		t.hold(o)
	case p.Stream.Connected:
		t.hold(o)
	default:
		p.Pending = append(p.Pending, o)
	}
	if q.Since.After(e.SentAt) {
		t.askNow()
	} else {
		t.scheduleQuestion()
	}
	t.flush()
}

// expected is the state once everything that is pending is stored.
func (t *turn) expected() State {
	s := t.p.State
	for _, o := range t.p.Pending {
		s, _ = Fold(s, t.p.Session.Request.Amount, o)
	}
	return s
}

// hold keeps an answer for a moment while the stream is open: the stream shows
// every change, the answer only the last one.
func (t *turn) hold(o Observation) {
	t.p.Question.Held = &o
	t.wake(TimerHold, streamFirst)
}

// keepRepeats ends the wait for a run of events that may be repeats: the
// provider says that nothing has changed.
func (t *turn) keepRepeats(o Observation) {
	p := t.p
	if len(p.Stream.Connection.Run) > 0 && o.Status == t.expected().Status {
		t.stop(TimerHold)
	}
}

// held lets go of what was held long enough.
func (t *turn) held() {
	p := t.p
	t.resolveRun()
	if o := p.Question.Held; o != nil {
		p.Question.Held = nil
		p.Pending = append(p.Pending, *o)
	}
	t.flush()
}

// resolveRun decides about events that may be repeats.
func (t *turn) resolveRun() {
	p := t.p
	var news []Observation
	p.Stream.Connection, news = p.Stream.Connection.settle(p.known())
	p.Pending = append(p.Pending, news...)
}

// scheduleQuestion sets the time of the next question: rarer and rarer while a
// healthy stream is silent, soon while there is none.
func (t *turn) scheduleQuestion() {
	p := t.p
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
