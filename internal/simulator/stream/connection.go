package stream

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// ending says how a stream connection goes on after what was just composed.
type ending int

const (
	goOn ending = iota
	endCleanly
	cutOff
)

// connection is one open event stream: it writes down what the stream tells. The
// state's lock guards it, but for wake.
type connection struct {
	s    *orders.State
	wake chan struct{} // holds one token: there may be news

	order    *orders.Order
	framing  framing
	pos      int    // the next of the order's events
	sent     int    // events that went out on this connection
	ids      bool   // every event has its number in the order as id
	cut      bool   // to be cut by CutOff
	silent   bool   // open, but nothing goes out any more
	held     []byte // an event that waits for the next one, without its blank line
	joined   bool   // held goes out before the next one, with no blank line between
	greeting string // data of an event that is to be sent first
	gzip     bool   // to be compressed
	flood    []byte // whole events of a load that are to be sent, after so many of the order's
	floodAt  int
	token    string       // removed from what the journal shows
	expiry   *alarm.Alarm // cuts the stream when the token expires
}

func (c *connection) WakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *connection) CutOff() {
	c.cut = true
	c.WakeUp()
}

func (c *connection) occasion() fault.Occasion {
	return fault.Occasion{Op: calls.OpStream, Order: c.order.ID(), Terminal: c.order.Terminal.ID}
}

// greet has the order's present state sent first.
func (c *connection) greet() {
	o := c.order
	c.greeting = eventOf(o, orders.Event{Status: o.Status, FinancialStatus: o.Financial, TransactionID: o.Number}).String()
}

// remember is what the connection tells of the past: it may go on after the id
// that the client had last.
func (c *connection) remember(mode, last string) {
	c.ids = mode != "" && mode != fault.HistoryReplay
	switch mode {
	case "", fault.HistoryReplay, fault.HistoryReplayIDs:
		c.pos = 0
	case fault.HistoryResume:
		if n, err := strconv.Atoi(last); err == nil && n >= 0 {
			c.pos = min(n, c.pos)
		}
	}
}

// take returns the fault of that name that befalls the connection.
func (c *connection) take(name fault.Name) (fault.Fault, bool) {
	return c.s.Faults.Take(name, c.occasion())
}

// compose writes down what has happened since the last time, with the faults
// that befall it. over says that nothing more is going to happen by itself.
func (c *connection) compose() (out []byte, end ending, over bool) {
	c.s.Lock()
	defer c.s.Unlock()
	o := c.order
	switch {
	case c.cut:
		return nil, cutOff, true
	case o.Gone:
		return nil, endCleanly, true
	}
	if c.silenced() {
		c.pos, c.flood = len(o.Events), nil
		return nil, c.dropped(), o.Over()
	}
	if c.greeting != "" {
		out = append(append(out, c.framing.lines(orderEvent, c.greeting, c.id())...), c.framing.eol()...)
		c.sent, c.greeting = c.sent+1, ""
	}
	flood := len(c.flood)
	if flood > 0 {
		out, end = c.news(out, c.floodAt)
	}
	if end == goOn {
		out = append(out, c.flood...)
		c.flood = c.flood[:0]
		out, end = c.news(out, len(o.Events))
	}
	if flood == 0 && len(out) > 0 { // a load is too much for the journal
		e := o.Entry(journal.KindSent, "sent on the stream, "+strconv.Itoa(len(out))+" bytes")
		e.Raw = journal.Redact(out, c.token, strconv.FormatInt(o.Number, 10), o.ID(), o.Session)
		c.s.Journal.Note(e)
	}
	return out, end, o.Over()
}

// news adds the status changes that the connection has not told yet, up to one.
func (c *connection) news(out []byte, until int) ([]byte, ending) {
	o := c.order
	for c.pos < until {
		if end := c.dropped(); end != goOn {
			return out, end
		}
		if c.silenced() {
			c.pos = len(o.Events)
			return out, goOn
		}
		e := o.Events[c.pos]
		c.pos++
		b, end := c.change(e)
		out = append(out, b...)
		if end != goOn {
			return out, end
		}
	}
	c.silenced()
	return out, c.dropped()
}

// silenced takes the fault that silences c.
func (c *connection) silenced() bool {
	if !c.silent {
		_, c.silent = c.s.Faults.TakeAfter(fault.SilentStream, c.occasion(), c.sent)
	}
	return c.silent
}

