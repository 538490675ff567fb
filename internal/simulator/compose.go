package simulator

import (
	"strconv"
	"strings"
)

// silenced takes the fault that silences c. The caller holds mu.
func (s *Simulator) silenced(c *streamConn) bool {
	if !c.silent {
		_, c.silent = s.takeFaultAfter(FaultSilentStream, c.occasion(), c.sent)
	}
	return c.silent
}

// dropped takes the fault that ends c. The caller holds mu.
func (s *Simulator) dropped(c *streamConn) ending {
	f, ok := s.takeFaultAfter(FaultDropStream, c.occasion(), c.sent)
	switch {
	case !ok:
		return goOn
	case f.Clean:
		return endCleanly
	}
	return cutOff
}

// compose writes down what has happened since the last time, with the faults
// that befall it.
func (s *Simulator) compose(c *streamConn) (out []byte, end ending, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := c.order
	switch {
	case c.cut:
		return nil, cutOff, true
	case o.gone:
		return nil, endCleanly, true
	}
	if s.silenced(c) {
		c.pos = len(o.events)
		return nil, s.dropped(c), o.over()
	}
	if c.greeting != "" {
		out = append(out, c.event(c.greeting)...)
		c.greeting = ""
	}
	for c.pos < len(o.events) {
		if end = s.dropped(c); end != goOn {
			break
		}
		if s.silenced(c) {
			c.pos = len(o.events)
			break
		}
		e := o.events[c.pos]
		c.pos++
		var b []byte
		if b, end = s.composeEvent(c, e); end != goOn {
			out = append(out, b...)
			break
		}
		out = append(out, b...)
	}
	if end == goOn {
		s.silenced(c)
		end = s.dropped(c)
	}
	if len(out) > 0 {
		s.note(Entry{
			Kind: KindSent, Terminal: o.terminal.id, Order: o.create.OrderID,
			Text: "sent on the stream, " + strconv.Itoa(len(out)) + " bytes", Raw: clip(c.redact(out), maxRaw),
		})
	}
	return out, end, o.over()
}

// event frames data as one whole order event.
func (c *streamConn) event(data string) []byte {
	c.sent++
	return append(c.framing.lines(orderEvent, data, c.sent), c.framing.eol()...)
}

// composeEvent writes down one status change. The caller holds mu.
func (s *Simulator) composeEvent(c *streamConn, e Event) (out []byte, end ending) {
	o, at, eol := c.order, c.occasion(), c.framing.eol()
	if _, ok := s.takeFault(FaultLoseEvents, at); ok {
		return nil, goOn
	}
	if _, ok := s.takeFault(FaultOtherEventType, at); ok {
		out = append(out, c.framing.lines(qrEvent, `{"order_id":"`+o.create.OrderID+`","qr_url":"https://qr.invalid/`+randomID(8)+`"}`, c.sent)...)
		out = append(out, eol...)
	}
	if _, ok := s.takeFault(FaultOtherOrderEvent, at); ok {
		other := o.eventData(statusCompleted, statusCompleted)
		other.OrderID, other.SessionID = "other-"+randomID(12), randomID(39)
		out = append(out, c.framing.lines(orderEvent, other.String(), c.sent)...)
		out = append(out, eol...)
	}
	if f, ok := s.takeFault(FaultGarbageEvent, at); ok {
		out = append(out, c.framing.lines(orderEvent, f.garbage(c), c.sent)...)
		out = append(out, eol...)
	}
	data := o.eventData(e.Status, e.FinancialStatus)
	if f, ok := s.takeFault(FaultHugeEvent, at); ok {
		size := f.Size
		fill(&size, DefaultEventSize)
		data.Padding = strings.Repeat("x", size)
	}
	c.sent++
	lines := c.framing.lines(orderEvent, data.String(), c.sent)
	final := isFinal(e.Status)
	if final {
		if _, ok := s.takeFault(FaultUnterminatedEvent, at); ok {
			return append(append(out, c.release(nil, eol)...), lines...), endCleanly
		}
	}
	if c.held == nil && !final {
		_, late := s.takeFault(FaultOutOfOrderEvents, at)
		_, joined := s.takeFaultIf(!late, FaultJoinedEvents, at)
		if late || joined {
			c.held, c.joined = lines, joined
			return out, goOn
		}
	}
	out = append(out, c.release(lines, eol)...)
	if _, ok := s.takeFault(FaultDuplicateEvents, at); ok {
		out = append(append(out, lines...), eol...)
	}
	return out, goOn
}

// takeFaultIf is takeFault, or nothing.
func (s *Simulator) takeFaultIf(wanted bool, name FaultName, at occasion) (Fault, bool) {
	if !wanted {
		return Fault{}, false
	}
	return s.takeFault(name, at)
}

// release writes lines as an event, with the one that was held for it: before
// it and without a blank line between, or after it. nil lines release what is
// held alone.
func (c *streamConn) release(lines []byte, eol string) (out []byte) {
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
func (f Fault) garbage(c *streamConn) string {
	if f.Data != "" {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(f.Data)
	}
	return `{"order_id":"` + c.order.create.OrderID + `","status":completed,"card":"` + CardPAN + `","token":"` + c.token + `"`
}
