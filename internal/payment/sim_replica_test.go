package payment

import (
	"slices"
	"strconv"
	"time"

	"github.com/posbridge/bridge/schema"
)

// simReplica executes effects as the follower does.
type simReplica struct {
	w     *world
	index int
	// self is the process; every start makes another one.
	self   string
	gen    int
	rules  Rules
	alive  bool
	paused bool
	// backlog waits until a paused process goes on.
	backlog  []func()
	draining bool
	cutUntil time.Duration
	// trouble is when NATS last failed for this replica.
	trouble time.Duration
	skew    time.Duration
	resumed time.Duration
	pays    []*simPay
	waiters map[uint64]func(Respond)
	asked   uint64
	gone    []string
	noSweep bool
	// found is what the last sweep saw.
	found []simFinding
}

// simPay is one payment on one replica.
type simPay struct {
	r     *simReplica
	order *simOrder
	p     Payment
	over  bool
	// tickAt is when the next tick is planned, 0 when none is.
	tickAt   time.Duration
	question *simQuestion
	// conn is the stream's connection, nil while there is none; wanted counts
	// the OpenStream effects, so that an older one stops.
	conn    *simConn
	wanted  int
	lastID  string
	refused int
	// events counts what the stream has shown.
	events int
	// early is what the stream showed before the claim, for the auditor.
	early []shown
	// died is set when its process ended.
	died bool
	// cancelled is when a cancel was answered.
	cancelled time.Duration
	// told is the newest tag that the provider has told it.
	told int
}

// simQuestion is a question on its way.
type simQuestion struct{ sent bool }

func (r *simReplica) boot() {
	w := r.w
	w.processes++
	r.gen++
	r.self = processIDs[w.processes%len(processIDs)]
	if w.processes >= len(processIDs) {
		r.self = "p" + strconv.Itoa(w.processes)
	}
	r.rules.Self, r.rules.Replica = r.self, r.self
	r.alive, r.paused, r.draining = true, false, false
	r.cutUntil, r.pays, r.backlog, r.found, r.gone = 0, nil, nil, nil, nil
	r.trouble = -time.Hour
	r.waiters = map[uint64]func(Respond){}
	w.logf("=== replica %d starts as %s", r.index, r.self)
	r.later(w.between(simReplicaTTL/6, simReplicaTTL/3), r.beat)
	r.later(w.between(100*time.Millisecond, time.Second), r.sweep)
}

var processIDs = func() []string {
	ids := make([]string, 32)
	for i := range ids {
		ids[i] = "p" + strconv.Itoa(i)
	}
	return ids
}()

// clock is the NATS server's clock as this machine knows it.
func (r *simReplica) clock() time.Time { return epoch.Add(r.w.now + r.skew) }

func (r *simReplica) isCut() bool { return r.w.now < r.cutUntil || r.w.bus.down() }

func (r *simReplica) calm() bool { return r.w.now-r.trouble >= simReplicaTTL && !r.isCut() }

// later does something in this process after a while, unless it has ended by
// then. A paused process does it when it goes on.
func (r *simReplica) later(d time.Duration, do func()) {
	gen := r.gen
	r.w.after(d, func() {
		switch {
		case r.gen != gen:
		case r.paused:
			r.backlog = append(r.backlog, do)
		default:
			do()
		}
	})
}

// kill ends the process without a word; another one starts after a while.
func (r *simReplica) kill() {
	w := r.w
	if !r.alive {
		return
	}
	w.logf("=== %s is killed", r.self)
	w.kills++
	r.stop()
	r.missed(r.self)
	w.after(w.between(50*time.Millisecond, 25*time.Second), func() {
		if !r.alive {
			r.boot()
		}
	})
}

func (r *simReplica) stop() {
	r.alive, r.paused = false, false
	r.gen++
	for _, o := range r.w.orders {
		for _, in := range o.starts {
			s := r.w.bus.queued(o.terminal)
			in.lost = in.lost || !in.answered && in.storedAt > 0 && (s == nil || s.session.Nonce != in.nonce)
		}
	}
	for _, y := range r.pays {
		y.over, y.died = true, true
		r.w.audit.orders[y.order.index].widowed = true
		if y.conn != nil {
			y.conn.close()
		}
	}
	r.pays, r.backlog = nil, nil
}

func (r *simReplica) pause(d time.Duration) {
	if !r.alive || r.paused {
		return
	}
	r.w.logf("=== %s is paused for %v", r.self, d)
	r.w.pauses++
	r.paused = true
	gen := r.gen
	r.w.after(d, func() {
		if r.gen == gen && r.paused {
			r.resume()
		}
	})
}

