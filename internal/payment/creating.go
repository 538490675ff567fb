package payment

import (
	"cmp"
	"strings"
	"time"

	"github.com/posbridge/bridge/schema"
)

// createFirst creates the order of a session that nobody had before, unless
// somebody may have had it while the claim was on its way. The log may also have
// been made anew in that time: sequences begin with the time in microseconds at
// which it was made (R5).
func (t *turn) createFirst() {
	p := &t.p
	if made := time.UnixMicro(int64(p.Ledger.Last)); made.After(p.Session.StartedAt) { //nolint:gosec // sequences are small
		p.Place.LogCreated = made
	}
	if (t.young() && !t.logLost()) || t.lacks(ruleEmptyLog) {
		t.create(Nothing)
		return
	}
	t.create(Doubt)
}

// create makes sure that the order exists, or that it does not.
func (t *turn) create(belief Belief) {
	phase := Creating{Belief: belief, Since: t.at}
	if belief == Nothing {
		t.post(phase, 0)
		return
	}
	t.become(phase)
	t.askNow()
}

// post sends the create after a pause.
func (t *turn) post(phase Creating, after time.Duration) {
	phase.Posting = true
	phase.Tries++
	t.become(phase)
	t.do(Create{After: after, NotAfter: t.p.Session.Deadline})
}

// posted takes what a create came to. A definite refusal is believed only while
// no other create can have reached the provider (R2).
func (t *turn) posted(phase Creating, e Posted) {
	phase.Posting = false
	switch {
	case e.Outcome == Done:
		t.p.State.SessionID, t.p.Stream.Sealed = cmp.Or(e.SessionID, t.p.State.SessionID), e.Sealed
		t.open()
		return
	case e.Outcome == Used && phase.Belief == Nothing:
		phase.Belief, phase.Failure, phase.Since = Claimed, e, t.at // a slow answer leaves as much time to ask as a fast one
	case e.Outcome == Used && phase.Belief == Doubt:
		phase.Belief = Proven
	case e.Outcome == Doubtful:
		phase.Belief, phase.Failure, phase.Sent = max(phase.Belief, Doubt), e, true
	case e.Outcome.refuses() && (phase.Belief == Nothing || t.lacks(ruleOneRefusal)):
		t.fail(e.failure(), e.Reason)
		return
	default:
		phase.Failure = e
	}
	if phase.Belief == Nothing {
		t.postAgain(phase, e)
		return
	}
	if e.Outcome == Used {
		t.note(NoteTrouble, "the provider has an order with this id; the bridge asks for it")
	} else {
		t.note(NoteFailed, e.Reason)
	}
	t.become(phase)
	if e.RetryAfter > 0 || e.Outcome == NotSent || e.Outcome == Limited {
		t.askAfter(max(e.RetryAfter, t.pause(phase.Tries)))
		return
	}
	t.askNow()
}

// postAgain repeats a create of which nothing reached the provider, if there is
// time: as long as the provider says when to come back, else for some seconds.
func (t *turn) postAgain(phase Creating, e Posted) {
	told := e.RetryAfter
	wait, limit := max(told, t.pause(phase.Tries-1)), t.p.Session.Deadline
	if told == 0 && phase.Since.Add(failurePatience).Before(limit) {
		limit = phase.Since.Add(failurePatience)
	}
	if !t.at.Add(wait).Before(limit) {
		t.fail(e.failure(), e.Reason)
		return
	}
	t.note(NoteFailed, e.Reason)
	t.post(phase, wait)
}

// found takes the provider's answer while it is not known whether the order exists.
func (t *turn) found(phase Creating, e Answered) {
	p := &t.p
	switch {
	case e.Exists && isEarlier(p.Session, e),
		e.Exists && e.Elsewhere && !strings.EqualFold(e.Terminal, p.Session.Terminal()),
		e.Exists && phase.Belief == Claimed && !isOurs(p.Session, e),
		e.Exists && phase.Belief == Doubt && !phase.Sent && isAnothers(p.Session, e):
		t.fail(elsewhereError(p.Session.Order(), phase.Failure.Provider), phase.Failure.Reason)
	case e.Exists:
		if what := difference(p.Session, e); what != "" {
			t.note(NoteTrouble, "the provider has the order with another "+what+" than the request; the bridge follows it")
		}
		t.replayEarly()
		t.weigh(e)
		t.open()
	default:
		t.missing(phase, e)
	}
}

