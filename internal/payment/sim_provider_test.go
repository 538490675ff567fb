package payment

import (
	"slices"
	"strconv"
	"time"

	"github.com/posbridge/bridge/schema"
)

// simProvider is the payment service, the terminals and the customers.
type simProvider struct {
	w         *world
	downUntil time.Duration
	orders    []*providerOrder
	// posting counts creates that may still be carried out.
	posting int
}

// providerOrder is an order as the provider has it.
type providerOrder struct {
	index int
	// nonce is the session whose create was carried out, empty while there is none.
	nonce     string
	createdAt time.Duration
	visibleAt time.Duration
	history   []shown
	charged   int64
	conns     []*simConn
}

// shown is a status of an order's history. Its tag, in the financial status,
// tells the auditor which one a message is about.
type shown struct {
	status, transaction, tag, id string
	at                           time.Duration
}

func (o *providerOrder) exists() bool { return o.nonce != "" }

func (o *providerOrder) newest() shown { return o.history[len(o.history)-1] }

func (o *providerOrder) isOver() bool {
	return slices.ContainsFunc(o.history, func(s shown) bool { return providerFinal(s.status) })
}

// providerFinal is the provider's own knowledge of what ends a payment.
func providerFinal(status string) bool {
	switch status {
	case "initialized", "declined":
		return false
	}
	return true
}

func (v *simProvider) down() bool { return v.w.now < v.downUntil }

// way is the time of a request or an answer.
func (v *simProvider) way() time.Duration {
	w := v.w
	if w.healed {
		return w.between(5*time.Millisecond, 50*time.Millisecond)
	}
	return w.between(5*time.Millisecond, w.weather.slowest)
}

// create carries out a create of a session.
func (v *simProvider) create(order int, session Session) Posted {
	w, o := v.w, v.orders[order]
	if o.exists() {
		return Posted{Outcome: Used}
	}
	o.nonce, o.createdAt = session.Nonce, w.now
	// The assumption of R3 is about when it can be seen that a create was carried out.
	latest := session.Deadline.Sub(epoch) + simRequestTimeout + arrivalLimit
	o.visibleAt = max(w.now, min(w.now+w.between(0, w.weather.pretransaction), latest))
	w.logf("provider: order %s is created for session %s", orderIDs[order], session.Nonce)
	w.audit.created(order, session.Nonce)
	v.happen(o, "initialized", "1")
	v.customer(o)
	return Posted{Outcome: Done, SessionID: "S" + orderIDs[order], Sealed: sealedTokens[order]}
}

// elsewhere is who created an order that is no session's.
const elsewhere = "elsewhere"

// foreign makes an order that was created by somebody else, long ago.
func (v *simProvider) foreign(o *providerOrder) {
	o.nonce, o.createdAt = elsewhere, -time.Hour
	v.w.audit.created(o.index, elsewhere)
	v.happen(o, "initialized", "1")
	if v.w.chance(0.5) {
		v.happen(o, "completed", "1")
	}
}

var sealedTokens = [][]byte{[]byte("A"), []byte("B"), []byte("C"), []byte("D")}

// happen adds a status to an order and shows it on its streams.
func (v *simProvider) happen(o *providerOrder, status, transaction string) {
	w := v.w
	n := len(o.history)
	s := shown{status: status, tag: tags[n], at: w.now}
	switch {
	case w.weather.transactions:
		s.transaction = transaction
	case w.weather.sameTransaction:
		s.transaction = "1"
	}
	if w.weather.ids {
		s.id = tags[n]
	}
	o.history = append(o.history, s)
	w.logf("provider: order %s is %s %s", orderIDs[o.index], status, s.tag)
	for _, c := range o.conns {
		c.send(s, v.way())
		if w.fault(w.weather.repeatEvent) {
			c.send(s, v.way())
		}
	}
}

var tags = func() []string {
	all := make([]string, 64)
	for i := range all {
		all[i] = strconv.Itoa(i + 1)
	}
	return all
}()

// customer decides what happens at the terminal.
func (v *simProvider) customer(o *providerOrder) {
	w := v.w
	if w.chance(w.weather.mute) {
		return // the terminal is offline
	}
	pause := func() time.Duration {
		if w.weather.rush {
			return w.between(time.Millisecond, 400*time.Millisecond)
		}
		return w.between(100*time.Millisecond, 15*time.Second)
	}
	at, tx := time.Duration(0), 1
	plan := func(status string, late bool) {
		at += pause()
		name := tags[tx-1]
		w.after(at, func() {
			if len(o.history) < 40 && (!o.isOver() || late) {
				v.happen(o, status, name)
			}
		})
	}
	for range w.rand.IntN(4) {
		plan("declined", false)
		if tx++; w.chance(0.7) {
			plan("initialized", false)
		}
	}
	switch w.rand.IntN(10) {
	case 0, 1, 2, 3, 4:
		if w.chance(w.weather.tip) {
			o.charged = 1247
		}
		plan("completed", false)
		if w.chance(0.1) {
			plan([]string{"reversed", "refunded", "chargeback"}[w.rand.IntN(3)], true)
		}
	case 5, 6, 7:
		plan([]string{"cancelled", "expired", "void"}[w.rand.IntN(3)], false)
		v.lateApproval(o, at)
	case 8:
		at += 60 * time.Second
		plan("cancelled", false)
	}
}

// lateApproval lets the card scheme approve what was cancelled a moment ago.
func (v *simProvider) lateApproval(o *providerOrder, after time.Duration) {
	w := v.w
	if w.chance(w.weather.lateApproval) {
		w.after(after+w.between(100*time.Millisecond, 20*time.Second), func() {
			if newest := o.newest().status; newest == "cancelled" || newest == "void" || newest == "expired" {
				v.happen(o, "completed", "9")
			}
		})
	}
}

