package payment

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/posbridge/bridge/schema"
)

// auditor checks the promises of the contract from the provider's truth, from
// what the streams store and from what requesters are answered. It shares no
// code with the machine, and knows the rules by itself.
type auditor struct {
	w      *world
	orders []*auditOrder
	faults []string
	// excused counts statuses under promise 1's exception, overtaken answers
	// that a stream event made old, unresolved and notCreated final statuses.
	excused, overtaken, unresolved, notCreated int
}

// auditOrder is what the auditor knows of an order.
type auditOrder struct {
	stored []auditEntry
	// ever are the tags that were stored at any time.
	ever uint64
	// lost is set when the log was deleted: it may begin anew.
	lost   bool
	lostAt time.Duration
	// anew is set until its first status after that.
	anew   bool
	claim  *Claim
	owner  *simPay
	closed bool
	// nonce is the session that the order was created for.
	nonce string
	// denied are sessions of which it was said that nothing was created.
	denied []string
	due    []obligation
	// widowed is set when the process that watched the order has ended.
	widowed bool
}

type auditEntry struct {
	status, transaction string
	tag                 int
	final               bool
	charged             int64
	at                  time.Duration
}

// obligation is a status that the owner was shown: it has to be published.
type obligation struct {
	shown           shown
	tag             int
	y               *simPay
	at              time.Duration
	stream, excused bool
	overtaken       bool
}

func newAuditor(w *world) *auditor { return &auditor{w: w} }

func stack() string { return string(debug.Stack()) }

func (a *auditor) wrong(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf("at %v: ", a.w.now)+fmt.Sprintf(format, args...))
	a.w.logf("!!! "+format, args...)
}

// ends is what ends a payment.
func ends(status string) bool {
	switch status {
	case "completed", "cancelled", "expired", "void", "unresolved", "reversed", "refunded", "chargeback", "chargedback", "partial_refunded", "not_created":
		return true
	}
	return false
}

func unpaid(status string) bool {
	return status == "cancelled" || status == "expired" || status == "void"
}

// created notes that the provider has created an order.
func (a *auditor) created(order int, nonce string) {
	o := a.orders[order]
	if o.nonce != "" {
		a.wrong("order %s was created twice", orderIDs[order])
	}
	o.nonce = nonce
	if slices.Contains(o.denied, nonce) && !o.lost {
		a.wrong("order %s was created after it was said that nothing was (session %s)", orderIDs[order], nonce)
	}
	if o.has("not_created") && !o.lost {
		a.wrong("order %s was created after not_created", orderIDs[order])
	}
}

func (a *auditor) posted(order int, nonce string) {
	if o := a.orders[order]; slices.Contains(o.denied, nonce) && !o.lost {
		a.wrong("order %s is put to the provider after it was said that nothing was created (session %s)", orderIDs[order], nonce)
	}
}

func (o *auditOrder) has(status string) bool {
	return slices.ContainsFunc(o.stored, func(e auditEntry) bool { return e.status == status })
}

func (o *auditOrder) last() auditEntry {
	if len(o.stored) == 0 {
		return auditEntry{}
	}
	return o.stored[len(o.stored)-1]
}

// deny notes that somebody was told, or will be, that nothing was created.
func (a *auditor) deny(order int, nonce string) {
	o := a.orders[order]
	if o.nonce == nonce && !o.lost {
		a.wrong("nothing was created, says an answer, but order %s exists (session %s)", orderIDs[order], nonce)
	}
	if !slices.Contains(o.denied, nonce) {
		o.denied = append(o.denied, nonce)
	}
}

// claimStored notes who owns an order.
func (a *auditor) claimStored(order int, c *Claim) {
	o := a.orders[order]
	if o.claim != nil && !o.lost && c.Epoch < o.claim.Epoch {
		a.wrong("epoch %d of order %s follows epoch %d", c.Epoch, orderIDs[order], o.claim.Epoch)
	}
	o.claim, o.closed = c, c.Phase == "closed"
	o.owner = nil
	if r := a.w.process(c.Owner); r != nil {
		o.owner = r.find(order)
	}
	for i := range o.due {
		if d := &o.due[i]; d.y != o.owner {
			d.excused = true
		}
	}
	if y := o.owner; y != nil {
		for _, s := range y.early {
			a.oblige(o, y, s, true)
		}
		y.early = nil
	}
	if o.closed {
		a.deny(order, c.Session.Nonce)
	}
}

