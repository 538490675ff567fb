package operator

import (
	"fmt"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Configure sets who acts on a terminal, and the scenario of payments that ask
// for none. Empty values leave what is there. Manual sends the virtual customer
// of an open payment away at once; Auto lets one come to an open payment that
// nobody has touched yet.
func (op *Operator) Configure(id string, mode orders.Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return orders.ErrClosed
	}
	t := op.s.Terminals.ByID[id]
	if t == nil {
		return fmt.Errorf("%w %.64q", orders.ErrUnknownTerminal, id)
	}
	op.s.Configure(t, mode, plan)
	return nil
}

// ConfigureAll is Configure for every terminal.
func (op *Operator) ConfigureAll(mode orders.Mode, plan scenario.Scenario) error {
	if err := checkSettings(mode, plan); err != nil {
		return err
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return orders.ErrClosed
	}
	for _, t := range op.s.Terminals.Listed {
		if (mode != "" && mode != t.Mode) || (plan != "" && plan != t.Scenario) {
			op.s.Configure(t, mode, plan)
		}
	}
	return nil
}

func checkSettings(mode orders.Mode, plan scenario.Scenario) error {
	if mode != "" && mode != orders.Auto && mode != orders.Manual {
		return fmt.Errorf("mode must be %s or %s; got %.64q", orders.Auto, orders.Manual, mode)
	}
	if plan == "" {
		return nil
	}
	_, err := scenario.ByName(plan)
	return err
}
