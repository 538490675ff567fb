package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// serve answers one call. path is escaped and relative to apiPath.
func (a api) serve(w http.ResponseWriter, r *http.Request, path string) {
	c, bad := parseCall(r.Method, path)
	if bad != nil {
		bad.send(w)
		return
	}
	if bad := a.admit(&c, w, r); bad != nil {
		bad.send(w)
		a.note(c, bad.status, "refused")
		return
	}
	m, bad := a.prepare(&c, r)
	if bad != nil {
		bad.send(w)
		a.note(c, bad.status, "refused")
		return
	}
	a.pause(m.before)
	if m.instead != nil {
		m.instead.send(w)
		a.note(c, m.instead.status, "fault "+string(m.name))
		return
	}
	done := a.execute(&c, r, m)
	a.pause(m.after)
	if m.lose != nil {
		a.note(c, done.status, "fault "+string(m.lose.Name)+": the answer is lost")
		lose(*m.lose, w, r, done, a.s.Done())
		return
	}
	a.note(c, done.status, "answered")
	done.send(w)
}

// admit reads the call's body and checks its key and its order; bad is the answer
// when something is wrong with them.
func (a api) admit(c *call, w http.ResponseWriter, r *http.Request) (bad *answer) {
	body, err := readBody(w, r)
	if err != nil {
		no := refusal(http.StatusBadRequest, codeIncorrectFormat, "Incorrect format: the body cannot be read or is too large")
		return &no
	}
	if !a.authorize(c, r) {
		no := refusal(http.StatusUnauthorized, codeInvalidAPIKey, "Invalid API key")
		return &no
	}
	if c.op == calls.OpCreate {
		if c.request, bad = parseCreate(body); bad != nil {
			return bad
		}
		c.order, c.terminal = c.request.OrderID, c.request.GatewayInfo.TerminalID
	}
	return nil
}

// authorize finds the terminal group of the key that came as query parameter
// or as header.
func (a api) authorize(c *call, r *http.Request) bool {
	key := r.URL.Query().Get("api_key")
	key = cmp.Or(key, r.Header.Get("api_key"))
	a.s.Lock()
	defer a.s.Unlock()
	c.group = a.s.Terminals.byKey[key]
	if o := a.s.Orders.byID[c.order]; o != nil {
		c.terminal = o.terminal.id
	}
	return c.group != nil
}

// prepare counts the call, sets the faults that a new order asks for, and takes
// those that befall the call.
func (a api) prepare(c *call, r *http.Request) (m mishaps, bad *answer) {
	a.s.Lock()
	defer a.s.Unlock()
	if c.op != calls.OpTerminals {
		a.s.Faults.Calls(c.order).Add(c.op)
	}
	if c.op == calls.OpCreate {
		if bad := a.askedFaults(c.request); bad != nil {
			return mishaps{}, bad
		}
	}
	return a.takeMishaps(c, r), nil
}

// askedFaults sets the faults that a create asks for in custom_2. The caller holds
// the lock.
func (a api) askedFaults(req createRequest) *answer {
	asked, err := fault.Parse(req.CustomInfo.Custom2)
	if err != nil {
		no := validationFailure(violation{"custom_info.custom_2", []string{journal.Clip(req.CustomInfo.Custom2, 64)}, "Simulator: " + err.Error()})
		return &no
	}
	a.s.Faults.Ask(req.OrderID, asked)
	return nil
}

// pause waits, but not longer than the simulator lives. The client may leave
// meanwhile: the provider would not notice either.
func (a api) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.s.Done():
	}
}

// execute does what is asked for, as often and when m says. An answer without a
// body says that nothing was done yet.
func (a api) execute(c *call, r *http.Request, m mishaps) (done answer) {
	a.s.Lock()
	defer a.s.Unlock()
	switch {
	case a.s.Closed():
		return refusal(http.StatusServiceUnavailable, codeUnknown, ErrClosed.Error())
	case m.lose != nil && m.lose.NotMade:
		return answer{}
	case m.lose != nil && m.lose.Delay > 0:
		a.s.Alarms.After(m.lose.Delay, func() { a.carryOut(c, r) })
		return answer{}
	}
	done = a.carryOut(c, r)
	if m.twice {
		done = a.carryOut(c, r)
	}
	for _, f := range m.odd {
		done = done.odd(f)
	}
	if m.flatten && done.status >= http.StatusBadRequest {
		done.status = http.StatusOK
	}
	return done
}

// carryOut does what is asked for once. The caller holds the lock.
func (a api) carryOut(c *call, r *http.Request) answer {
	switch c.op {
	case calls.OpCreate:
		return a.create(c, r)
	case calls.OpTerminals:
		return a.terminals(c, r.URL.Query())
	}
	o := a.s.Orders.byID[c.order]
	if o == nil {
		return notFound()
	}
	if o.terminal.group != c.group {
		return forbidden()
	}
	if a.s.now().Before(o.hidden.until) {
		return refusalOf(o.hidden.fault)
	}
	switch c.op {
	case calls.OpCancel:
		return a.cancel(o, c.occasion())
	case calls.OpPatch:
		return a.patch(o)
	case calls.OpReceipt:
		return a.receipt(o)
	default:
		return a.get(o, c.occasion())
	}
}

func (a api) note(c call, status int, what string) {
	a.s.Lock()
	defer a.s.Unlock()
	e := journal.Entry{Kind: journal.KindCall, Operation: c.op, HTTPStatus: status}
	if a.s.Orders.byID[c.order] != nil { // an id that was refused may be anything
		e.Order, e.Terminal = c.order, c.terminal
	}
	e.Text = fmt.Sprintf("%s: %s", c.op, what)
	if status != 0 {
		e.Text += fmt.Sprintf(", %d", status)
	}
	a.s.Journal.Note(e)
}
