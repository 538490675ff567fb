package payment

import "github.com/posbridge/bridge/schema"

// settle begins when the first final status is stored: the terminal is free,
// and the stream is read on for a while.
func (t *turn) settle() {
	p := &t.p
	t.become(Settling{})
	p.Question.Polls = 0
	for _, timer := range []Timer{TimerLife, TimerQuestion, TimerAnswer} {
		t.stop(timer)
	}
	t.unlock()
	if p.State.Status == schema.StatusUnresolved || p.State.Status == schema.StatusNotCreated {
		t.become(Settling{Over: true}) // nothing follows
		p.Question.Asking = false
		if p.Stream.Wanted {
			t.closeStream()
		}
		return
	}
	t.wake(TimerPhase, p.Rules.SettleWindow)
	if p.State.Status == "completed" && p.State.AmountCharged == 0 {
		t.askNow() // for the amount that was charged
	}
}

// settleOver ends the settle window. Without a stream one last answer is awaited. Only
// the question for the amount that was charged goes on after that.
func (t *turn) settleOver(phase Settling) {
	p := &t.p
	if phase.Over {
		p.Question.Asking = p.Question.Asking && t.lacksAmount() && p.Drain == DrainNot // it has taken too long
		t.resolveRun()
		t.believe()
		return
	}
	t.become(Settling{Over: true})
	if !p.Stream.Connected {
		t.askNow()
	}
	t.wake(TimerPhase, p.Rules.RequestTimeout)
}

// settled leaves a payment of which nothing more is expected, or watches it.
func (t *turn) settled() {
	p := &t.p
	if phase, settling := p.Phase.(Settling); !settling || !phase.Over || !p.Place.Gone || t.busy() && !t.onlyLacksAmount() {
		return
	}
	if p.Stream.Wanted {
		t.closeStream()
	}
	t.stop(TimerPhase)
	switch {
	case p.Question.Asking:
		t.watch(false)
	case EndsUnpaid(p.State.Status) && len(p.Rules.Aftercare) > 0 && p.Drain == DrainNot:
		t.watch(!t.at.Before(p.State.EndedAt.Add(p.Rules.Aftercare[0]))) // the settle window took long
	default:
		t.leave(LeaveDone)
	}
}

// onlyLacksAmount reports whether the payment waits for nothing but the amount that was
// charged, after the time for everything else is over.
func (t *turn) onlyLacksAmount() bool {
	p := &t.p
	return p.Question.Asking && t.lacksAmount() && p.Timers[TimerPhase].IsZero() && !t.hasToStore() && !p.Cancel.Sent && p.Visitor == nil
}

// watch waits for the times at which an order that ended unpaid is asked for
// again. ask is set when one of them may have been missed.
func (t *turn) watch(ask bool) {
	t.become(Watching{})
	life := t.p.Rules.SessionTimeout
	if n := len(t.p.Rules.Aftercare); n > 0 {
		life += t.p.Rules.Aftercare[n-1]
	}
	t.wake(TimerLife, life)
	t.nextRound()
	if ask {
		t.askNow()
	}
}

// watchRound asks for the order at one of the times of the aftercare.
func (t *turn) watchRound() {
	t.nextRound()
	t.askNow()
}

// nextRound sets the timer to the next time of the aftercare, if there is one.
func (t *turn) nextRound() {
	p := &t.p
	t.stop(TimerPhase)
	if !EndsUnpaid(p.State.Status) {
		return
	}
	for _, after := range p.Rules.Aftercare {
		if due := p.State.EndedAt.Add(after); due.After(t.at) {
			p.Timers[TimerPhase] = due
			return
		}
	}
}

// conclude stores a final status of the bridge's own.
func (t *turn) conclude(status, reason string) {
	t.become(Ending{Status: status})
	t.stop(TimerLife)
	t.stop(TimerPhase)
	t.stop(TimerQuestion)
	t.believe()
	t.release()
	t.p.Pending = t.p.Pending.with(Observation{Source: schema.SourceBridge, Status: status, Reason: reason, At: t.at})
	t.flush()
}
