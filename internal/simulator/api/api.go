// Package api is the provider's order API: what is asked for, what befalls the call, and
// the answer.
package api

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// Serve answers one call. path is escaped and relative to APIPath.
func (a API) Serve(w http.ResponseWriter, r *http.Request, path string) {
	c, bad := parseCall(r.Method, path)
	if bad != nil {
		bad.Send(w)
		return
	}
	if bad := a.admit(&c, w, r); bad != nil {
		bad.Send(w)
		a.note(c, bad.Status, "refused")
		return
	}
	m, bad := a.prepare(&c, r)
	if bad != nil {
		bad.Send(w)
		a.note(c, bad.Status, "refused")
		return
	}
	a.pause(m.before)
	if m.instead != nil {
		m.instead.Send(w)
		a.note(c, m.instead.Status, "fault "+string(m.name))
		return
	}
	done := a.execute(&c, r, m)
	a.pause(m.after)
	if m.lose != nil {
		a.note(c, done.Status, "fault "+string(m.lose.Name)+": the answer is lost")
		wire.Lose(*m.lose, w, r, done, a.s.Done())
		return
	}
	a.note(c, done.Status, "answered")
	done.Send(w)
}

// admit reads the call's body and checks its key and its order; bad is the answer
// when something is wrong with them.
func (a API) admit(c *call, w http.ResponseWriter, r *http.Request) (bad *wire.Answer) {
	body, err := wire.ReadBody(w, r)
	if err != nil {
		no := wire.Refusal(http.StatusBadRequest, wire.CodeIncorrectFormat, "Incorrect format: the body cannot be read or is too large")
		return &no
	}
	if !a.authorize(c, r) {
		no := wire.Refusal(http.StatusUnauthorized, wire.CodeInvalidAPIKey, "Invalid API key")
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
func (a API) authorize(c *call, r *http.Request) bool {
	key := r.URL.Query().Get("api_key")
	key = cmp.Or(key, r.Header.Get("api_key"))
	a.s.Lock()
	defer a.s.Unlock()
	c.group = a.s.Terminals.ByKey[key]
	if o := a.s.Orders.ByID[c.order]; o != nil {
		c.terminal = o.Terminal.ID
	}
	return c.group != nil
}

// prepare counts the call, sets the faults that a new order asks for, and takes
// those that befall the call.
func (a API) prepare(c *call, r *http.Request) (m mishaps, bad *wire.Answer) {
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
func (a API) askedFaults(req orders.Request) *wire.Answer {
	asked, err := fault.Parse(req.CustomInfo.Custom2)
	if err != nil {
		no := wire.ValidationFailure(wire.NewViolation("custom_info.custom_2", req.CustomInfo.Custom2, "Simulator: "+err.Error()))
		return &no
	}
	a.s.Faults.Ask(req.OrderID, asked)
	return nil
}

// pause waits, but not longer than the simulator lives. The client may leave
// meanwhile: the provider would not notice either.
func (a API) pause(d time.Duration) {
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
func (a API) execute(c *call, r *http.Request, m mishaps) (done wire.Answer) {
	a.s.Lock()
	defer a.s.Unlock()
	switch {
	case a.s.Closed():
		return wire.Refusal(http.StatusServiceUnavailable, wire.CodeUnknown, orders.ErrClosed.Error())
	case m.lose != nil && m.lose.NotMade:
		return wire.Answer{}
	case m.lose != nil && m.lose.Delay > 0:
		a.s.Alarms.After(m.lose.Delay, func() { a.carryOut(c, r) })
		return wire.Answer{}
	}
	done = a.carryOut(c, r)
	if m.twice {
		done = a.carryOut(c, r)
	}
	for _, f := range m.odd {
		done = odd(done, f)
	}
	if m.flatten && done.Status >= http.StatusBadRequest {
		done.Status = http.StatusOK
	}
	return done
}

// carryOut does what is asked for once. The caller holds the lock.
func (a API) carryOut(c *call, r *http.Request) wire.Answer {
	switch c.op {
	case calls.OpCreate:
		return a.create(c, r)
	case calls.OpTerminals:
		return a.terminals(c, r.URL.Query())
	}
	o := a.s.Orders.ByID[c.order]
	if o == nil {
		return wire.NotFound()
	}
	if o.Terminal.Group != c.group {
		return wire.Forbidden()
	}
	if a.s.Now().Before(o.Hidden.Until) {
		return wire.FaultRefusal(o.Hidden.Fault)
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

func (a API) note(c call, status int, what string) {
	a.s.Lock()
	defer a.s.Unlock()
	e := journal.Entry{Kind: journal.KindCall, Operation: c.op, HTTPStatus: status}
	if a.s.Orders.ByID[c.order] != nil { // an id that was refused may be anything
		e.Order, e.Terminal = c.order, c.terminal
	}
	e.Text = fmt.Sprintf("%s: %s", c.op, what)
	if status != 0 {
		e.Text += fmt.Sprintf(", %d", status)
	}
	a.s.Journal.Note(e)
}
