package simulator

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Paths that the simulator answers.
const (
	apiPath     = "/v1/json/"
	eventsPath  = "/events/stream/"
	controlPath = "/simulator/"
)

// routes returns the whole simulator as one function. The order API is routed
// by the path as it was sent, for an order id may hold an escaped slash or a dot.
func (s *Simulator) routes() http.HandlerFunc {
	control := s.controlRoutes()
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		switch {
		case strings.HasPrefix(path, apiPath):
			s.serveAPI(w, r, strings.TrimPrefix(path, apiPath))
		case path == eventsPath || path+"/" == eventsPath:
			s.serveStream(w, r)
		default:
			control.ServeHTTP(w, r)
		}
	}
}

// origin is the simulator's address as the client wrote it.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// otherOrigin is the same server under another host name where there is one.
func otherOrigin(r *http.Request) string {
	u, err := url.Parse(origin(r))
	if err != nil {
		return "http://other-host.invalid"
	}
	other := "other-host.invalid"
	switch u.Hostname() {
	case "127.0.0.1", "::1":
		other = "localhost"
	case "localhost":
		other = "127.0.0.1"
	}
	if port := u.Port(); port != "" {
		other += ":" + port
	}
	return u.Scheme + "://" + other
}

// call is one request of the order API.
type call struct {
	op       Operation
	order    string // as asked for, may be unknown
	terminal string // of the order
	group    *group
	body     []byte
	request  createRequest // of OpCreate
}

func (c *call) occasion() occasion { return occasion{c.op, c.order, c.terminal} }

// parseCall tells what is asked for. bad is the answer when it is nothing known.
func parseCall(method, path string) (c call, bad *answer) {
	unknown := refusal(http.StatusNotFound, codeUnknown, "Not found")
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	var methods map[string]Operation
	var id string
	switch {
	case len(segments) == 1 && segments[0] == "orders":
		methods = map[string]Operation{http.MethodPost: OpCreate}
	case len(segments) == 2 && segments[0] == "orders":
		methods = map[string]Operation{http.MethodGet: OpGet, http.MethodPatch: OpPatch}
		id = segments[1]
	case len(segments) == 3 && segments[0] == "orders" && segments[2] == "cancel":
		methods = map[string]Operation{http.MethodPost: OpCancel}
		id = segments[1]
	case len(segments) == 1 && segments[0] == "terminals":
		methods = map[string]Operation{http.MethodGet: OpTerminals}
	case len(segments) == 3 && segments[0] == "pos" && segments[1] == "receipt":
		methods = map[string]Operation{http.MethodGet: OpReceipt}
		id = segments[2]
	default:
		return call{}, &unknown
	}
	op, ok := methods[method]
	if !ok {
		a := refusal(http.StatusMethodNotAllowed, codeUnknown, "Method not allowed")
		return call{}, &a
	}
	order, err := url.PathUnescape(id)
	if err != nil {
		return call{}, &unknown
	}
	return call{op: op, order: order}, nil
}

// serveAPI answers the order API. path is escaped and relative to apiPath.
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	c, bad := parseCall(r.Method, path)
	if bad != nil {
		bad.send(w)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		refusal(http.StatusBadRequest, codeIncorrectFormat, "Incorrect format: the body cannot be read or is too large").send(w)
		return
	}
	c.body = body
	if !s.authorize(&c, r) {
		refusal(http.StatusUnauthorized, codeInvalidAPIKey, "Invalid API key").send(w)
		s.noteCall(c, http.StatusUnauthorized, "invalid API key")
		return
	}
	if c.op == OpCreate {
		if c.request, bad = parseCreate(body); bad != nil {
			bad.send(w)
			s.noteCall(c, bad.status, "refused")
			return
		}
		c.order, c.terminal = c.request.OrderID, c.request.TerminalID
	}

	m, bad := s.prepare(&c, r)
	if bad != nil {
		bad.send(w)
		s.noteCall(c, bad.status, "refused")
		return
	}
	s.pause(m.before)
	if m.instead != nil {
		m.instead.send(w)
		s.noteCall(c, m.instead.status, "fault "+string(m.name))
		return
	}
	var a answer
	if m.lose == nil || !m.lose.NotMade {
		a = s.execute(&c, r)
	}
	if m.flatten && a.status >= http.StatusBadRequest {
		a.status = http.StatusOK
	}
	s.pause(m.after)
	if m.lose != nil {
		s.noteCall(c, a.status, "fault "+string(m.lose.Name)+": the answer is lost")
		s.loseAnswer(w, r, m.lose, a)
		return
	}
	s.noteCall(c, a.status, "answered")
	a.send(w)
}

