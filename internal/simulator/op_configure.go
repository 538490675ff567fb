package simulator

import (
	"fmt"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Configure sets who acts on a terminal, and the scenario of payments that ask
// for none. Empty values leave what is there. Manual sends the virtual customer
// of an open payment away at once; Auto lets one come to an open payment that
// nobody has touched yet.
func (op *Operator) Configure(id string, mode Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return ErrClosed
	}
	t := op.s.Terminals.byID[id]
	if t == nil {
		return fmt.Errorf("%w %.64q", ErrUnknownTerminal, id)
	}
	op.configure(t, mode, plan)
	return nil
}

// ConfigureAll is Configure for every terminal.
func (op *Operator) ConfigureAll(mode Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return ErrClosed
	}
	for _, t := range op.s.Terminals.listed {
		if (mode != "" && mode != t.mode) || (plan != "" && plan != t.scenario) {
			op.configure(t, mode, plan)
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

// configure applies checked settings. The caller holds the lock.
func (op *Operator) configure(t *terminal, mode Mode, plan scenario.Scenario) {
	if mode != "" {
		t.mode = mode
	}
	if plan != "" {
		t.scenario = plan
	}
	if o := t.order; o != nil {
		switch {
		case mode == Manual:
			op.s.stopSteps(o)
			o.Left = false
			o.wakeStreams()
		case mode == Auto && o.untouched():
			if sc, err := scenario.ByName(o.Scenario); err == nil {
				op.s.sendCustomer(o, sc, false)
			}
		}
	}
	op.s.remember(memory{Terminal: t.memory()})
	op.s.Journal.Note(journal.Entry{Kind: journal.KindTerminal, Terminal: t.id, Text: "mode " + string(t.mode) + ", scenario " + string(t.scenario)})
}
