package simulator

import (
	"errors"
	"net/http"
	"strconv"
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

	order    *order
	framing  framing
	pos      int    // the next of the order's events
	sent     int    // events that went out on this connection
	cut      bool   // to be cut by DropStreams
	silent   bool   // open, but nothing goes out any more
	held     []byte // an event that waits for the next one, without its blank line
	joined   bool   // held goes out before the next one, with no blank line between
	greeting string // data of an event that is to be sent first
	token    string // removed from what the journal shows
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
	c = &streamConn{order: o, wake: make(chan struct{}, 1), token: token, pos: len(o.events)}
	if s.opts.SendPresentState {
		c.greeting = o.eventData(o.status, o.financial).String()
	}
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
	events := strconv.Itoa(c.sent) + " events"
	if c.sent == 1 {
		events = "1 event"
	}
	s.note(Entry{Kind: KindStream, Terminal: c.order.terminal.id, Order: s.knownOrder(c.order.create.OrderID), Text: "stream ended after " + events})
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
