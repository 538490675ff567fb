package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// trapPath is where the redirect fault sends clients.
const trapPath = controlPath + "trap"

// Bounds of the control API.
const (
	stateLogEntries  = 100
	logPage          = 500
	defaultWait      = 10 * time.Second
	maxWait          = 5 * time.Minute
	feedWriteTimeout = 10 * time.Second
)

// State is everything that can be seen of a simulator at one moment.
type State struct {
	// Run tells this simulator from one that was there before at the same address.
	Run string `json:"run"`
	// Seq of the latest journal entry that this state contains.
	Seq       uint64     `json:"seq"`
	Now       time.Time  `json:"now"`
	Pace      float64    `json:"pace"`
	Terminals []Terminal `json:"terminals"`
	// Orders that are open.
	Orders []Order `json:"orders"`
	Faults []Fault `json:"faults"`
	// Log holds the latest entries, the oldest first.
	Log []Entry `json:"log"`
	// Streams that are open.
	Streams int `json:"streams"`
	// Finished orders that are remembered.
	Finished int `json:"finished"`
	Trapped  int `json:"trapped"`
	// Guide as the options gave it.
	Guide Guide `json:"guide,omitzero"`
}

// State returns everything that can be seen now.
func (s *Simulator) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{
		Run: s.run, Seq: s.journal.last, Now: s.now(), Pace: s.opts.Pace,
		Terminals: make([]Terminal, len(s.listed)), Orders: []Order{}, Faults: make([]Fault, len(s.faults)),
		Log: []Entry{}, Streams: len(s.conns), Finished: len(s.finished), Trapped: s.trapped,
		Guide: s.opts.Guide,
	}
	for i, t := range s.listed {
		st.Terminals[i] = s.terminalSnapshot(t)
		if t.order != nil {
			st.Orders = append(st.Orders, s.snapshot(t.order))
		}
	}
	for i, f := range s.faults {
		st.Faults[i] = f.Fault
	}
	entries, _ := s.journal.since(s.journal.last-min(s.journal.last, stateLogEntries), stateLogEntries)
	st.Log = append(st.Log, entries...)
	return st
}

// controlRoutes serves everything besides the provider's own paths.
func (s *Simulator) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	servePage(mux)
	mux.HandleFunc("GET /simulator/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.State()) })
	mux.HandleFunc("GET /simulator/scenarios", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, Scenarios()) })
	mux.HandleFunc("GET /simulator/fault-kinds", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, FaultKinds()) })
	mux.HandleFunc("GET /simulator/log", s.serveLog)
	mux.HandleFunc("GET /simulator/events", s.serveFeed)
	mux.HandleFunc("GET /simulator/wait", s.serveWait)
	mux.HandleFunc("GET /simulator/terminals", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Terminals()) })
	mux.HandleFunc("GET /simulator/terminals/{id}", s.serveTerminal)
	mux.HandleFunc("PUT /simulator/terminals", s.serveConfigureAll)
	mux.HandleFunc("PUT /simulator/terminals/{id}", s.serveConfigure)
	mux.HandleFunc("POST /simulator/terminals/{id}/{action}", s.serveAction)
	mux.HandleFunc("GET /simulator/orders", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.OpenOrders()) })
	mux.HandleFunc("GET /simulator/orders/{id}", s.serveOrder)
	mux.HandleFunc("GET /simulator/calls/{id}", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, s.Calls(r.PathValue("id"))) })
	mux.HandleFunc("POST /simulator/orders/{id}/status", s.serveSetStatus)
	mux.HandleFunc("POST /simulator/orders/{id}/drop", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, map[string]int{"dropped": s.DropStreams(r.PathValue("id"))})
	})
	mux.HandleFunc("POST /simulator/streams/drop", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]int{"dropped": s.DropStreams("")})
	})
	mux.HandleFunc("GET /simulator/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("POST /simulator/faults", s.serveSetFault)
	mux.HandleFunc("PUT /simulator/faults/{id}", s.serveSetFault)
	mux.HandleFunc("DELETE /simulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /simulator/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.ClearFault(r.PathValue("id")) {
			complain(w, http.StatusNotFound, errors.New("no fault with this id is set"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /simulator/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc(trapPath, s.serveTrap)
	return sameOrigin(mux)
}

// reply answers with JSON for people to read as well.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // plain values
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client is gone: nobody is left to be told
}

// complain answers with an error of the control API.
func complain(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}

// complainOf chooses the status that goes with err.
func complainOf(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, ErrUnknownTerminal), errors.Is(err, ErrUnknownOrder), errors.Is(err, ErrUnknownAction):
		status = http.StatusNotFound
	case errors.Is(err, ErrNoPayment), errors.Is(err, ErrOrderFull):
		status = http.StatusConflict
	case errors.Is(err, ErrClosed):
		status = http.StatusServiceUnavailable
	}
	complain(w, status, err)
}