// missing takes the answer that the provider does not know the order. It proves
// that nothing exists only when no create can still be carried out (R3).
func (t *turn) missing(phase Creating, e Answered) {
	p := &t.p
	patient := t.at.Sub(phase.Since) < failurePatience
	phase.Tries++
	wait := t.pause(phase.Tries - 1)
	switch {
	case phase.Belief == Claimed && !patient:
		t.fail(phase.Failure.failure(), phase.Failure.Reason)
	case phase.Belief == Proven && !patient:
		t.become(phase)
		t.answer(AnswerStart{Failure: unknownError()})
		t.askAfter(wait)
	case phase.Belief == Doubt && !t.logLost() && t.at.Add(wait).Before(p.Session.Deadline):
		t.post(phase, wait)
	case phase.Belief == Doubt && !e.SentAt.Before(t.certain()):
		t.fail(phase.Failure.failure(), phase.Failure.Reason)
	default:
		t.become(phase)
		t.askAfter(wait)
	}
}

// fail ends a session of which nothing exists at the provider. A requester that
// was told, or may have been told, that the outcome is unknown learns it from a
// status; every other one is answered. reason is that of the last create, empty if there
// was none.
func (t *turn) fail(failure *schema.Error, reason string) {
	text := string(failure.Code)
	if reason != "" {
		text += ": " + reason
	}
	t.note(NoteRefused, text)
	t.refuseCancels()
	if t.p.Answered || !t.at.Before(t.p.Session.Deadline) {
		t.answer(AnswerStart{Failure: unknownError()})
		t.conclude(schema.StatusNotCreated, failure.Message)
		return
	}
	t.become(Closing{Answer: failure})
	if t.lacks(ruleFencedAnswers) {
		t.closed(Closing{Answer: failure})
		return
	}
	t.storeClaim(ClaimClosed, failure)
}

// closed goes on once the negative answer is stored (R1).
func (t *turn) closed(phase Closing) {
	if t.p.Answered { // at the deadline, while the answer was being stored
		t.conclude(schema.StatusNotCreated, phase.Answer.Message)
		return
	}
	t.become(Unlocking{Answer: AnswerStart{Failure: phase.Answer}})
	t.unlock()
}

// refuseCancels answers those who want to cancel an order that will not exist.
func (t *turn) refuseCancels() {
	for _, w := range t.p.Cancel.Waiters {
		t.do(Respond{Waiter: w, Failure: schema.NewError(schema.NotFound, "order %s was not created", t.p.Session.Order())})
	}
	t.p.Cancel.Waiters = nil
}

// open stores that the order exists, and what another replica needs to follow it.
func (t *turn) open() {
	t.become(Opening{})
	t.storeClaim(ClaimOpen, nil)
}

// opened answers the requester: from here on the session survives this replica.
func (t *turn) opened() {
	p := &t.p
	t.note(NoteCreated, "the order exists at the provider; the terminal shows it")
	t.answer(AnswerStart{SessionID: p.State.SessionID, Status: p.State.Status, Created: true})
	t.follow()
}

// maxWithdrawals is how often a cancel that may have been lost is sent.
const maxWithdrawals = 5

// withdraw cancels an order that came to be after its session had been closed:
// no terminal rings for a till that was told that nothing was created.
func (t *turn) withdraw() {
	t.become(Withdrawing{Tries: 1})
	t.note(NoteWithdrawn, "the order was created after its session had ended; the bridge cancels it")
	t.do(Cancel{})
}

// withdrawn sends the cancel again when it may have been lost.
func (t *turn) withdrawn(e Cancelled) {
	phase, _ := t.p.Phase.(Withdrawing)
	lost := e.Outcome == NotSent || e.Outcome == Limited || e.Outcome == Doubtful
	if !lost || phase.Tries >= maxWithdrawals {
		t.leave(LeaveDone)
		return
	}
	phase.Tries++
	t.become(phase)
	t.wake(TimerPhase, t.pause(phase.Tries))
}
