package simulator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Mode says who acts on a terminal.
type Mode string

// The modes of a terminal.
const (
	// Auto lets a virtual customer follow the order's scenario.
	Auto Mode = "auto"
	// Manual waits for somebody to act.
	Manual Mode = "manual"
)

// Screen is what a terminal shows.
type Screen string

// The screens of a terminal.
const (
	ScreenIdle       Screen = "idle"
	ScreenAmountDue  Screen = "amount_due"
	ScreenPIN        Screen = "pin"
	ScreenProcessing Screen = "processing"
	ScreenApproved   Screen = "approved"
	ScreenDeclined   Screen = "declined"
	ScreenCancelled  Screen = "cancelled"
	ScreenReversed   Screen = "reversed"
)

// Action is something done at a terminal.
type Action string

// The actions.
const (
	// ActTap holds a card to the terminal: initialized.
	ActTap Action = "tap"
	// ActInsert puts a card in; the terminal asks for the PIN.
	ActInsert Action = "insert"
	// ActPIN enters the PIN: initialized.
	ActPIN Action = "pin"
	// ActApprove is the issuer's yes: completed; with no card shown, a tap comes first.
	ActApprove Action = "approve"
	// ActDecline is the issuer's no: declined; with no card shown, a tap comes first.
	ActDecline Action = "decline"
	// ActCancel is the red button: cancelled.
	ActCancel Action = "cancel"
	// ActWalkAway ends the virtual customer's part; the inactivity time runs on.
	ActWalkAway Action = "walk_away"
	// ActReverse takes the terminal's last completed payment back: reversed.
	ActReverse Action = "reverse"
)

// Actions lists every action.
func Actions() []Action {
	return []Action{ActTap, ActInsert, ActPIN, ActApprove, ActDecline, ActCancel, ActWalkAway, ActReverse}
}

// Errors of acting by hand.
var (
	ErrUnknownTerminal = errors.New("unknown terminal")
	ErrUnknownOrder    = errors.New("unknown order")
	ErrUnknownAction   = errors.New("unknown action")
	// ErrNoPayment: nothing is open on the terminal that the action could be done to.
	ErrNoPayment = errors.New("no such payment on the terminal")
	// ErrOrderFull: the order has had more status changes than the simulator keeps.
	ErrOrderFull = errors.New("order has too many status changes")
)

// Terminal is what a terminal shows, at one moment.
type Terminal struct {
	ID    string `json:"terminal_id"`
	Group string `json:"group_id"`
	Mode  Mode   `json:"mode"`
	// Scenario of payments that ask for none.
	Scenario Scenario `json:"scenario"`
	Screen   Screen   `json:"screen"`
	// Order that is open, or was last; empty while there was none.
	Order       string `json:"order_id,omitempty"`
	Description string `json:"description,omitempty"`
	// Amount in the currency's smallest unit, which has so many digits.
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Digits   int    `json:"currency_digits"`
	Status   string `json:"status,omitempty"`
	// Events are the order's latest, at most eight, the oldest first.
	Events []Event `json:"events"`
	// Streams that are open for the order: whether anybody listens.
	Streams int `json:"streams"`
	// Customer is who stands at the terminal while a payment is open.
	Customer Customer `json:"customer,omitempty"`
	// Stuck is true after a PATCH: only a cancel by the API helps.
	Stuck bool `json:"stuck,omitempty"`
	// Busy is true while a payment is open: another one is refused.
	Busy bool `json:"busy"`
	// Since when the terminal shows this screen.
	Since time.Time `json:"since"`
	// Deadline is when the open payment is cancelled unless something is done.
	Deadline *time.Time `json:"deadline,omitempty"`
}

// Customer is who stands at a terminal.
type Customer string

// The customers of a payment that is open.
const (
	// CustomerHand is somebody who acts by hand.
	CustomerHand Customer = "hand"
	// CustomerVirtual acts by scenario.
	CustomerVirtual Customer = "virtual"
	// CustomerLeft has walked away: the inactivity time runs on.
	CustomerLeft Customer = "left"
)

