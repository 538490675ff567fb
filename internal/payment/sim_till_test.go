package payment

import (
	"strconv"
	"time"

	"github.com/posbridge/bridge/schema"
)

// till starts an order, and perhaps starts it again, cancels it, asks for it.
func (w *world) till(o *simOrder) {
	hash := "hash" + o.id
	w.start(o, hash)
	for w.chance(0.3) {
		other := hash
		if w.chance(0.2) {
			other = "other" + o.id
		}
		w.after(w.between(50*time.Millisecond, 60*time.Second), func() { w.start(o, other) })
	}
	for w.chance(0.3) {
		w.after(w.between(50*time.Millisecond, 60*time.Second), func() { w.command(o, true) })
	}
	for w.chance(0.2) {
		w.after(w.between(50*time.Millisecond, 90*time.Second), func() { w.command(o, false) })
	}
}

// start sends a start request.
func (w *world) start(o *simOrder, hash string) {
	n := len(w.inboxes) + 1
	in := &simStart{order: o, nonce: nonces[n%len(nonces)], hash: hash, inbox: nonces[n%len(nonces)], sent: w.now}
	w.inboxes[in.inbox] = in
	o.starts = append(o.starts, in)
	r := w.served()
	if r == nil {
		in.answered = true // nobody listens
		return
	}
	in.handler, in.handlerGen = r, r.gen
	w.logf("till: start %s of order %s with %s goes to %s", in.nonce, o.id, hash, r.self)
	r.later(w.between(200*time.Microsecond, 3*time.Millisecond), func() { r.start(in) })
}

var nonces = func() []string {
	all := make([]string, 200)
	for i := range all {
		all[i] = "n" + strconv.Itoa(i)
	}
	return all
}()

// take takes an answer; the first one counts.
func (in *simStart) take(w *world, a AnswerStart) {
	if in.answered {
		return
	}
	in.answered, in.answer, in.at = true, a, w.now
	if w.logging() {
		w.logf("till: start %s of order %s: %s", in.nonce, in.order.id, describeEffect(a))
	}
	w.audit.startAnswered(in)
	retry := a.Failure != nil && a.Failure.Retryable
	if retry && len(in.order.starts) < 6 && w.chance(0.7) {
		w.after(w.between(500*time.Millisecond, 5*time.Second), func() { w.start(in.order, in.hash) })
	}
}

func (r *simReplica) fail(in *simStart, code schema.Code) {
	in.take(r.w, AnswerStart{Failure: schema.NewError(code, "by the command")})
}

// start is the handler of the command.
func (r *simReplica) start(in *simStart) {
	w, o := r.w, in.order
	session := Session{Request: o.request(), Hash: in.hash, Nonce: in.nonce, Group: "group", Reply: in.inbox}
	if w.chance(0.5) { // the request has a deadline of its own, wherever it waits
		session.Deadline = epoch.Add(in.sent + w.weather.startDeadline)
	}
	limit := in.sent + w.weather.startDeadline + answerGrace
	unknown := false
	var try func()
	again := func(pause time.Duration) {
		switch {
		case in.answered:
		case w.now < limit:
			r.later(pause, try)
		case unknown:
			r.fail(in, schema.OutcomeUnknown)
		default:
			r.fail(in, schema.TerminalBusy)
		}
	}
	try = func() {
		var s *simSession
		var mine bool
		r.request(func() {
			if s, mine = w.bus.enqueue(o, session); mine {
				in.storedAt = w.now
			}
		}, func() {
			switch {
			case mine || s.session.Nonce == in.nonce: // the machine answers
			case s.order == o && s.session.Hash == in.hash:
				in.joined = s.session.Nonce
				r.join(in, s)
			case s.order == o:
				r.fail(in, schema.OrderConflict)
			case w.bus.logs[s.order.index].over() && w.now < limit:
				again(100 * time.Millisecond)
			default:
				r.fail(in, schema.TerminalBusy)
			}
		}, func() {
			unknown = true
			again(200 * time.Millisecond)
		})
	}
	try()
}

// join answers from the log what becomes of a session that is there.
func (r *simReplica) join(in *simStart, s *simSession) {
	w := r.w
	var look func()
	look = func() {
		if in.answered {
			return
		}
		log := w.bus.read(in.order.index)
		claim, newest := log.Claim, log.Newest()
		switch {
		case r.isCut():
		case log.Over() && newest.Hash == in.hash:
			in.take(w, AnswerStart{SessionID: newest.Event.SessionID, Status: newest.Event.Status})
			return
		case claim != nil && claim.Phase == ClaimOpen && claim.Session.Hash == in.hash:
			in.take(w, AnswerStart{SessionID: claim.SessionID, Status: stateOf(log).Status})
			return
		case claim != nil && claim.Phase == ClaimClosed && claim.QueueSeq == s.seq:
			in.take(w, AnswerStart{Failure: claim.Answer})
			return
		}
		if !r.clock().Before(s.session.Deadline.Add(answerGrace)) {
			r.fail(in, schema.OutcomeUnknown)
			return
		}
		r.later(w.between(50*time.Millisecond, 300*time.Millisecond), look)
	}
	look()
}

// command sends a cancel, or a get that asks the provider.
func (w *world) command(o *simOrder, cancel bool) {
	r := w.served()
	if r == nil {
		return
	}
	w.logf("till: %s of order %s goes to %s", when(cancel, "cancel")+when(!cancel, "look"), o.id, r.self)
	limit := w.now + 20*time.Second
	answered := false
	answer := func(a Respond) {
		if answered {
			return
		}
		answered = true
		if w.logging() {
			w.logf("till: answer for order %s: %s", o.id, describeEffect(a))
		}
		w.audit.commandAnswered(o, cancel, a)
	}
	event := func(waiter uint64) Event {
		if cancel {
			return CancelAsked{Waiter: waiter}
		}
		return LookAsked{Waiter: waiter}
	}
	r.later(limit-w.now, func() { answered = true })
	r.later(w.bus.latency(), func() { r.route(o, event, limit, answer) })
}

// route brings a wish to whoever follows the payment.
func (r *simReplica) route(o *simOrder, event func(uint64) Event, limit time.Duration, answer func(Respond)) {
	w := r.w
	again := func() {
		if w.now < limit {
			r.later(100*time.Millisecond, func() { r.route(o, event, limit, answer) })
		}
	}
	r.question(o.index, event, func(a Respond) {
		if !a.Elsewhere {
			answer(a)
			return
		}
		r.request(func() {}, func() { r.routeThere(o, event, answer, again) }, again)
	})
}

func (r *simReplica) routeThere(o *simOrder, event func(uint64) Event, answer func(Respond), again func()) {
	w := r.w
	log := w.bus.read(o.index)
	claim, newest := log.Claim, log.Newest()
	if claim == nil && newest == nil || claim != nil && claim.Phase == ClaimClosed && newest == nil {
		if w.bus.queued(o.terminal) == nil {
			return // not known
		}
		again()
		return
	}
	take := func() {
		if !log.Over() {
			again()
			return
		}
		r.begin(o)
		r.question(o.index, event, func(a Respond) {
			if a.Elsewhere {
				again()
				return
			}
			answer(a)
		})
	}
	if claim == nil || claim.Owner == r.self {
		take()
		return
	}
	owner := w.process(claim.Owner)
	if owner == nil || owner.isCut() {
		take()
		return
	}
	owner.later(w.bus.latency(), func() {
		owner.question(o.index, event, func(a Respond) {
			r.later(w.bus.latency(), func() {
				if a.Elsewhere {
					take()
					return
				}
				answer(a)
			})
		})
	})
}
