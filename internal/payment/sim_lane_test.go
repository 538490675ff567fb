package payment

import (
	"time"
)

// executeAtProvider starts an effect that concerns the provider.
func (r *simReplica) executeAtProvider(y *simPay, effect Effect) {
	switch e := effect.(type) {
	case Create:
		r.later(e.After, func() { r.create(y, e) })
	case Ask:
		r.ask(y, e)
	case Cancel:
		r.cancelOrder(y)
	case OpenStream:
		y.wanted++
		y.lastID = e.LastID
		r.openStream(y, y.wanted, 0)
	case CloseStream:
		y.wanted++
		if y.conn != nil {
			y.conn.close()
			y.conn = nil
		}
	}
}

// create puts an order to the provider, once.
func (r *simReplica) create(y *simPay, e Create) {
	w, v := r.w, r.w.provider
	f := w.weather
	if y.over || r.turnedDown(y, e) {
		return
	}
	session, order := y.p.Session, y.order.index
	answered := false
	answer := func(p Posted) {
		if !answered {
			answered = true
			if in := w.inboxes[session.Nonce]; in != nil && p.Outcome == Done && !y.over {
				in.knower, in.knowerGen, in.known = r, r.gen, w.now
			}
			r.step(y, p)
		}
	}
	r.later(simRequestTimeout, func() { answer(Posted{Outcome: Doubtful}) })
	arrive := func(way time.Duration, tell bool) {
		v.posting++
		w.audit.posted(order, session.Nonce)
		w.after(way, func() {
			v.posting--
			p := v.create(order, session)
			switch {
			case w.fault(f.postUnclear):
				p = Posted{Outcome: Doubtful}
			case w.fault(f.postLost):
				return
			}
			if tell {
				r.later(v.way(), func() { answer(p) })
			}
		})
	}
	way := v.way()
	if w.fault(f.postLate) {
		// The assumption of R3: at most so long after the deadline.
		latest := session.Deadline.Sub(epoch) + simRequestTimeout + arrivalLimit - w.now
		way = w.between(0, max(way, latest))
		if w.chance(0.1) {
			way = max(way, latest)
		}
	}
	if v.down() {
		if w.chance(0.5) {
			r.later(min(way, time.Second), func() { answer(Posted{Outcome: NotSent}) })
		}
		return // lost
	}
	if w.fault(f.postLost) && w.chance(0.5) {
		return // lost on the way there
	}
	arrive(way, true)
	if w.fault(f.postTwice) {
		arrive(way+w.between(0, time.Second), false) // a proxy repeats it
	}
}

// turnedDown reports whether a create comes to nothing for certain.
func (r *simReplica) turnedDown(y *simPay, e Create) bool {
	w, v := r.w, r.w.provider
	f := w.weather
	back := func(after time.Duration, p Posted) bool {
		r.later(after, func() { r.step(y, p) })
		return true
	}
	switch {
	case r.clock().After(e.NotAfter):
		return back(0, Posted{Outcome: TooLate})
	case w.fault(f.postNotSent):
		return back(w.between(time.Millisecond, time.Second), Posted{Outcome: NotSent})
	case w.fault(f.postLimited):
		return back(v.way(), Posted{Outcome: Limited, RetryAfter: w.between(100*time.Millisecond, 12*time.Second)})
	case w.fault(f.postRefused):
		outcome := []Outcome{Rejected, KeyRefused, Nonsense}[w.rand.IntN(3)]
		return back(v.way(), Posted{Outcome: outcome})
	}
	return false
}

// ask asks the provider until there is a definite answer.
func (r *simReplica) ask(y *simPay, e Ask) {
	if q := y.question; q != nil {
		if !e.Routine && !q.sent {
			r.later(0, func() { r.askOnce(y, q, 0) })
		}
		return
	}
	q := &simQuestion{}
	y.question = q
	wait := e.After
	if e.Routine {
		wait += r.w.between(0, 300*time.Millisecond)
		if r.w.rand.IntN(8) == 0 { // many others go first
			wait += r.w.between(0, 20*time.Second)
		}
	}
	r.later(wait, func() { r.askOnce(y, q, 0) })
}