// shownEvents is how many of an order's events a Terminal shows.
const shownEvents = 8

// terminal is one virtual terminal. The simulator's lock guards it.
type terminal struct {
	id       string
	group    *group
	mode     Mode
	scenario Scenario
	screen   Screen
	since    time.Time
	deadline time.Time
	order    *order // open payment, nil when free
	last     *order // the open or the latest payment
	revert   *alarm // takes a result off the screen
}

func newTerminal(id string, g *group, o Options) *terminal {
	t := &terminal{id: id, group: g, mode: Auto, scenario: Approve, screen: ScreenIdle, since: o.Now().UTC()}
	if o.Manual {
		t.mode = Manual
	}
	return t
}

// terminalSnapshot copies t for others. The caller holds mu.
func (s *Simulator) terminalSnapshot(t *terminal) Terminal {
	view := Terminal{
		ID: t.id, Group: t.group.id, Mode: t.mode, Scenario: t.scenario,
		Screen: t.screen, Since: t.since, Busy: t.order != nil, Events: []Event{},
	}
	if o := t.last; o != nil {
		view.Order, view.Description, view.Status = o.create.OrderID, o.create.Description, o.status
		view.Amount, view.Currency = o.create.Amount, o.create.Currency
		view.Digits = digitsOf(o.create.Currency)
		view.Events = append(view.Events, o.events[max(0, len(o.events)-shownEvents):]...)
		view.Streams = len(o.streams)
	}
	if o := t.order; o != nil {
		view.Stuck = o.stuck
		switch {
		case len(o.steps) > 0:
			view.Customer = CustomerVirtual
		case o.left:
			view.Customer = CustomerLeft
		default:
			view.Customer = CustomerHand
		}
	}
	if t.order != nil && t.order.idle != nil {
		deadline := t.deadline
		view.Deadline = &deadline
	}
	return view
}

// digitsOf is how many digits of an amount stand behind the point.
func digitsOf(currency string) int {
	if digits, ok := schema.CurrencyDigits(currency); ok {
		return digits
	}
	return 2 // a code that is no longer active
}

// Terminals returns every terminal, in the order of Options.Groups.
func (s *Simulator) Terminals() []Terminal {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Terminal, len(s.listed))
	for i, t := range s.listed {
		list[i] = s.terminalSnapshot(t)
	}
	return list
}

// Terminal returns one terminal, or ErrUnknownTerminal.
func (s *Simulator) Terminal(id string) (Terminal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.terminals[id]
	if t == nil {
		return Terminal{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	return s.terminalSnapshot(t), nil
}

// Configure sets who acts on a terminal, and the scenario of payments that ask
// for none. Empty values leave what is there. Manual sends the virtual customer
// of an open payment away at once; Auto lets one come to an open payment that
// nobody has touched yet.
func (s *Simulator) Configure(id string, mode Mode, scenario Scenario) error {
	if err := checkSettings(mode, scenario); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	t := s.terminals[id]
	if t == nil {
		return fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	s.configure(t, mode, scenario)
	return nil
}

// ConfigureAll is Configure for every terminal.
func (s *Simulator) ConfigureAll(mode Mode, scenario Scenario) error {
	if err := checkSettings(mode, scenario); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for _, t := range s.listed {
		if (mode != "" && mode != t.mode) || (scenario != "" && scenario != t.scenario) {
			s.configure(t, mode, scenario)
		}
	}
	return nil
}

func checkSettings(mode Mode, scenario Scenario) error {
	if mode != "" && mode != Auto && mode != Manual {
		return fmt.Errorf("unknown mode %.64q: want %s or %s", mode, Auto, Manual)
	}
	if scenario != "" {
		if _, err := scenarioByName(scenario); err != nil {
			return err
		}
	}
	return nil
}

// configure applies checked settings. The caller holds mu.
func (s *Simulator) configure(t *terminal, mode Mode, scenario Scenario) {
	if mode != "" {
		t.mode = mode
	}
	if scenario != "" {
		t.scenario = scenario
	}
	if o := t.order; o != nil {
		switch {
		case mode == Manual:
			s.stopSteps(o)
			o.left = false
			o.wakeStreams()
		case mode == Auto && o.untouched():
			s.sendCustomer(o, false)
		}
	}
	s.note(Entry{Kind: KindTerminal, Terminal: t.id, Text: "mode " + string(t.mode) + ", scenario " + string(t.scenario)})
}

// Act does something at a terminal by hand and returns the order it was done
// to. A virtual customer who was at it leaves. After an error nothing has
// changed.
func (s *Simulator) Act(terminalID string, action Action) (Order, error) {
	if !slices.Contains(Actions(), action) {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownAction, action)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Order{}, ErrClosed
	}
	t := s.terminals[terminalID]
	if t == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, terminalID)
	}
	o := t.order
	if action == ActReverse {
		o = t.last
	}
	if o == nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, ErrNoPayment)
	}
	s.stopSteps(o)
	if err := s.perform(o, action); err != nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, err)
	}
	return s.snapshot(o), nil
}