// answer is what a question for an order is answered, at the provider.
func (v *simProvider) answer(order int) Answered {
	o := v.orders[order]
	if !o.exists() || v.w.now < o.visibleAt {
		return Answered{}
	}
	s := o.newest()
	if lag := v.w.weather.answerLag; lag > 0 {
		at := v.w.now - v.w.between(0, lag)
		for n := len(o.history) - 1; n > 0 && s.at > at; n-- {
			s = o.history[n-1]
		}
	}
	a := Answered{
		Exists: true, Status: s.status, Financial: s.tag, Transaction: s.transaction, Terminal: v.w.orders[order].terminalID,
		Currency: "EUR", Amount: 1000, Created: epoch.Add(o.createdAt),
	}
	if o.charged != 0 && s.status == "completed" {
		a.Amount = o.charged
	}
	return a
}

// cancel carries out a cancel.
func (v *simProvider) cancel(order int) Cancelled {
	w, o := v.w, v.orders[order]
	switch {
	case !o.exists() || w.now < o.visibleAt:
		return Cancelled{Outcome: Rejected, Provider: &schema.ProviderAnswer{HTTPStatus: 404}}
	case w.weather.stubborn && !o.isOver():
		return Cancelled{Outcome: Nonsense}
	case o.isOver() && w.chance(0.5):
		return Cancelled{Outcome: Rejected}
	case o.isOver():
		return Cancelled{Outcome: Done, Status: o.newest().status}
	}
	spelling := []string{"cancelled", "cancelled", "void"}[w.rand.IntN(3)]
	v.happen(o, spelling, o.newest().transaction)
	v.lateApproval(o, 0)
	if spelling == "void" && w.chance(0.5) {
		return Cancelled{Outcome: Done, Status: "cancelled"} // two spellings of one end
	}
	return Cancelled{Outcome: Done, Status: spelling}
}

// simConn is one connection to an order's event stream.
type simConn struct {
	w     *world
	order *providerOrder
	y     *simPay
	// open is set until the connection ends, stalled when nothing arrives any more.
	open, stalled bool
	// last is when the last event arrives: events do not overtake each other.
	last time.Duration
}

// connect opens a connection for a payment and shows what the server shows.
func (v *simProvider) connect(y *simPay, lastID string) *simConn {
	w, o := v.w, v.orders[y.order.index]
	c := &simConn{w: w, order: o, y: y, open: true, last: w.now}
	o.conns = append(o.conns, c)
	c.arrive(v.way(), func() { c.y.r.step(c.y, StreamOpened{}) })
	history := w.between(0, 100*time.Millisecond)
	switch from := len(o.history); {
	case w.weather.history == historyPresent && from > 0:
		c.send(o.newest(), history)
	case w.weather.history == historyAll, w.weather.history == historyResumed && !w.weather.ids:
		c.sendFrom(0, history)
	case w.weather.history == historyResumed:
		c.sendFrom(slices.IndexFunc(o.history, func(s shown) bool { return s.id == lastID })+1, history)
	}
	if w.fault(w.weather.dropStream) {
		w.after(w.between(10*time.Millisecond, 30*time.Second), func() { c.end() })
	}
	if w.fault(w.weather.stall) {
		w.after(w.between(10*time.Millisecond, 30*time.Second), func() { c.stalled = true })
		w.after(w.between(40*time.Second, 50*time.Second), func() { c.end() })
	}
	return c
}

func (c *simConn) sendFrom(n int, way time.Duration) {
	for _, s := range c.order.history[n:] {
		c.send(s, way)
	}
}

// streamLag is how far the stream may be behind what a question is answered. A
// status that it shows later than this, when an answer has told what follows
// it, may be published out of order.
const streamLag = 500 * time.Millisecond

// send sends a status.
func (c *simConn) send(s shown, way time.Duration) {
	if c.stalled {
		return
	}
	w := c.w
	unclear := w.fault(w.weather.invalid)
	c.arrive(way, func() {
		r := c.y.r
		if unclear {
			r.step(c.y, StreamInvalid{Reason: "not understood"})
			return
		}
		w.audit.shown(c.y, s)
		c.y.events++
		r.step(c.y, StreamEvent{Observation: Observation{
			Source: schema.SourceStream, Status: s.status, Financial: s.tag, Transaction: s.transaction,
			SessionID: "S" + orderIDs[c.order.index], EventID: s.id, At: r.clock(),
		}})
	})
}

// arrive does something at the replica, in order, if the connection is open by
// then and not stalled.
func (c *simConn) arrive(way time.Duration, do func()) {
	c.last = max(c.last, c.w.now+min(way, streamLag))
	c.y.r.later(c.last-c.w.now, func() {
		if c.open && !c.stalled && c.y.conn == c && !c.y.over {
			do()
		}
	})
}

// end ends the connection from the provider's side.
func (c *simConn) end() {
	if !c.open {
		return
	}
	c.close()
	c.y.r.later(c.w.provider.way(), func() { c.y.streamEnded(c) })
}

func (c *simConn) close() {
	c.open = false
	if i := slices.Index(c.order.conns, c); i >= 0 {
		c.order.conns = slices.Delete(c.order.conns, i, i+1)
	}
}

// dropAll ends all streams.
func (v *simProvider) dropAll() {
	for _, o := range v.orders {
		for len(o.conns) > 0 {
			o.conns[0].end()
		}
	}
}