// givenAway checks that an owner that stops lets another replica go on only once it has
// nothing left to store.
func (a *auditor) givenAway(order int, owner *simReplica, epoch uint64) {
	o, y := a.orders[order], owner.find(order)
	if !owner.draining || y == nil || o.owner != y || o.claim.Epoch != epoch {
		return
	}
	for _, d := range o.due {
		if d.y == y && d.stream && !d.excused && !d.overtaken && o.ever&(1<<d.tag) == 0 && (y.p.Pending.Len() > 0 || y.p.Ledger.Writing != nil || len(y.p.Question.Held) > 0 || y.p.Stream.Connection.open()) {
			a.wrong("%s lets another replica have order %s, and has not stored %s (%d)", owner.self, orderIDs[order], d.shown.status, d.tag)
		}
	}
}

// shown notes that the stream showed a payment a status.
func (a *auditor) shown(y *simPay, s shown) {
	if o := a.orders[y.order.index]; o.owner == y {
		a.oblige(o, y, s, true)
		return
	}
	y.early = append(y.early, s)
}

// answered notes that a payment got an answer. One that is older than an event
// is no news.
func (a *auditor) answered(y *simPay, s shown, fresh bool) {
	o := a.orders[y.order.index]
	if o.owner == y && fresh {
		a.oblige(o, y, s, false)
	}
	y.told = max(y.told, tagOf(s.tag))
}

func tagOf(text string) int {
	tag, _ := strconv.Atoi(text)
	return tag
}

// oblige notes that a status has to be published, unless news from after it is
// published or was told already.
func (a *auditor) oblige(o *auditOrder, y *simPay, s shown, stream bool) {
	tag := tagOf(s.tag)
	if stream {
		for i := range o.due {
			if d := &o.due[i]; !d.stream && d.y == y && d.tag < tag && (a.w.now-d.at <= 2*time.Second || y.r.resumed > d.at) {
				d.overtaken = true
			}
		}
	}
	if tag <= o.last().tag || tag <= y.told || o.claim.Session.Nonce != o.nonce {
		return
	}
	y.told = tag
	due := obligation{shown: s, tag: tag, y: y, at: a.w.now, stream: stream}
	for i := range o.due {
		if d := &o.due[i]; d.tag == tag {
			if d.y != y {
				*d = due
			}
			return
		}
	}
	o.due = append(o.due, due)
}

func (a *auditor) statusLost() {
	for _, o := range a.orders {
		o.lost, o.anew, o.lostAt = true, true, a.w.now
	}
}

// statusStored checks a status against the ones before it and the provider's truth.
func (a *auditor) statusStored(order int, e Status) {
	o, s := a.orders[order], e.Event
	id := orderIDs[order]
	n := uint64(len(o.stored))
	if o.anew && s.Sequence <= n { // the log was lost, and so was who knew most of it
		n = s.Sequence - 1
		o.stored = o.stored[:n]
	}
	o.anew = false
	before := o.last()
	if s.Sequence != n+1 {
		a.wrong("sequence %d of order %s follows %d", s.Sequence, id, n)
	}
	if s.PreviousStatus != before.status && !o.lost {
		a.wrong("previous status of order %s is %q, not %q", id, s.PreviousStatus, before.status)
	}
	if s.Final != (before.final || ends(s.Status)) {
		a.wrong("order %s: final is %v with %s", id, s.Final, s.Status)
	}
	tag := tagOf(s.FinancialStatus)
	bridge := s.Status == "unresolved" || s.Status == "not_created"
	switch {
	case bridge != (s.Source == "bridge"):
		a.wrong("order %s: %s comes from %s", id, s.Status, s.Source)
	case before.status == "unresolved" || before.status == "not_created":
		a.wrong("order %s: %s follows %s", id, s.Status, before.status)
	case before.final && (s.Status == "initialized" || s.Status == "declined" || bridge):
		a.wrong("order %s: %s follows the end", id, s.Status)
	case unpaid(before.status) && unpaid(s.Status):
		a.wrong("order %s ends twice: %s, %s", id, before.status, s.Status)
	case bridge:
		tag = before.tag
	default:
		tag = a.truth(order, before, s, tag)
	}
	if s.Status == before.status && s.AmountCharged == before.charged &&
		(s.Status != "declined" || s.TransactionID == before.transaction || s.TransactionID == "" || before.transaction == "") {
		a.wrong("order %s: %s twice", id, s.Status)
	}
	o.stored = append(o.stored, auditEntry{
		status: s.Status, transaction: s.TransactionID, tag: tag, final: s.Final, charged: s.AmountCharged, at: s.ObservedAt.Sub(epoch),
	})
	o.ever |= 1 << tag
	a.ownEnd(order, s.Status)
}