// SetStatus gives an order any status, as the provider's back office would: a
// refund, a chargeback, one that nobody knows yet. An empty financial status is
// the same as the status.
func (s *Simulator) SetStatus(orderID, status, financial string) (Order, error) {
	if status == "" || len(status) > 64 || len(financial) > 64 {
		return Order{}, errors.New("status: want 1 to 64 characters")
	}
	if financial == "" {
		financial = status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Order{}, ErrClosed
	}
	o := s.orders[orderID]
	if o == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownOrder, orderID)
	}
	if len(o.events) >= maxEventsPerOrder {
		return Order{}, ErrOrderFull
	}
	s.stopSteps(o)
	o.stuck = false
	switch {
	case status == statusCompleted:
		s.showResult(o, ScreenApproved)
	case isFinal(status):
		s.showResult(o, ScreenCancelled)
	}
	s.change(o, status, financial)
	return s.snapshot(o), nil
}

// perform does one action to an order. The caller holds mu.
func (s *Simulator) perform(o *order, action Action) error {
	if len(o.events) >= maxEventsPerOrder {
		return ErrOrderFull
	}
	if action == ActReverse {
		if o.status != statusCompleted {
			return ErrNoPayment
		}
		s.showResult(o, ScreenReversed)
		s.change(o, statusReversed, statusReversed)
		return nil
	}
	t := o.terminal
	if t.order != o || o.stuck {
		return ErrNoPayment
	}
	switch action {
	case ActTap, ActPIN:
		s.showCard(o)
	case ActInsert:
		s.show(t, ScreenPIN)
	case ActApprove:
		s.showCard(o)
		s.show(t, ScreenApproved)
		s.change(o, statusCompleted, statusCompleted)
		return nil
	case ActDecline:
		s.showCard(o)
		s.show(t, ScreenDeclined)
		s.change(o, statusDeclined, statusDeclined)
	case ActCancel:
		s.show(t, ScreenCancelled)
		s.change(o, statusCancelled, statusCancelled)
		return nil
	case ActWalkAway:
		o.left = true
		s.note(Entry{Kind: KindTerminal, Terminal: t.id, Order: o.create.OrderID, Text: "the customer has walked away"})
		return nil
	}
	o.left = false
	s.restartIdle(o)
	return nil
}

// showCard begins the processing of a card unless it has begun. The caller
// holds mu.
func (s *Simulator) showCard(o *order) {
	if o.terminal.screen == ScreenProcessing {
		return
	}
	o.cardShown = true
	s.show(o.terminal, ScreenProcessing)
	s.change(o, statusInitialized, statusInitialized)
}
