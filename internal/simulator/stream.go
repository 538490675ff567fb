package simulator

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/tokens"
)

// maxStreamsPerOrder are open at once; more are refused.
const maxStreamsPerOrder = 64

// streams serves the event stream of every order.
type streams struct {
	s      *State
	tokens *tokens.Signer
	streamOptions
}

// streamOptions say how streams behave.
type streamOptions struct {
	PresentState bool          // a new stream tells the order's present state first
	Heartbeat    time.Duration // between comments on a quiet stream; negative sends none
	Linger       time.Duration // how long a stream stays open after the end
}

// serve answers GET events/stream/.
func (st streams) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	token := bearer(r.Header.Get("Authorization"))
	session, err := st.tokens.Verify(token)
	if err != nil {
		st.refuse(w, err)
		return
	}
	c, err := st.find(session, token)
	if err != nil {
		st.refuse(w, err)
		return
	}
	if instead := st.connect(c, r); instead != nil {
		instead(w, r)
		return
	}
	defer st.disconnect(c)
	st.follow(w, r, c)
}

// refuse says no to a token. What it says is the simulator's own: the provider's
// words are not documented.
func (st streams) refuse(w http.ResponseWriter, why error) {
	answer{status: http.StatusUnauthorized, body: map[string]any{"message": "Unauthorized: " + why.Error()}}.send(w)
	st.s.Lock()
	defer st.s.Unlock()
	st.s.Journal.Note(journal.Entry{Kind: journal.KindStream, HTTPStatus: http.StatusUnauthorized, Text: "stream refused: " + why.Error()})
}

// find returns a connection to the order of a session.
func (st streams) find(session, token string) (*connection, error) {
	st.s.Lock()
	defer st.s.Unlock()
	o := st.s.Orders.bySession[session]
	if o == nil {
		return nil, tokens.ErrToken
	}
	st.s.Faults.Calls(o.id()).Add(calls.OpStream)
	c := &connection{s: st.s, order: o, wake: make(chan struct{}, 1), token: token, pos: len(o.Events)}
	if st.PresentState {
		c.greet()
	}
	return c, nil
}

// connect opens c, which must be disconnected then, or returns what happens
// instead.
func (st streams) connect(c *connection, r *http.Request) (instead http.HandlerFunc) {
	s, o := st.s, c.order
	s.Lock()
	defer s.Unlock()
	note := func(status int, text string) {
		e := o.entry(journal.KindStream, text)
		e.HTTPStatus = status
		s.Journal.Note(e)
	}
	refuse := func(a answer) http.HandlerFunc {
		note(a.status, "stream refused with "+strconv.Itoa(a.status))
		return func(w http.ResponseWriter, _ *http.Request) { a.send(w) }
	}
	if f, ok := c.take(fault.RefuseStream); ok {
		return refuse(refusalOf(f))
	}
	if f, ok := c.take(fault.Redirect); ok {
		return refuse(redirection(f, r))
	}
	if len(o.listeners) >= maxStreamsPerOrder {
		return refuse(answer{status: http.StatusTooManyRequests, body: map[string]any{"message": "Too many streams"}})
	}
	if _, ok := c.take(fault.HangStream); ok {
		note(0, "stream asked for, never answered")
		return func(_ http.ResponseWriter, r *http.Request) { hang(r, s.Done()) }
	}
	if f, ok := c.take(fault.OddFraming); ok {
		f.Mode = cmp.Or(f.Mode, fault.FramingMixed)
		c.framing = framing(f.Mode)
	}
	if f, ok := c.take(fault.History); ok {
		c.remember(f.Mode, r.Header.Get("Last-Event-ID"))
	}
	if _, ok := c.take(fault.PresentState); ok {
		c.greet()
	}
	_, c.gzip = c.take(fault.CompressedStream)
	if !o.TokenEnd.IsZero() {
		c.expiry = s.Alarms.After(o.TokenEnd.Sub(s.now()), c.CutOff)
	}
	o.listeners[c] = struct{}{}
	s.Listeners[c] = o
	note(http.StatusOK, "stream opened")
	return nil
}

func (st streams) disconnect(c *connection) {
	s := st.s
	s.Lock()
	defer s.Unlock()
	delete(c.order.listeners, c)
	delete(s.Listeners, c)
	s.Alarms.Stop(c.expiry)
	events := strconv.Itoa(c.sent) + " events"
	if c.sent == 1 {
		events = "1 event"
	}
	e := c.order.entry(journal.KindStream, "stream ended after "+events)
	if c.order.gone {
		e.Order = ""
	}
	s.Journal.Note(e)
}

// follow writes the order's events until somebody ends the stream.
func (st streams) follow(w http.ResponseWriter, r *http.Request, c *connection) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	send := sender(w)
	if c.gzip {
		w.Header().Set("Content-Encoding", "gzip")
		send = compressed(w)
	}
	w.WriteHeader(http.StatusOK)
	if !send(c.framing.preamble()) {
		return
	}
	st.listenerCame(c.order)

	var heartbeat <-chan time.Time
	if st.Heartbeat > 0 {
		ticker := time.NewTicker(st.Heartbeat)
		defer ticker.Stop()
		heartbeat = ticker.C
	}
	var lingered <-chan time.Time
	for {
		out, end, over := c.compose()
		if len(out) > 0 && !c.write(send, out) {
			return
		}
		switch end {
		case endCleanly:
			return
		case cutOff:
			panic(http.ErrAbortHandler) // net/http's way to cut a connection
		}
		if over && (lingered == nil || len(out) > 0) {
			timer := time.NewTimer(st.Linger)
			defer timer.Stop()
			lingered = timer.C
		}
		select {
		case <-c.wake:
		case <-heartbeat:
			if st.speaks(c) && !send(c.framing.heartbeat()) {
				return
			}
		case <-lingered:
			return
		case <-r.Context().Done():
			return
		case <-st.s.Done():
			return
		}
	}
}

// write sends what was composed, one byte at a time if the framing says so.
func (c *connection) write(send func([]byte) bool, out []byte) bool {
	const dribbled = 64 << 10 // bytes; what is longer goes out as it is
	if !c.framing.is(fault.FramingDribble) || len(out) > dribbled {
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
func (st streams) listenerCame(o *order) {
	st.s.Lock()
	defer st.s.Unlock()
	if o.visit.waiting && !st.s.Closed() {
		st.s.customerComes(o)
	}
}

// speaks tells whether anything may go out on c.
func (st streams) speaks(c *connection) bool {
	st.s.Lock()
	defer st.s.Unlock()
	return !c.silenced()
}