// truth compares a status with the provider's history, and says which one it is.
func (a *auditor) truth(order int, before auditEntry, s schema.StatusEvent, tag int) int {
	history := a.w.provider.orders[order].history
	id := orderIDs[order]
	if tag == 0 || !a.w.weather.transactions { // what a cancel was answered; only the content tells
		if s.Status == before.status && s.AmountCharged != before.charged {
			return before.tag
		}
		for i, h := range history {
			if i+1 > before.tag && (h.status == s.Status || tag == 0 && unpaid(h.status) && unpaid(s.Status)) {
				return i + 1
			}
		}
		if a.w.weather.transactions || s.Final {
			a.wrong("order %s was never %s after %s", id, s.Status, before.status)
		}
		return before.tag
	}
	amount := a.w.provider.orders[order].charged
	switch {
	case tag > len(history) || history[tag-1].status != s.Status:
		a.wrong("order %s was never %s", id, s.Status)
	case tag < before.tag:
		a.wrong("order %s: %s (%d) is published after %s (%d)", id, s.Status, tag, before.status, before.tag)
	case tag == before.tag && s.AmountCharged == before.charged:
		a.wrong("order %s: %s (%d) is published twice", id, s.Status, tag)
	case s.AmountCharged != 0 && s.AmountCharged != amount:
		a.wrong("order %s: charged %d, not %d", id, s.AmountCharged, amount)
	}
	return tag
}

// ownEnd checks the statuses that the bridge makes itself.
func (a *auditor) ownEnd(order int, status string) {
	w, o, p := a.w, a.orders[order], a.w.provider.orders[order]
	switch status {
	case "not_created":
		a.notCreated++
		forgotten := o.lost && (o.nonce != o.claim.Session.Nonce || p.isOver() && p.createdAt < o.lostAt)
		if o.nonce != "" && o.nonce != elsewhere && !forgotten {
			a.wrong("not_created, but order %s exists (session %s)", orderIDs[order], o.nonce)
		}
	case "unresolved":
		a.unresolved++
		f := w.weather
		healthy := f.getFails == 0 && f.providerOutages == 0 && f.slowest < time.Second && f.pretransaction < 2*time.Second
		if healthy && p.exists() && p.isOver() {
			i := slices.IndexFunc(p.history, func(s shown) bool { return providerFinal(s.status) })
			if w.now-p.history[i].at > 30*time.Second {
				a.wrong("unresolved, but order %s has been %s since %v", orderIDs[order], p.history[i].status, p.history[i].at)
			}
		}
	}
}

// unlocked checks that no terminal is unlocked while its payment is open.
func (a *auditor) unlocked(s *simSession) {
	o := a.orders[s.order.index]
	if o.nonce == s.session.Nonce && !o.last().final && !o.lost {
		a.wrong("terminal %s is unlocked while order %s is open", s.order.terminalID, s.order.id)
	}
}

// startAnswered checks the answer to a start.
func (a *auditor) startAnswered(in *simStart) {
	o := a.orders[in.order.index]
	nonce := in.nonce
	if in.joined != "" {
		nonce = in.joined
	}
	failure := in.answer.Failure
	switch {
	case failure == nil:
		if o.nonce == "" && !o.has("not_created") {
			a.wrong("start %s of order %s was answered, but the order does not exist", in.nonce, in.order.id)
		}
		if o.claim == nil || o.closed && !o.last().final {
			a.wrong("start %s of order %s was answered, but nothing of it is stored", in.nonce, in.order.id)
		}
	case failure.Code == "provider_rejected" || failure.Code == "provider_error" || failure.Code == "provider_unavailable":
		a.deny(in.order.index, nonce)
	}
	f := a.w.weather
	if failure != nil && failure.Code == "outcome_unknown" && in.joined == "" && a.knew(in) {
		a.wrong("start %s of order %s is not known, but %s has known since %v", in.nonce, in.order.id, in.knower.self, in.known)
	}
	if late := in.at - max(in.sent, in.storedAt); f.calm() && late > f.startDeadline+answerGrace+400*time.Millisecond {
		a.wrong("start %s of order %s was answered after %v", in.nonce, in.order.id, late)
	}
}

// knew reports whether a process that nothing disturbed has known for long
// enough that the order exists.
func (a *auditor) knew(in *simStart) bool {
	w, r := a.w, in.knower
	if r == nil || r.gen != in.knowerGen || r.paused || r.draining || w.weather.lost > 0 || w.weather.slow > 0 || w.weather.deleteQueue || w.weather.deleteStatus || w.weather.purge {
		return false
	}
	return min(w.now, in.storedAt+w.weather.startDeadline)-max(in.known, r.trouble, r.cutUntil, r.resumed, w.bus.downUntil) > 4*time.Second
}