func (r *simReplica) resume() {
	r.w.logf("=== %s goes on", r.self)
	r.resumed = r.w.now
	r.paused = false
	for len(r.backlog) > 0 && !r.paused {
		do := r.backlog[0]
		r.backlog = r.backlog[1:]
		do()
	}
}

// cut takes the replica away from NATS.
func (r *simReplica) cut(d time.Duration) {
	if !r.alive {
		return
	}
	r.w.logf("=== %s is cut off from NATS for %v", r.self, d)
	r.cutUntil = r.w.now + d
	r.trouble = r.cutUntil
	if d > time.Second {
		r.missed(r.self)
	}
}

func (r *simReplica) drain() {
	w := r.w
	if !r.alive || r.paused || r.draining {
		return
	}
	w.logf("=== %s drains", r.self)
	r.draining = true
	alone := r.alone()
	tell := func() {
		for _, y := range slices.Clone(r.pays) {
			r.step(y, Draining{Alone: alone})
		}
	}
	tell()
	gen := r.gen
	var exit func()
	limit := w.now + 20*time.Second
	exit = func() {
		if r.gen != gen {
			return
		}
		if len(r.pays) > 0 && w.now < limit {
			if now := r.alone(); now != alone && !r.paused {
				alone = now
				tell()
			}
			w.after(200*time.Millisecond, exit)
			return
		}
		w.logf("=== %s has stopped", r.self)
		r.stop()
		r.missed(r.self)
		w.after(w.between(50*time.Millisecond, 5*time.Second), func() {
			if !r.alive {
				r.boot()
			}
		})
	}
	exit()
}

// alone reports whether nobody is there to go on with what this replica has.
func (r *simReplica) alone() bool {
	return !slices.ContainsFunc(r.w.replicas, func(o *simReplica) bool {
		return o != r && o.alive && !o.paused && !o.draining && !o.isCut()
	})
}

// missed lets the other replicas notice that nobody listens under a name.
func (r *simReplica) missed(self string) {
	w := r.w
	for _, other := range w.replicas {
		if other == r || !other.alive {
			continue
		}
		other.later(w.between(time.Second, 1700*time.Millisecond), func() {
			if r.self == self && r.alive && !r.isCut() || other.isCut() || w.now-other.trouble < time.Second {
				return
			}
			other.gone = append(other.gone, self)
			other.takeOverFrom(self)
		})
	}
}

// takeOverFrom finds the orders of a process that has gone.
func (r *simReplica) takeOverFrom(self string) {
	for i := range r.w.bus.logs {
		if !r.w.bus.ownedBy(i, self) {
			continue
		}
		order := r.w.orders[i]
		rank := r.w.rand.IntN(len(r.w.replicas) - 1)
		r.later(time.Duration(rank)*250*time.Millisecond, func() {
			if r.w.bus.ownedBy(order.index, self) {
				r.begin(order)
			}
		})
	}
}

// ownedBy reports whether a process owns an order that is open.
func (b *simBus) ownedBy(order int, self string) bool {
	l := &b.logs[order]
	return l.claim != nil && l.claim.Owner == self && l.claim.Phase != ClaimClosed && !l.over()
}

func (l *simLog) over() bool { return len(l.entries) > 0 && l.entries[len(l.entries)-1].Event.Final }

func (r *simReplica) find(order int) *simPay {
	for _, y := range r.pays {
		if y.order.index == order {
			return y
		}
	}
	return nil
}

// begin begins with an order that nobody seems to follow.
func (r *simReplica) begin(o *simOrder) *simPay {
	if y := r.find(o.index); y != nil || r.draining {
		return y
	}
	y := r.add(o, Session{Request: schema.StartRequest{OrderID: o.id, TerminalID: o.terminalID}})
	r.step(y, Found{})
	return r.find(o.index)
}

func (r *simReplica) add(o *simOrder, s Session) *simPay {
	y := &simPay{r: r, order: o, p: New(&r.rules, s, Place{})}
	r.pays = append(r.pays, y)
	return y
}

func (r *simReplica) remove(y *simPay) {
	y.over = true
	if y.conn != nil {
		y.conn.close()
	}
	if i := slices.Index(r.pays, y); i >= 0 {
		r.pays = slices.Delete(r.pays, i, i+1)
	}
}

// deliver takes a session from the queue.
func (r *simReplica) deliver(o *simOrder, s Session, place Place) {
	y := r.find(o.index)
	if y == nil && r.draining {
		r.send(func() { r.w.bus.nak(place.Handle) })
		return
	}
	if y == nil {
		y = r.add(o, s)
	}
	r.step(y, Delivered{Place: place, Session: s})
}

