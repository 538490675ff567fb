package simulator

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ending says how a stream connection goes on after what was just composed.
type ending int

const (
	goOn ending = iota
	endCleanly
	cutOff
)

// streamConn is one open event stream. Its goroutine is the HTTP handler's;
// the fields behind wake are guarded by the simulator's lock.
type streamConn struct {
	wake chan struct{} // holds one token: there may be news

	order   *order
	framing framing
	pos     int    // the next of the order's events
	sent    int    // events that went out on this connection
	cut     bool   // to be cut by DropStreams
	silent  bool   // open, but nothing goes out any more
	held    []byte // an event that waits for the next one, without its blank line
	joined  bool   // held goes out before the next one, with no blank line between
	greet   bool   // the present state is to be sent first
	token   string // removed from what the journal shows
}

func (c *streamConn) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *streamConn) occasion() occasion {
	return occasion{OpStream, c.order.create.OrderID, c.order.terminal.id}
}

// serveStream answers GET events/stream/.
func (s *Simulator) serveStream(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	token := bearer(r.Header.Get("Authorization"))
	session, err := s.verify(token)
	if err != nil {
		s.refuseStream(w, http.StatusUnauthorized, err)
		return
	}
	c, instead, hang, err := s.connect(session, token, r)
	switch {
	case err != nil:
		s.refuseStream(w, http.StatusUnauthorized, err)
		return
	case instead != nil:
		instead.send(w)
		return
	case hang:
		s.hang(r)
		return
	}
	defer s.disconnect(c)
	s.follow(w, r, c)
}

