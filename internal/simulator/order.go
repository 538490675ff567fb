package simulator

import (
	"crypto/rand"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Statuses that the simulator itself gives an order. SetStatus can give any.
const (
	statusInitialized = "initialized"
	statusDeclined    = "declined"
	statusCompleted   = "completed"
	statusCancelled   = "cancelled"
	statusReversed    = "reversed"
)

// isFinal tells whether a status ends a payment.
func isFinal(status string) bool {
	switch status {
	case statusInitialized, statusDeclined:
		return false
	case statusCompleted, statusCancelled, "expired", "void", statusReversed,
		"refunded", "partial_refunded", "chargedback":
		return true
	}
	return false
}

// Event is one status change of an order, as its event stream tells it.
type Event struct {
	Status          string    `json:"status"`
	FinancialStatus string    `json:"financial_status"`
	At              time.Time `json:"at"`
}

// Order is what the simulator knows of an order, at one moment. It holds no
// token and no card datum.
type Order struct {
	ID       string `json:"order_id"`
	Terminal string `json:"terminal_id"`
	Group    string `json:"group_id"`
	// SessionID as the create answer and the events carry it.
	SessionID     string `json:"session_id"`
	TransactionID int64  `json:"transaction_id"`
	// Amount in the currency's smallest unit.
	Amount          int64  `json:"amount"`
	Currency        string `json:"currency"`
	Description     string `json:"description"`
	Status          string `json:"status"`
	FinancialStatus string `json:"financial_status"`
	// Final is true once the terminal is free for the next payment.
	Final bool `json:"final"`
	// Stuck is true after a PATCH: the order stays declined until it is cancelled.
	Stuck    bool      `json:"stuck,omitempty"`
	Scenario Scenario  `json:"scenario"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	// Events so far, oldest first, whether or not a stream was open for them.
	Events []Event `json:"events"`
	// Streams that are open for the order now.
	Streams int `json:"streams"`
	// Calls that named the order, also the refused ones.
	Calls Calls `json:"calls"`
}

// Statuses lists the statuses of the events so far.
func (o Order) Statuses() []string {
	list := make([]string, len(o.Events))
	for i, e := range o.Events {
		list[i] = e.Status
	}
	return list
}

// order is one payment. The simulator's lock guards it.
type order struct {
	create    createRequest
	terminal  *terminal
	group     *group
	session   string
	number    int64 // the transaction id
	status    string
	financial string
	events    []Event
	created   time.Time
	modified  time.Time
	completed time.Time
	cardShown bool // a card was held to the terminal at least once
	scenario  ScenarioInfo
	steps     []Action // what the virtual customer will still do
	waiting   bool     // the first step is held back for a stream
	left      bool     // the customer has walked away
	step      *alarm
	idle      *alarm
	stuck     bool
	finished  bool // was put among the finished ones
	gone      bool // forgotten by Reset or for age: its streams end
	streams   map[*streamConn]struct{}
}

// final tells whether the payment is over and its terminal free. A status that
// comes later, even an open one, does not bring it back.
func (o *order) final() bool { return o.finished }

// over tells whether nothing more is going to happen by itself.
func (o *order) over() bool { return o.final() && len(o.steps) == 0 }

// untouched tells whether the payment is open and nobody has shown a card.
func (o *order) untouched() bool {
	return !o.finished && len(o.events) == 0 && len(o.steps) == 0 && !o.stuck && o.terminal.screen == ScreenAmountDue
}

// wakeStreams lets every stream of the order look for news.
func (o *order) wakeStreams() {
	for c := range o.streams {
		c.wakeUp()
	}
}

// snapshot copies o for others. The caller holds mu.
func (s *Simulator) snapshot(o *order) Order {
	return Order{
		ID: o.create.OrderID, Terminal: o.terminal.id, Group: o.group.id,
		SessionID: o.session, TransactionID: o.number,
		Amount: o.create.Amount, Currency: o.create.Currency, Description: o.create.Description,
		Status: o.status, FinancialStatus: o.financial, Final: o.final(), Stuck: o.stuck,
		Scenario: o.scenario.Name, Created: o.created, Modified: o.modified,
		Events: slices.Clone(o.events), Streams: len(o.streams),
		Calls: s.calls.of(o.create.OrderID),
	}
}

// open makes an order and puts it on its terminal, which must be free. An eager
// customer acts at once, whether or not anybody listens. The caller holds mu.
func (s *Simulator) open(req createRequest, t *terminal, sc ScenarioInfo, eager bool) *order {
	now := s.now()
	o := &order{
		create: req, terminal: t, group: t.group,
		session: randomID(39),
		status:  statusInitialized,
		created: now, modified: now,
		financial: statusInitialized,
		scenario:  sc,
		streams:   map[*streamConn]struct{}{},
	}
	// Seventeen digits, as the provider's: more than a float64 holds exactly.
	s.number = max(s.number+1, now.UnixMicro()*10)
	o.number = s.number
	s.orders[req.OrderID], s.sessions[o.session] = o, o
	t.order, t.last = o, o
	s.note(Entry{
		Kind: KindOrder, Terminal: t.id, Order: req.OrderID,
		Text: "order of " + money(req.Amount, req.Currency) + " on the terminal, scenario " + string(sc.Name),
	})
	s.show(t, ScreenAmountDue)
	s.restartIdle(o)
	if t.mode == Auto {
		s.sendCustomer(o, eager)
	}
	return o
}

// change gives o a status and tells everybody. The caller holds mu.
func (s *Simulator) change(o *order, status, financial string) {
	now := s.now()
	o.status, o.financial, o.modified = status, financial, now
	if status == statusCompleted {
		o.completed = now
	}
	o.events = append(o.events, Event{Status: status, FinancialStatus: financial, At: now})
	s.note(Entry{Kind: KindStatus, Terminal: o.terminal.id, Order: o.create.OrderID, Status: status, Text: status})
	s.logger.Info("order changed",
		zap.String("terminal", o.terminal.id), zap.String("order_id", o.create.OrderID), zap.String("status", status))
	if isFinal(status) && !o.finished {
		s.finish(o)
	}
	o.wakeStreams()
	s.hooks.send(o)
}

// finish frees the terminal and puts o among the finished ones. The caller
// holds mu.
func (s *Simulator) finish(o *order) {
	s.stopAlarm(o.idle)
	o.idle = nil
	if o.terminal.order == o {
		o.terminal.order = nil
	}
	o.finished = true
	s.finished = append(s.finished, o)
	for len(s.finished) > s.opts.History {
		old := s.finished[0]
		s.finished[0] = nil
		s.finished = s.finished[1:]
		s.forget(old)
	}
}

// forget drops a finished order. The caller holds mu.
func (s *Simulator) forget(o *order) {
	s.stopAlarm(o.step)
	delete(s.orders, o.create.OrderID)
	delete(s.sessions, o.session)
	if o.terminal.last == o {
		o.terminal.last = nil
	}
	o.gone = true
	o.wakeStreams()
}

// restartIdle begins the inactivity time anew. The caller holds mu.
func (s *Simulator) restartIdle(o *order) {
	s.stopAlarm(o.idle)
	o.terminal.deadline = s.now().Add(s.opts.InactivityTimeout)
	o.idle = s.setAlarm(s.opts.InactivityTimeout, func() {
		o.idle = nil
		s.stopSteps(o)
		s.show(o.terminal, ScreenCancelled)
		s.change(o, statusCancelled, statusCancelled)
	})
}

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomID returns n letters and digits.
func randomID(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = idAlphabet[int(b[i])%len(idAlphabet)]
	}
	return string(b)
}
