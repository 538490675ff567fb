package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Act does something at a terminal by hand and returns the order it was done
// to. A virtual customer who was at it leaves. After an error nothing has
// changed.
func (s *Simulator) Act(terminalID string, action scenario.Action) (Order, error) {
	if !slices.Contains(scenario.Actions(), action) {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownAction, action)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Order{}, ErrClosed
	}
	t := s.terminals.byID[terminalID]
	if t == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownTerminal, terminalID)
	}
	o := t.order
	if scenario.Afterwards[action] != "" {
		o = t.last
	}
	if o == nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, ErrNoPayment)
	}
	s.stopSteps(o)
	if err := s.perform(o, action); err != nil {
		return Order{}, fmt.Errorf("%s on %s: %w", action, terminalID, err)
	}
	return s.view(o), nil
}

// SetStatus gives an order any status, as the provider's back office would: a
// refund, a chargeback, one that nobody knows yet. An empty financial status is
// the same as the status.
func (s *Simulator) SetStatus(orderID, status, financial string) (Order, error) {
	return s.setStatus(orderID, status, financial, 0)
}

// setStatus is SetStatus with an amount that was paid; 0 leaves it.
func (s *Simulator) setStatus(orderID, status, financial string, charged int64) (Order, error) {
	if charged < 0 || charged > 2*maxAmount {
		return Order{}, errors.New("amount: want a positive amount")
	}
	if status == "" || len(status) > 64 || len(financial) > 64 {
		return Order{}, errors.New("status: want 1 to 64 characters")
	}
	financial = cmp.Or(financial, status)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Order{}, ErrClosed
	}
	o := s.orders.byID[orderID]
	if o == nil {
		return Order{}, fmt.Errorf("%w %.64q", ErrUnknownOrder, orderID)
	}
	if len(o.Events) >= maxEventsPerOrder {
		return Order{}, ErrOrderFull
	}
	s.stopSteps(o)
	o.Stuck = false
	charged = cmp.Or(charged, o.Charged)
	o.Charged = charged
	s.giveStatus(o, status, financial)
	return s.view(o), nil
}

// Configure sets who acts on a terminal, and the scenario of payments that ask
// for none. Empty values leave what is there. Manual sends the virtual customer
// of an open payment away at once; Auto lets one come to an open payment that
// nobody has touched yet.
func (s *Simulator) Configure(id string, mode Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	t := s.terminals.byID[id]
	if t == nil {
		return fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	s.configure(t, mode, plan)
	return nil
}

// ConfigureAll is Configure for every terminal.
func (s *Simulator) ConfigureAll(mode Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for _, t := range s.terminals.listed {
		if (mode != "" && mode != t.mode) || (plan != "" && plan != t.scenario) {
			s.configure(t, mode, plan)
		}
	}
	return nil
}

func checkSettings(mode Mode, plan scenario.Scenario) error {
	if mode != "" && mode != Auto && mode != Manual {
		return fmt.Errorf("unknown mode %.64q: want %s or %s", mode, Auto, Manual)
	}
	if plan == "" {
		return nil
	}
	_, err := scenario.ByName(plan)
	return err
}

// configure applies checked settings. The caller holds mu.
func (s *Simulator) configure(t *terminal, mode Mode, plan scenario.Scenario) {
	if mode != "" {
		t.mode = mode
	}
	if plan != "" {
		t.scenario = plan
	}
	if o := t.order; o != nil {
		switch {
		case mode == Manual:
			s.stopSteps(o)
			o.Left = false
			o.wakeStreams()
		case mode == Auto && o.untouched():
			if sc, err := scenario.ByName(o.Scenario); err == nil {
				s.sendCustomer(o, sc, false)
			}
		}
	}
	s.remember(memory{Terminal: t.memory()})
	s.journal.Note(journal.Entry{Kind: journal.KindTerminal, Terminal: t.id, Text: "mode " + string(t.mode) + ", scenario " + string(t.scenario)})
}
