// Package control is the control API: everything that an operator sees and does, over
// HTTP, for programs and for the page of the virtual terminals.
package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/operator"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/page"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/stream"
	"github.com/posbridge/bridge/internal/simulator/view"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// Bounds of the control API.
const (
	defaultWait = 10 * time.Second
	maxWait     = 5 * time.Minute
)

// control serves everything besides the provider's own paths.
type control struct {
	s      *orders.State
	op     *operator.Operator
	loader *stream.Loader
	till   Till // nil when the page cannot start payments
}

// New returns the control API and the page. till starts the payments that are
// asked for on the page; nil: none can be.
func New(s *orders.State, op *operator.Operator, loader *stream.Loader, till Till) http.Handler {
	return control{s: s, op: op, loader: loader, till: till}.routes()
}

func (c control) routes() http.Handler {
	op, mux := c.op, http.NewServeMux()
	page.Register(mux, c.index)
	do := func(pattern string, f func(*http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+wire.ControlPath+path, answered(f))
	}
	show := func(path string, f func() any) {
		do("GET "+path, func(*http.Request) (any, error) { return f(), nil })
	}
	show("state", func() any { return op.State() })
	show("scenarios", func() any { return scenario.All() })
	show("fault-kinds", func() any { return fault.Kinds() })
	show("terminals", func() any { return op.Terminals() })
	show("orders", func() any { return op.OpenOrders() })
	show("faults", func() any { return op.Faults() })
	do("GET terminals/{id}", func(r *http.Request) (any, error) { return op.Terminal(r.PathValue("id")) })
	do("PUT terminals", c.configureAll)
	do("PUT terminals/{id}", c.configure)
	do("POST terminals/{id}/{action}", func(r *http.Request) (any, error) {
		return op.Act(r.PathValue("id"), scenario.Action(r.PathValue("action")))
	})
	do("GET orders/{id}", c.order)
	do("GET calls/{id}", func(r *http.Request) (any, error) { return op.Calls(r.PathValue("id")), nil })
	do("POST orders/{id}/status", c.setStatus)
	do("POST orders/{id}/drop", func(r *http.Request) (any, error) { return c.drop(r.PathValue("id")), nil })
	do("POST streams/drop", func(*http.Request) (any, error) { return c.drop(""), nil })
	do("POST outage", c.outage)
	do("GET load", func(*http.Request) (any, error) { return c.loader.Load(), nil })
	do("POST load", c.startLoad)
	do("DELETE load", func(*http.Request) (any, error) { return c.loader.StopLoad(), nil })
	do("POST faults", c.setFault)
	do("PUT faults/{id}", c.setFault)
	do("DELETE faults", func(*http.Request) (any, error) { op.ClearFaults(); return nil, nil })
	do("DELETE faults/{id}", c.clearFault)
	do("POST payments", func(r *http.Request) (any, error) { return ask(r, op, c.till) })
	do("GET wait", c.wait)
	do("GET log", c.log)
	do("POST reset", func(*http.Request) (any, error) { op.Reset(); return nil, nil })
	mux.HandleFunc("GET "+wire.ControlPath+"events", feed{c.s}.serve)
	mux.HandleFunc(wire.TrapPath, c.trap)
	return sameOrigin(mux)
}

// index says where things are.
func (c control) index(w http.ResponseWriter, _ *http.Request) {
	var links []string
	for _, name := range []string{"state", "terminals", "orders", "faults", "scenarios", "fault-kinds", "log", "events"} {
		links = append(links, wire.ControlPath+name)
	}
	reply(w, http.StatusOK, map[string]any{"api": strings.TrimSuffix(wire.APIPath, "/"), "events": wire.EventsPath, "links": links})
}

// settings is the body of PUT terminals and PUT terminals/{id}.
type settings struct {
	Mode     orders.Mode       `json:"mode"`
	Scenario scenario.Scenario `json:"scenario"`
}

func (c control) configure(r *http.Request) (any, error) {
	body, err := readJSON[settings](r)
	if err != nil {
		return nil, err
	}
	if err := c.op.Configure(r.PathValue("id"), body.Mode, body.Scenario); err != nil {
		return nil, err
	}
	return c.op.Terminal(r.PathValue("id"))
}