// readJSON reads a small request body into v, strictly.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

func (s *Simulator) serveTerminal(w http.ResponseWriter, r *http.Request) {
	t, err := s.Terminal(r.PathValue("id"))
	if err != nil {
		complainOf(w, err)
		return
	}
	reply(w, http.StatusOK, t)
}

// settings is the body of PUT terminals and PUT terminals/{id}.
type settings struct {
	Mode     Mode     `json:"mode"`
	Scenario Scenario `json:"scenario"`
}

func (s *Simulator) serveConfigure(w http.ResponseWriter, r *http.Request) {
	var body settings
	if err := readJSON(w, r, &body); err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	if err := s.Configure(r.PathValue("id"), body.Mode, body.Scenario); err != nil {
		complainOf(w, err)
		return
	}
	s.serveTerminal(w, r)
}

func (s *Simulator) serveConfigureAll(w http.ResponseWriter, r *http.Request) {
	var body settings
	if err := readJSON(w, r, &body); err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	if err := s.ConfigureAll(body.Mode, body.Scenario); err != nil {
		complainOf(w, err)
		return
	}
	reply(w, http.StatusOK, s.Terminals())
}

func (s *Simulator) serveAction(w http.ResponseWriter, r *http.Request) {
	o, err := s.Act(r.PathValue("id"), Action(r.PathValue("action")))
	if err != nil {
		complainOf(w, err)
		return
	}
	reply(w, http.StatusOK, o)
}

func (s *Simulator) serveOrder(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	o, ok := s.Order(id)
	if !ok {
		complainOf(w, fmt.Errorf("%w %.64q", ErrUnknownOrder, id))
		return
	}
	reply(w, http.StatusOK, o)
}

func (s *Simulator) serveSetStatus(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Status          string `json:"status"`
		FinancialStatus string `json:"financial_status"`
	}
	if err := readJSON(w, r, &body); err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	o, err := s.SetStatus(r.PathValue("id"), body.Status, body.FinancialStatus)
	if err != nil {
		complainOf(w, err)
		return
	}
	reply(w, http.StatusOK, o)
}

// serveSetFault answers POST faults and PUT faults/{id}.
func (s *Simulator) serveSetFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := readJSON(w, r, &f); err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	if id := r.PathValue("id"); id != "" {
		f.ID = id
	}
	f, err := s.SetFault(f)
	if err != nil {
		complainOf(w, err)
		return
	}
	reply(w, http.StatusCreated, f)
}

func (s *Simulator) serveLog(w http.ResponseWriter, r *http.Request) {
	since, ok := seqOf(r.URL.Query().Get("since"))
	if !ok {
		complain(w, http.StatusBadRequest, errors.New("since: want the seq of an entry"))
		return
	}
	entries, missed := s.Log(since, logPage)
	if entries == nil {
		entries = []Entry{}
	}
	reply(w, http.StatusOK, map[string]any{"entries": entries, "missed": missed})
}

// seqOf reads the seq of an entry; empty is before the first.
func seqOf(text string) (uint64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// serveWait answers when an order has had a status, so that a test in any
// language need not sleep.
func (s *Simulator) serveWait(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	order, status := query.Get("order"), query.Get("status")
	if order == "" {
		complain(w, http.StatusBadRequest, errors.New("order: want an order id"))
		return
	}
	timeout := defaultWait
	if text := query.Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > maxWait {
			complain(w, http.StatusBadRequest, fmt.Errorf("timeout: want a duration of at most %s", maxWait))
			return
		}
		timeout = d
	}
	ctx, cancel := contextWithTimeout(r, timeout)
	defer cancel()
	var o Order
	var err error
	switch status {
	case "":
		o, err = s.WaitOrder(ctx, order, func(Order) bool { return true })
	case "stream":
		o, err = s.WaitStream(ctx, order)
	default:
		o, err = s.WaitStatus(ctx, order, status)
	}
	switch {
	case errors.Is(err, ErrClosed):
		complainOf(w, err)
	case err != nil:
		complain(w, http.StatusGatewayTimeout, err)
	default:
		reply(w, http.StatusOK, o)
	}
}

// serveTrap notices who follows redirects, and with what.
func (s *Simulator) serveTrap(w http.ResponseWriter, r *http.Request) {
	text := "somebody followed a redirect"
	if r.Header.Get("Authorization") != "" {
		text += " with an Authorization header"
	}
	if r.URL.Query().Has("api_key") || r.Header.Get("api_key") != "" {
		text += " with an API key"
	}
	s.mu.Lock()
	s.trapped++
	s.note(Entry{Kind: KindTrap, Text: text})
	s.mu.Unlock()
	complain(w, http.StatusTeapot, errors.New("this is the trap of the redirect fault: no client should come here"))
}