// calm reports whether nothing fails under a seed.
func (f weather) calm() bool {
	return f.kills+f.pauses+f.cuts+f.outages+f.drains+f.steps == 0 && f.lost == 0 && f.slow == 0 && !f.deleteQueue && !f.deleteStatus && !f.purge
}

// commandAnswered checks the answer to a cancel or a get.
func (a *auditor) commandAnswered(so *simOrder, cancel bool, r Respond) {
	o := a.orders[so.index]
	switch {
	case r.Failure != nil, o.lost:
	case cancel && ends(r.Status) && !o.has(r.Status):
		a.wrong("a cancel of order %s was answered %s, which is not published", so.id, r.Status)
	case !cancel && r.Status != "" && !o.has(r.Status):
		a.wrong("a get of order %s was answered %s, which is not published", so.id, r.Status)
	}
}

// end checks what must be true once everything is over.
func (a *auditor) end() {
	w := a.w
	if !w.over() {
		a.wrong("it never ends: %s", w.unfinished())
		return
	}
	for _, so := range w.orders {
		o, p := a.orders[so.index], w.provider.orders[so.index]
		switch {
		case o.claim == nil, o.lost:
		case o.claim.Phase != "closed" && !o.last().final:
			a.wrong("order %s never ended", so.id)
		case o.nonce != "" && o.nonce != elsewhere && !o.last().final:
			a.wrong("order %s exists, and nobody knows", so.id)
		}
		for _, d := range o.due {
			a.settle(so, o, d)
		}
		a.paidAfterAll(so, o, p)
		for _, in := range so.starts {
			if !in.answered && !in.isLost(w) {
				a.wrong("start %s of order %s was never answered", in.nonce, so.id)
			}
		}
	}
}

// isLost reports whether nobody is left who could answer a start: the process
// that took it has gone before its session was stored, or the queue was deleted.
func (in *simStart) isLost(w *world) bool {
	handlerGone := in.handler.gen != in.handlerGen
	return in.lost || handlerGone && in.storedAt == 0 || w.weather.deleteQueue
}

// settle checks that a status that was shown is published, or was no news.
func (a *auditor) settle(so *simOrder, o *auditOrder, d obligation) {
	if o.ever&(1<<d.tag) != 0 {
		return
	}
	var before, after auditEntry
	for _, e := range o.stored {
		if e.tag < d.tag || e.status == "unresolved" && d.at+time.Second > e.at {
			before = e
		} else if after.status == "" {
			after = e
		}
	}
	s := d.shown
	switch {
	case before.status == "unresolved" || before.status == "not_created":
	case s.status == before.status && (s.status != "declined" || s.transaction == "" || s.transaction == before.transaction):
	case before.final && (s.status == "initialized" || s.status == "declined"):
	case unpaid(before.status) && unpaid(s.status):
	case !a.w.weather.transactions && (!ends(s.status) || o.last().final): // one decline looks like the other
	case o.lost && o.closed: // without its log, an order from before looks like somebody else's
	case d.excused && (!ends(s.status) || after.final), d.y.died && before.final, d.excused && (o.lost || before.final) && o.widowed:
		a.excused++
	case d.overtaken, d.y.p.Invalids > 0 && (!ends(s.status) || before.final): // or its place among events that were not understood is not clear
		a.overtaken++
	default:
		a.wrong("order %s: %s (%d) was shown to %s at %v and is not published", so.id, s.status, d.tag, d.y.r.self, d.at)
	}
}

// paidAfterAll checks that aftercare found a payment after an unpaid end.
func (a *auditor) paidAfterAll(so *simOrder, o *auditOrder, p *providerOrder) {
	last := o.last()
	f := a.w.weather
	troubles := f.kills + f.pauses + f.cuts + f.drains + f.outages
	if !unpaid(last.status) || o.lost || o.widowed && troubles > 1 {
		return
	}
	first := slices.IndexFunc(o.stored, func(e auditEntry) bool { return e.final })
	for _, s := range p.history[min(last.tag, len(p.history)):] {
		if s.status == "completed" && s.at < o.stored[first].at+58*time.Second {
			a.wrong("order %s was %s and then completed at %v, which is not published", so.id, last.status, s.at)
		}
	}
}

// unfinished says what is not over, for people.
func (w *world) unfinished() string {
	text := ""
	for _, s := range w.bus.queue.sessions {
		text += fmt.Sprintf("session %d of order %s is queued; ", s.seq, s.order.id)
	}
	for _, r := range w.replicas {
		for _, y := range r.pays {
			text += fmt.Sprintf("%s has order %s in %s, %d asked, due %v; ", r.self, y.order.id, PhaseOf(y.p), len(r.waiters), y.p.Due().Sub(epoch))
		}
	}
	return text
}