// step gives a payment one input and does what it decides.
func (r *simReplica) step(y *simPay, event Event) {
	if y.over {
		return
	}
	w := r.w
	before := y.p.Phase
	unchanged := func() bool { return true }
	if w.paranoid {
		unchanged = frozen(y.p)
	}
	next, effects := Step(y.p, Input{At: r.clock(), Event: event})
	if !unchanged() {
		w.audit.wrong("Step has changed its input on %s in %s", describeEvent(event), PhaseOf(y.p))
	}
	y.p = next
	if w.logging() {
		r.logStep(y, before, event, effects)
	}
	for _, e := range effects {
		r.execute(y, e)
	}
	if !y.over {
		r.schedule(y)
	}
}

func (r *simReplica) logStep(y *simPay, before Phase, event Event, effects []Effect) {
	phase := PhaseOf(y.p)
	if before == nil || before.name() != phase {
		phase = "→ " + phase
	}
	r.w.logf("%s %s [%s] %s", r.self, y.order.id, phase, describeEvent(event))
	for _, e := range effects {
		r.w.logf("        %s", describeEffect(e))
	}
}

// schedule plans the next tick. One that is planned too early is planned again
// when it comes.
func (r *simReplica) schedule(y *simPay) {
	due := y.p.Due()
	if due.IsZero() {
		return
	}
	at := max(due.Sub(epoch)-r.skew, r.w.now)
	if y.tickAt != 0 && y.tickAt <= at {
		return
	}
	y.tickAt = at
	r.later(at-r.w.now, func() {
		if y.over || y.tickAt != at {
			return
		}
		y.tickAt = 0
		if due := y.p.Due(); !due.IsZero() && !due.After(r.clock()) {
			r.step(y, Tick{})
			return
		}
		r.schedule(y)
	})
}

// beat keeps sessions in the queue.
func (r *simReplica) beat() {
	for _, y := range r.pays {
		if h := y.p.Place.Handle; h != "" && y.p.Active() {
			r.send(func() { r.w.bus.inProgress(h) })
		}
	}
	r.later(simReplicaTTL/3, r.beat)
}

// send sends a message that nobody confirms.
func (r *simReplica) send(do func()) {
	b := r.w.bus
	if r.isCut() || r.w.fault(r.w.weather.lost) {
		return
	}
	r.w.after(b.latency(), func() {
		if !b.down() {
			do()
		}
	})
}

// requestLimit is how long a request to NATS may take.
const requestLimit = time.Second

// request asks the server something: at runs there, then answered or lost here.
// Lost requests may have been carried out, or be carried out later.
func (r *simReplica) request(at, answered, lost func()) {
	w, b := r.w, r.w.bus
	fail := func() {
		r.trouble = max(r.trouble, w.now)
		lost()
	}
	if r.isCut() {
		r.later(w.between(50*time.Millisecond, requestLimit), fail)
		return
	}
	there, back := b.latency(), b.latency()
	if w.fault(w.weather.lost) {
		r.later(requestLimit, fail)
		return
	}
	answerLost := w.fault(w.weather.lost) || there+back > requestLimit
	if answerLost {
		r.later(requestLimit, fail)
	}
	gen := r.gen
	w.after(there, func() {
		if b.down() {
			if !answerLost {
				r.later(requestLimit-there, fail)
			}
			return
		}
		at()
		if answerLost || r.gen != gen {
			return
		}
		r.later(back, func() {
			if r.isCut() {
				r.later(requestLimit-there, fail)
				return
			}
			answered()
		})
	})
}

// retried makes a request until it is answered or the payment is over.
func (r *simReplica) retried(y *simPay, try int, at, answered func()) {
	r.request(at, func() {
		if !y.over {
			answered()
		}
	}, func() {
		if !y.over {
			r.later(min(time.Duration(try+1)*100*time.Millisecond, time.Second), func() {
				if !y.over {
					r.retried(y, try+1, at, answered)
				}
			})
		}
	})
}

func (r *simReplica) execute(y *simPay, effect Effect) {
	switch e := effect.(type) {
	case ReadLog:
		var log Log
		r.retried(y, 0, func() { log = r.w.bus.read(y.order.index) }, func() { r.step(y, LogRead{Log: log}) })
	case StoreClaim:
		claim := e.Claim
		r.store(y, e.Expect, &claim, nil)
	case StoreStatus:
		entry := e.Status
		r.store(y, e.Expect, nil, &entry)
	case StoreInvalid:
		r.store(y, e.Expect, nil, nil)
	case Unlock:
		gen := r.gen
		r.retried(y, 0, func() { r.unlockAt(e.Place, r.gen != gen) }, func() { r.step(y, Unlocked{}) })
	case GiveBack:
		r.send(func() { r.w.bus.nak(e.Handle) })
	case AskOwner:
		r.later(e.After, func() { r.askOwner(y, e) })
	case AnswerStart:
		r.answerStart(y, y.p.Session.Reply, e)
	case Respond:
		if answer := r.waiters[e.Waiter]; answer != nil {
			delete(r.waiters, e.Waiter)
			answer(e)
		}
	case Leave:
		r.remove(y)
	case Note:
		if e.Kind == NoteTookOver || e.Kind == NoteTakenOn {
			r.w.takeovers++
		}
	default:
		r.executeAtProvider(y, effect)
	}
}