// refuseStream says no. What it says is the simulator's own: the provider's
// words are not documented.
func (s *Simulator) refuseStream(w http.ResponseWriter, status int, why error) {
	answer{status: status, body: map[string]any{"message": "Unauthorized: " + why.Error()}}.send(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(Entry{Kind: KindStream, HTTPStatus: status, Text: "stream refused: " + why.Error()})
}

// connect finds the order of a session and the fault that keeps its stream from
// opening. Without either it returns a connection that must be disconnected.
func (s *Simulator) connect(session, token string, r *http.Request) (c *streamConn, instead *answer, hang bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.sessions[session]
	if o == nil {
		return nil, nil, false, errToken
	}
	id, terminal := o.create.OrderID, o.terminal.id
	s.calls.count(OpStream, id)
	c = &streamConn{order: o, wake: make(chan struct{}, 1), token: token, pos: len(o.events), greet: s.opts.SendPresentState}
	at := c.occasion()
	refuse := func(a answer) (*streamConn, *answer, bool, error) {
		s.note(Entry{Kind: KindStream, Terminal: terminal, Order: id, HTTPStatus: a.status, Text: "stream refused with " + strconv.Itoa(a.status)})
		return nil, &a, false, nil
	}
	if f, ok := s.takeFault(FaultRefuseStream, at); ok {
		return refuse(f.refusal())
	}
	if f, ok := s.takeFault(FaultRedirect, at); ok {
		return refuse(f.redirection(r))
	}
	if len(o.streams) >= maxStreamsPerOrder {
		return refuse(answer{status: http.StatusTooManyRequests, body: map[string]any{"message": "Too many streams"}})
	}
	if _, ok := s.takeFault(FaultHangStream, at); ok {
		s.note(Entry{Kind: KindStream, Terminal: terminal, Order: id, Text: "stream asked for, never answered"})
		return nil, nil, true, nil
	}
	if f, ok := s.takeFault(FaultOddFraming, at); ok {
		c.framing = framing(f.Mode)
		if f.Mode == "" {
			c.framing = FramingMixed
		}
	}
	o.streams[c] = struct{}{}
	s.conns[c] = struct{}{}
	s.note(Entry{Kind: KindStream, Terminal: terminal, Order: id, HTTPStatus: http.StatusOK, Text: "stream opened"})
	return c, nil, false, nil
}

func (s *Simulator) disconnect(c *streamConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(c.order.streams, c)
	delete(s.conns, c)
	s.note(Entry{Kind: KindStream, Terminal: c.order.terminal.id, Order: s.knownOrder(c.order.create.OrderID), Text: "stream ended after " + strconv.Itoa(c.sent) + " events"})
}

// follow writes the order's events until somebody ends the stream.
func (s *Simulator) follow(w http.ResponseWriter, r *http.Request, c *streamConn) {
	control := http.NewResponseController(w)
	send := func(b []byte) bool {
		// Not every ResponseWriter knows deadlines; a recorder's never blocks.
		if err := control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := w.Write(b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if !send(c.framing.preamble()) {
		return
	}
	s.listenerCame(c.order)

	var heartbeat <-chan time.Time
	if s.opts.Heartbeat > 0 {
		ticker := time.NewTicker(s.opts.Heartbeat)
		defer ticker.Stop()
		heartbeat = ticker.C
	}
	var over <-chan time.Time
	for {
		out, end, final := s.compose(c)
		if len(out) > 0 && !c.write(send, out) {
			return
		}
		switch end {
		case endCleanly:
			return
		case cutOff:
			panic(http.ErrAbortHandler) // net/http's way to cut a connection
		}
		if final && (over == nil || len(out) > 0) {
			timer := time.NewTimer(s.opts.Linger)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-c.wake:
		case <-heartbeat:
			if s.speaks(c) && !send(c.framing.heartbeat()) {
				return
			}
		case <-over:
			return
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// write sends what was composed, one byte at a time if the framing says so.
func (c *streamConn) write(send func([]byte) bool, out []byte) bool {
	const dribbled = 64 << 10 // bytes; what is longer goes out as it is
	if !c.framing.is(FramingDribble) || len(out) > dribbled {
		return send(out)
	}
	for i := range out {
		if !send(out[i : i+1]) {
			return false
		}
	}
	return true
}

// listenerCame lets a customer begin who was held back for the stream.
func (s *Simulator) listenerCame(o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.waiting && !s.closed {
		s.customerComes(o)
	}
}

// speaks tells whether anything may go out on c.
func (s *Simulator) speaks(c *streamConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.silenced(c)
}

// silenced takes the fault that silences c. The caller holds mu.
func (s *Simulator) silenced(c *streamConn) bool {
	if !c.silent {
		_, c.silent = s.takeFault(FaultSilentStream, c.occasion())
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
	if c.greet {
		c.greet = false
		out = append(out, c.event(o.eventData(o.status, o.financial).String())...)
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
		end = s.dropped(c)
	}
	if len(out) > 0 {
		raw := strings.ReplaceAll(string(out[:min(len(out), 8<<10)]), c.token, "[events token]")
		s.note(Entry{Kind: KindSent, Terminal: o.terminal.id, Order: o.create.OrderID,
			Text: "sent on the stream, " + strconv.Itoa(len(out)) + " bytes", Raw: clip(raw, 2<<10)})
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

// hang keeps the client waiting until it leaves.
func (s *Simulator) hang(r *http.Request) {
	timer := time.NewTimer(maxDelay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-s.ctx.Done():
	case <-timer.C:
	}
	panic(http.ErrAbortHandler)
}

// loseAnswer makes sure that the client does not learn what became of its call.
func (s *Simulator) loseAnswer(w http.ResponseWriter, r *http.Request, f *Fault, a answer) {
	mode := f.Mode
	if mode == "" {
		mode = LoseByCut
		if f.Status != 0 {
			mode = LoseByStatus
		}
	}
	if a.body == nil { // it was not even done
		a = success(map[string]any{"order_id": "", "session_id": "", "events_token": "", "events_stream_url": ""})
	}
	switch mode {
	case LoseByStatus:
		lost := *f
		lost.refusal().send(w)
	case LoseByBroken:
		body := a.marshal()
		answer{status: http.StatusOK, body: body[:len(body)/2]}.send(w)
	case LoseByEmpty:
		answer{status: http.StatusOK, body: []byte{}}.send(w)
	case LoseByHTML:
		answer{
			status: http.StatusOK, header: http.Header{"Content-Type": {"text/html"}},
			body: []byte("<!doctype html><title>Just a moment</title><p>Checking your browser.</p>"),
		}.send(w)
	case LoseByHuge:
		size := f.Size
		fill(&size, 16<<20)
		s.pour(w, r, `{"success":true,"data":{"padding":"`, size, `"}}`)
	case LoseByEndless:
		s.pour(w, r, `{"success":true,"data":{"padding":"`, maxBodySize, "")
		panic(http.ErrAbortHandler)
	case LoseByHang:
		s.hang(r)
	default:
		panic(http.ErrAbortHandler)
	}
}

// pour writes a body of size bytes between head and tail, as long as somebody
// takes it.
func (s *Simulator) pour(w http.ResponseWriter, r *http.Request, head string, size int, tail string) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := io.WriteString(w, head); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 32<<10))
	for left := size; left > 0; left -= len(chunk) {
		if r.Context().Err() != nil || s.ctx.Err() != nil {
			return
		}
		if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
	io.WriteString(w, tail) //nolint:errcheck // the client is gone: nobody is left to be told
}

// refusal is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func (f Fault) refusal() answer {
	status, code, info := f.Status, f.ErrorCode, f.ErrorInfo
	fill(&status, http.StatusInternalServerError)
	fill(&code, codeUnknown)
	fill(&info, "Simulated fault")
	a := refusal(status, code, info)
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// redirection is the answer of redirect.
func (f Fault) redirection(r *http.Request) answer {
	status, to := f.Status, f.URL
	fill(&status, http.StatusTemporaryRedirect)
	fill(&to, otherOrigin(r)+trapPath)
	return answer{
		status: status, header: http.Header{"Location": {to}},
		body: map[string]any{"message": "Moved"},
	}
}