// readBody reads a request's body, within limits of size and time. The time
// limit is lifted again: it would end a long answer as well.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	setLimit := func(t time.Time) error {
		if err := control.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("limit reading of the body: %w", err)
		}
		return nil
	}
	if err := setLimit(time.Now().Add(bodyTimeout)); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, setLimit(time.Time{})
}

// authorize finds the terminal group of the key that came as query parameter
// or as header.
func (s *Simulator) authorize(c *call, r *http.Request) bool {
	key := r.URL.Query().Get("api_key")
	if key == "" {
		key = r.Header.Get("api_key")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.group = s.keys[key]
	if o := s.orders[c.order]; o != nil {
		c.terminal = o.terminal.id
	}
	return c.group != nil
}

// mishaps are the faults that befall one API call.
type mishaps struct {
	before, after time.Duration
	instead       *answer // sent and nothing done
	name          FaultName
	lose          *Fault
	flatten       bool // errors go out with 200
}

// prepare counts the call, sets the faults that a new order asks for, and takes
// those that befall the call.
func (s *Simulator) prepare(c *call, r *http.Request) (m mishaps, bad *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.op != OpTerminals {
		s.calls.count(c.op, c.order)
	}
	if c.op == OpCreate {
		if bad := s.askedFaults(c.request); bad != nil {
			return mishaps{}, bad
		}
	}
	at := c.occasion()
	if f, ok := s.takeFault(FaultSlowAPI, at); ok {
		delay := f.Delay
		fill(&delay, DefaultDelay)
		if f.Late {
			m.after = delay
		} else {
			m.before = delay
		}
	}
	if f, ok := s.takeFault(FaultFailAPI, at); ok {
		a := f.refusal()
		m.instead, m.name = &a, f.Name
		return m, nil
	}
	if f, ok := s.takeFault(FaultRedirect, at); ok {
		a := f.redirection(r)
		m.instead, m.name = &a, f.Name
		return m, nil
	}
	_, m.flatten = s.takeFault(FaultErrorsWith200, at)
	if f, ok := s.takeFault(FaultLoseAnswer, at); ok {
		m.lose = &f
	}
	if c.op == OpCreate {
		if f, ok := s.takeFault(FaultLoseCreateAnswer, at); ok {
			m.lose = &f
		}
	}
	return m, nil
}

// pause waits, but not longer than the simulator lives. The client may leave
// meanwhile: the provider would not notice either.
func (s *Simulator) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// execute does what is asked for.
func (s *Simulator) execute(c *call, r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return refusal(http.StatusServiceUnavailable, codeUnknown, ErrClosed.Error())
	}
	switch c.op {
	case OpCreate:
		return s.create(c.group, r, c.request)
	case OpTerminals:
		return s.listTerminals(c.group, r.URL.Query())
	}
	o := s.orders[c.order]
	if o == nil {
		return notFound()
	}
	if o.group != c.group {
		return forbidden()
	}
	switch c.op {
	case OpGet:
		return s.getOrder(o, c.occasion())
	case OpCancel:
		return s.cancelOrder(o)
	case OpPatch:
		return s.patchOrder(o)
	case OpReceipt:
		return s.receipt(o)
	}
	return refusal(http.StatusNotFound, codeUnknown, "Not found")
}

func (s *Simulator) noteCall(c call, status int, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := Entry{Kind: KindCall, Operation: c.op, HTTPStatus: status}
	if s.orders[c.order] != nil { // an id that was refused may be anything
		e.Order, e.Terminal = c.order, c.terminal
	}
	e.Text = fmt.Sprintf("%s: %s", c.op, what)
	if status != 0 {
		e.Text += fmt.Sprintf(", %d", status)
	}
	s.note(e)
}
