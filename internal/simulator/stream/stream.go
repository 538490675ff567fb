// Package stream is the event streams of orders: how they open, what goes out on them, and
// loads of many statuses.
package stream

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/tokens"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// maxStreamsPerOrder are open at once; more are refused.
const maxStreamsPerOrder = 64

// Streams serves the event stream of every order.
type Streams struct {
	s      *orders.State
	tokens *tokens.Signer
	opts   Options
}

// New returns the streams of the orders of s, opened with tokens of signer.
func New(s *orders.State, signer *tokens.Signer, opts Options) Streams {
	return Streams{s: s, tokens: signer, opts: opts}
}

// Options say how streams behave.
type Options struct {
	PresentState bool          // a new stream tells the order's present state first
	Heartbeat    time.Duration // between comments on a quiet stream; negative sends none
	Linger       time.Duration // how long a stream stays open after the end
}

// Serve answers GET events/stream/.
func (st Streams) Serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	token := wire.Bearer(r.Header.Get("Authorization"))
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
func (st Streams) refuse(w http.ResponseWriter, why error) {
	wire.Answer{Status: http.StatusUnauthorized, Body: map[string]any{"message": "Unauthorized: " + why.Error()}}.Send(w)
	st.s.Lock()
	defer st.s.Unlock()
	st.s.Journal.Note(journal.Entry{Kind: journal.KindStream, HTTPStatus: http.StatusUnauthorized, Text: "stream refused: " + why.Error()})
}

// find returns a connection to the order of a session.
func (st Streams) find(session, token string) (*connection, error) {
	st.s.Lock()
	defer st.s.Unlock()
	o := st.s.Orders.BySession[session]
	if o == nil {
		return nil, tokens.ErrToken
	}
	st.s.Faults.Calls(o.ID()).Add(calls.OpStream)
	c := &connection{s: st.s, order: o, wake: make(chan struct{}, 1), token: token, pos: len(o.Events)}
	if st.opts.PresentState {
		c.greet()
	}
	return c, nil
}

// connect opens c, which must be disconnected then, or returns what happens
// instead.
func (st Streams) connect(c *connection, r *http.Request) (instead http.HandlerFunc) {
	s, o := st.s, c.order
	s.Lock()
	defer s.Unlock()
	note := func(status int, text string) {
		e := o.Entry(journal.KindStream, text)
		e.HTTPStatus = status
		s.Journal.Note(e)
	}
	refuse := func(a wire.Answer) http.HandlerFunc {
		note(a.Status, "stream refused with "+strconv.Itoa(a.Status))
		return func(w http.ResponseWriter, _ *http.Request) { a.Send(w) }
	}
	if f, ok := c.take(fault.RefuseStream); ok {
		return refuse(wire.FaultRefusal(f))
	}
	if f, ok := c.take(fault.Redirect); ok {
		return refuse(wire.Redirection(f, r))
	}
	if len(o.Listeners) >= maxStreamsPerOrder {
		return refuse(wire.Answer{Status: http.StatusTooManyRequests, Body: map[string]any{"message": "Too many streams"}})
	}
	if _, ok := c.take(fault.HangStream); ok {
		note(0, "stream asked for, never answered")
		return func(_ http.ResponseWriter, r *http.Request) { wire.Hang(r, s.Done()) }
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
		c.expiry = s.Alarms.After(o.TokenEnd.Sub(s.Now()), c.CutOff)
	}
	o.Listeners[c] = struct{}{}
	s.Listeners[c] = o
	note(http.StatusOK, "stream opened")
	return nil
}

func (st Streams) disconnect(c *connection) {
	s := st.s
	s.Lock()
	defer s.Unlock()
	delete(c.order.Listeners, c)
	delete(s.Listeners, c)
	s.Alarms.Stop(c.expiry)
	events := strconv.Itoa(c.sent) + " events"
	if c.sent == 1 {
		events = "1 event"
	}
	e := c.order.Entry(journal.KindStream, "stream ended after "+events)
	if c.order.Gone {
		e.Order = ""
	}
	s.Journal.Note(e)
}

// follow writes the order's events until somebody ends the stream.
func (st Streams) follow(w http.ResponseWriter, r *http.Request, c *connection) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	send := wire.Sender(w)
	if c.gzip {
		w.Header().Set("Content-Encoding", "gzip")
		send = wire.Compressed(w)
	}
	w.WriteHeader(http.StatusOK)
	if !send(c.framing.preamble()) {
		return
	}
	st.listenerCame(c.order)

	var heartbeat <-chan time.Time
	if st.opts.Heartbeat > 0 {
		ticker := time.NewTicker(st.opts.Heartbeat)
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
			timer := time.NewTimer(st.opts.Linger)
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
func (st Streams) listenerCame(o *orders.Order) {
	st.s.Lock()
	defer st.s.Unlock()
	if o.Visit.Waiting && !st.s.Closed() {
		st.s.CustomerComes(o)
	}
}

// speaks tells whether anything may go out on c.
func (st Streams) speaks(c *connection) bool {
	st.s.Lock()
	defer st.s.Unlock()
	return !c.silenced()
}