// dropped takes the fault that ends c.
func (c *connection) dropped() ending {
	f, ok := c.s.Faults.TakeAfter(fault.DropStream, c.occasion(), c.sent)
	switch {
	case !ok:
		return goOn
	case f.Clean:
		return endCleanly
	}
	return cutOff
}

// id is that of the order's event that was told last, where events have one.
func (c *connection) id() string {
	if !c.ids && !c.framing.is(fault.FramingID) {
		return ""
	}
	return strconv.Itoa(c.pos)
}

// Push hands over whole events of a load; false when too many are waiting.
func (c *connection) Push(event []byte) bool {
	const most = 1 << 20 // bytes
	if len(c.flood) == 0 {
		c.floodAt = len(c.order.Events)
	}
	if len(c.flood) > most || c.floodAt != len(c.order.Events) {
		return false
	}
	c.flood = append(c.flood, event...)
	c.sent++
	c.WakeUp()
	return true
}

// change writes down one status change.
func (c *connection) change(e orders.Event) (out []byte, end ending) {
	eol := c.framing.eol()
	if _, ok := c.take(fault.LoseEvents); ok {
		return nil, goOn
	}
	out = c.strangers()
	data := eventOf(c.order, e)
	if f, ok := c.take(fault.HugeEvent); ok {
		size := f.Size
		size = cmp.Or(size, fault.DefaultEventSize)
		data.Padding = strings.Repeat("x", size)
	}
	c.sent++
	name, text := orderEvent, data.String()
	if f, ok := c.take(fault.OddEvent); ok {
		shape := eventShapes[f.Mode]
		out = append(out, shape.before...)
		name, text = shape.name, shape.data(text, c.order.Session)
	}
	lines := c.framing.lines(name, text, c.id())
	final := scenario.IsFinal(e.Status)
	if final {
		if _, ok := c.take(fault.UnterminatedEvent); ok {
			return append(append(out, c.release(nil, eol)...), lines...), endCleanly
		}
	}
	if c.held == nil && !final {
		_, late := c.take(fault.OutOfOrderEvents)
		joined := false
		if !late {
			_, joined = c.take(fault.JoinedEvents)
		}
		if late || joined {
			c.held, c.joined = lines, joined
			return out, goOn
		}
	}
	out = append(out, c.release(lines, eol)...)
	if _, ok := c.take(fault.DuplicateEvents); ok {
		out = append(append(out, lines...), eol...)
	}
	return out, goOn
}

// strangers are events that come before an order's own.
func (c *connection) strangers() (out []byte) {
	o := c.order
	add := func(name, data string) {
		out = append(append(out, c.framing.lines(name, data, c.id())...), c.framing.eol()...)
	}
	if _, ok := c.take(fault.OtherEventType); ok {
		add(qrEvent, `{"order_id":"`+o.ID()+`","qr_url":"https://qr.invalid/`+orders.RandomID(8)+`"}`)
	}
	if _, ok := c.take(fault.OtherOrderEvent); ok {
		other := eventOf(o, orders.Event{Status: scenario.StatusCompleted, FinancialStatus: scenario.StatusCompleted, TransactionID: o.Number})
		other.OrderID, other.SessionID = "other-"+orders.RandomID(12), orders.RandomID(39)
		add(orderEvent, other.String())
	}
	if f, ok := c.take(fault.GarbageEvent); ok {
		add(orderEvent, c.garbage(f.Data))
	}
	return out
}

// release writes lines as an event, with the one that was held for it: before
// it and without a blank line between, or after it. nil lines release what is
// held alone.
func (c *connection) release(lines []byte, eol string) (out []byte) {
	held, joined := c.held, c.joined
	c.held, c.joined = nil, false
	terminated := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		return append(append([]byte{}, b...), eol...)
	}
	switch {
	case held == nil || lines == nil:
		return terminated(append(held, lines...))
	case joined:
		return terminated(append(append([]byte{}, held...), lines...))
	}
	return append(terminated(lines), terminated(held)...)
}

// garbage is data that is no JSON, with things in it that must not be passed
// on: the events token and a card number.
func (c *connection) garbage(data string) string {
	if data != "" {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(data)
	}
	return `{"order_id":"` + c.order.ID() + `","status":completed,"card":"` + wire.CardPAN + `","token":"` + c.token + `"`
}
