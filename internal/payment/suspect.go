package payment

import (
	"slices"
	"time"
)

// lagLimit is how old an answer may be: the machine of the provider that gives it may
// not have heard of the last changes yet.
const lagLimit = 2 * time.Second

// suspicious reports whether news that an answer alone tells may be older than what is
// known: it goes back to an earlier status, or changes how an order ended. That an order
// was paid after all is believed at once.
func (t *turn) suspicious(o Observation) bool {
	now := t.expected()
	switch {
	case t.lacks(ruleSecondLook), o.Status == now.Status: // another attempt, or another amount
		return false
	case now.Final && (o.Status != "completed" || !EndsUnpaid(now.Status)):
		return true
	}
	return t.goesBack(o)
}

// goesBack reports whether an observation says what the order was before, or may have
// been. A decline is what follows the beginning of an attempt.
func (t *turn) goesBack(o Observation) bool {
	known := t.p.known()
	switch o.Status {
	case "declined":
		return false
	case "initialized": // every attempt begins so
		return slices.ContainsFunc(known, func(s Seen) bool { return s.repeats(Seen{Status: s.Status, Transaction: o.Transaction}) })
	}
	return slices.ContainsFunc(known, func(s Seen) bool { return s.repeats(o.seen()) })
}

// suspect has the provider asked again when the machine that gave the answer must have
// heard of everything that is known.
func (t *turn) suspect(o Observation) {
	q := &t.p.Question
	if q.Suspect == nil || q.Suspect.Observation.seen() != o.seen() {
		q.Suspect = &Suspect{Observation: o}
		t.wake(TimerLook, lagLimit)
	}
}

// look asks for the answer that decides about the one that is suspected of being old,
// and about events that may be history. It asks again when the answer decided nothing.
func (t *turn) look() {
	q := &t.p.Question
	s := q.Suspect
	switch {
	case s == nil && !t.p.Stream.Connection.open():
		return
	case s == nil:
		t.askNow()
		return
	case s.Look != 0 && t.p.Drain != DrainNot, s.Looks == doubtLimit && !q.Asking:
		t.believe()
		return
	case s.Look == 0 || !q.Asking || q.Routine:
		t.askNow()
		q.Suspect = &Suspect{Observation: s.Observation, Look: q.Moment.Reasons, Looks: s.Looks + 1}
	}
	t.wake(TimerLook, lagLimit)
}

// believe takes a suspected answer as news because no other one can be compared with it.
// It does not take back how an order ended.
func (t *turn) believe() {
	if s := t.clear(); s != nil && (!t.expected().Final || !t.goesBack(s.Observation)) {
		t.learnt(s.Observation)
	}
}

// confirms compares an answer with the one that is suspected of being old, and reports
// whether it confirms it. Only an answer that shows the order where it was, and is asked
// for late enough, disproves it.
func (t *turn) confirms(e Answered, o Observation) bool {
	s := t.p.Question.Suspect
	if s == nil {
		return false
	}
	same := s.Observation.seen() == o.seen()
	next, news := Fold(t.expected(), t.p.Session.Request.Amount, o)
	moved := news && (next.Status != next.PreviousStatus || next.Status == "declined") // not only another amount
	switch {
	case moved && !same: // more has happened since
		t.clear()
		t.learnt(s.Observation)
	case s.Look != 0 && e.Asked.Reasons >= s.Look:
		t.clear()
		return same
	}
	return false
}

// clear forgets the answer that is suspected of being old, and returns it.
func (t *turn) clear() *Suspect {
	s := t.p.Question.Suspect
	t.p.Question.Suspect = nil
	t.stop(TimerLook)
	return s
}