func (c control) configureAll(r *http.Request) (any, error) {
	body, err := readJSON[settings](r)
	if err != nil {
		return nil, err
	}
	return c.op.Terminals(), c.op.ConfigureAll(body.Mode, body.Scenario)
}

func (c control) order(r *http.Request) (any, error) {
	id := r.PathValue("id")
	o, ok := c.op.Order(id)
	if !ok {
		return nil, fmt.Errorf("%w %.64q", orders.ErrUnknownOrder, id)
	}
	return o, nil
}

func (c control) setStatus(r *http.Request) (any, error) {
	body, err := readJSON[struct {
		Status          string `json:"status"`
		FinancialStatus string `json:"financial_status"`
		Amount          int64  `json:"amount"`
	}](r)
	if err != nil {
		return nil, err
	}
	return c.op.SetStatusPaid(r.PathValue("id"), body.Status, body.FinancialStatus, body.Amount)
}

func (c control) drop(order string) map[string]int {
	return map[string]int{"dropped": c.op.DropStreams(order)}
}

func (c control) outage(r *http.Request) (any, error) {
	body, err := readJSON[struct {
		For    string `json:"for"`
		Status int    `json:"status"`
	}](r)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(body.For)
	if err != nil || d < 0 || d > fault.MaxDelay {
		return nil, fmt.Errorf(`for must be a duration like "5s", at most %s`, fault.MaxDelay)
	}
	if body.Status != 0 && (body.Status < 400 || body.Status > 599) {
		return nil, errors.New("status must be from 400 to 599")
	}
	return map[string]int{"dropped": c.op.Outage(d, body.Status)}, nil
}

func (c control) startLoad(r *http.Request) (any, error) {
	body, err := readJSON[struct {
		Rate   int      `json:"rate"`
		For    string   `json:"for"`
		Orders []string `json:"orders"`
	}](r)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(body.For)
	if err != nil {
		return nil, errors.New(`for must be a duration like "10s"`)
	}
	return c.loader.StartLoad(body.Rate, d, body.Orders...)
}

// setFault answers POST faults and PUT faults/{id}.
func (c control) setFault(r *http.Request) (any, error) {
	f, err := readJSON[fault.Fault](r)
	if err != nil {
		return nil, err
	}
	if id := r.PathValue("id"); id != "" {
		f.ID = id
	}
	f, err = c.op.SetFault(f)
	return created{f}, err
}

func (c control) clearFault(r *http.Request) (any, error) {
	if !c.op.ClearFault(r.PathValue("id")) {
		return nil, errNoFault
	}
	return nil, nil
}

func (c control) log(r *http.Request) (any, error) {
	since, err := parseSeq(r.URL.Query().Get("since"))
	if err != nil {
		return nil, err
	}
	entries, missed := c.op.Log(since, logPage)
	return map[string]any{"entries": append([]journal.Entry{}, entries...), "missed": missed}, nil
}

// wait answers when an order has had a status, so that a test in any language
// need not sleep.
func (c control) wait(r *http.Request) (any, error) {
	query := r.URL.Query()
	order, status := query.Get("order"), query.Get("status")
	if order == "" {
		return nil, errors.New("order is missing; it must be an order id")
	}
	timeout := defaultWait
	if text := query.Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > maxWait {
			return nil, fmt.Errorf("timeout must be a duration of at most %s", maxWait)
		}
		timeout = d
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, fmt.Errorf("%w %s", errNotWithin, timeout))
	defer cancel()
	switch status {
	case "":
		return c.op.WaitOrder(ctx, order, func(view.Order) bool { return true })
	case "stream":
		return c.op.WaitStream(ctx, order)
	default:
		return c.op.WaitStatus(ctx, order, status)
	}
}

// trap notices who follows redirects, and with what.
func (c control) trap(w http.ResponseWriter, r *http.Request) {
	text := "somebody followed a redirect"
	if r.Header.Get("Authorization") != "" {
		text += " with an Authorization header"
	}
	if r.URL.Query().Has("api_key") || r.Header.Get("api_key") != "" {
		text += " with an API key"
	}
	c.op.Trap(text)
	complain(w, http.StatusTeapot, errors.New("this is the trap of the redirect fault: no client should come here"))
}