func (r *simReplica) askOnce(y *simPay, q *simQuestion, try int) {
	w, v := r.w, r.w.provider
	if y.over || y.question != q || q.sent && try == 0 {
		return
	}
	q.sent = true
	sent, sentAt, moment := r.clock(), w.now, y.p.Question.Moment
	there, back := v.way(), v.way()
	if v.down() || w.fault(w.weather.getFails) || there+back > simRequestTimeout {
		pause := min(250*time.Millisecond<<min(try, 5), 5*time.Second)
		r.later(min(there+back, simRequestTimeout)+pause, func() { r.askOnce(y, q, try+1) })
		return
	}
	events := y.events
	w.after(there, func() {
		a := v.answer(y.order.index)
		a.SentAt, a.Asked = sent, moment
		r.later(back, func() {
			if y.over || y.question != q {
				return
			}
			y.question = nil
			if a.Exists {
				w.audit.answered(y, v.orders[y.order.index].byTag(a.Financial), y.events == events && y.cancelled < sentAt)
			}
			r.step(y, a)
		})
	})
}

func (o *providerOrder) byTag(tag string) shown {
	for _, s := range o.history {
		if s.tag == tag {
			return s
		}
	}
	return shown{}
}

// cancelOrder asks the provider to cancel the order, once.
func (r *simReplica) cancelOrder(y *simPay) {
	w, v := r.w, r.w.provider
	answered := false
	answer := func(c Cancelled) {
		if !answered {
			answered = true
			r.step(y, c)
		}
	}
	there, back := v.way(), v.way()
	order := y.order.index
	if v.down() || w.fault(w.weather.cancelFails) {
		outcome := []Outcome{NotSent, Limited, Doubtful, Doubtful}[w.rand.IntN(4)]
		r.later(there+back, func() { answer(Cancelled{Outcome: outcome}) })
		if outcome == Doubtful && w.chance(0.5) {
			w.after(there, func() { v.cancel(order) })
		}
		return
	}
	r.later(simRequestTimeout, func() { answer(Cancelled{Outcome: Doubtful}) })
	w.after(there, func() {
		c := v.cancel(order)
		told := len(v.orders[order].history)
		r.later(back, func() {
			if c.Outcome == Done {
				y.told, y.cancelled = max(y.told, told), w.now
			}
			answer(c)
		})
	})
}

// openStream connects, again and again.
func (r *simReplica) openStream(y *simPay, wanted, try int) {
	w, v := r.w, r.w.provider
	if y.over || y.wanted != wanted {
		return
	}
	r.later(v.way(), func() {
		if y.over || y.wanted != wanted {
			return
		}
		if w.weather.blind { // the key was rotated
			r.step(y, StreamEnded{Lost: true, Reason: "cannot be opened"})
			return
		}
		if v.down() || w.fault(w.weather.refuseStream) {
			r.step(y, StreamEnded{Reason: "refused"})
			y.connectAgain(wanted, try+1)
			return
		}
		y.refused = try
		y.conn = v.connect(y, y.lastID)
	})
}

// streamEnded takes the end of a connection.
func (y *simPay) streamEnded(c *simConn) {
	if y.over || y.conn != c {
		return
	}
	y.conn = nil
	wanted := y.wanted
	y.r.step(y, StreamEnded{Reason: "ended"})
	y.connectAgain(wanted, 1)
}

func (y *simPay) connectAgain(wanted, try int) {
	pause := min(250*time.Millisecond<<min(try, 5), 5*time.Second)
	y.r.later(pause, func() {
		y.lastID = y.p.Stream.LastID
		y.r.openStream(y, wanted, try)
	})
}