func (r *simReplica) store(y *simPay, expect uint64, claim *Claim, entry *Status) {
	var seq uint64
	var ok, busy bool
	r.retried(y, 0, func() { seq, ok, busy = r.w.bus.append(y.order.index, expect, claim, entry) }, func() {
		switch {
		case ok:
			r.step(y, Stored{Seq: seq})
		case busy:
			r.later(5*time.Second, func() {
				if !y.over {
					r.store(y, expect, claim, entry)
				}
			})
		default:
			r.step(y, Refused{})
		}
	})
}

// unlockAt is an ack, or a delete without a delivery, perhaps of a process that
// has ended meanwhile.
func (r *simReplica) unlockAt(place Place, dead bool) {
	s := r.w.bus.bySequence(place.Seq)
	if place.Handle != "" {
		s = r.w.bus.byHandle(place.Handle)
	}
	if s == nil {
		return
	}
	if in := r.w.inboxes[s.session.Reply]; in != nil && dead {
		in.lost = true
	}
	r.w.bus.remove(s.seq)
}

// answerStart sends the answer to a start, as soon as NATS is there.
func (r *simReplica) answerStart(y *simPay, inbox string, e AnswerStart) {
	w := r.w
	if e.Reply != "" {
		inbox = e.Reply
	}
	if r.isCut() {
		r.later(100*time.Millisecond, func() { r.answerStart(y, inbox, e) })
		return
	}
	in := w.inboxes[inbox]
	if in == nil {
		return
	}
	w.after(w.between(200*time.Microsecond, 3*time.Millisecond), func() {
		if e.Reply == "" && !in.answered {
			in.joined = "" // its own session has answered, whatever it joined meanwhile
		}
		in.take(w, e)
	})
}

// process finds the replica of a process.
func (w *world) process(self string) *simReplica {
	for _, r := range w.replicas {
		if r.alive && r.self == self {
			return r
		}
	}
	return nil
}

// askOwner asks another replica once.
func (r *simReplica) askOwner(y *simPay, e AskOwner) {
	w := r.w
	if y.over {
		return
	}
	said := func(word Word, after time.Duration) {
		calm := r.calm()
		if word == OwnerSilent {
			r.trouble = w.now
		}
		r.later(after, func() { r.step(y, OwnerSaid{Word: word, Calm: calm}) })
	}
	owner := w.process(e.Owner)
	switch {
	case slices.Contains(r.gone, e.Owner):
		r.later(0, func() { r.step(y, OwnerSaid{Word: OwnerGone, Calm: true}) })
	case r.isCut() || w.fault(w.weather.lost):
		said(OwnerSilent, time.Second)
	case owner == nil || owner.isCut() || w.fault(w.weather.falseGone):
		said(OwnerGone, time.Millisecond)
	default:
		answered := false
		r.later(time.Second, func() {
			if !answered {
				answered = true
				said(OwnerSilent, 0)
			}
		})
		owner.later(w.bus.latency(), func() {
			owner.question(y.order.index, func(waiter uint64) Event {
				return Asked{Waiter: waiter, Epoch: e.Epoch, Handle: e.Handle, QueueSeq: e.QueueSeq}
			}, func(a Respond) {
				if a.Elsewhere {
					w.audit.givenAway(y.order.index, owner, e.Epoch)
				}
				if owner.isCut() || w.fault(w.weather.lost) {
					return
				}
				r.later(w.bus.latency(), func() {
					if answered {
						return
					}
					answered = true
					switch {
					case a.Elsewhere:
						said(OwnerLeft, 0)
					case a.Storing:
						said(OwnerStoring, 0)
					default:
						said(OwnerFollows, 0)
					}
				})
			})
		})
	}
}

// question gives a payment an input that somebody waits for.
func (r *simReplica) question(order int, event func(waiter uint64) Event, answer func(Respond)) {
	y := r.find(order)
	if y == nil {
		answer(Respond{Elsewhere: true})
		return
	}
	r.asked++
	waiter := r.asked
	r.waiters[waiter] = answer
	r.step(y, event(waiter))
}
