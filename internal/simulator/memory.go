package simulator

import (
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// memory is one line of a state file: what a simulator knows after a change.
type memory struct {
	// Signing is the key of events tokens; on the first line.
	Signing  []byte          `json:"signing,omitempty"`
	Order    *orderMemory    `json:"order,omitempty"`
	Terminal *terminalMemory `json:"terminal,omitempty"`
	// Faults are all that SetFault has set.
	Faults *fault.Set `json:"faults,omitempty"`
	// Reset says that everything before is forgotten, but for the secret.
	Reset bool `json:"reset,omitempty"`
}

// orderMemory is an order. Alarms, streams and webhooks that wait are not kept.
type orderMemory struct {
	facts
	Calls calls.Counts `json:"calls"`
	Asked fault.Set    `json:"asked,omitempty"`
}

type terminalMemory struct {
	ID       string            `json:"terminal_id"`
	Mode     Mode              `json:"mode"`
	Scenario scenario.Scenario `json:"scenario"`
}

// store keeps what must not be forgotten. It is called with the state's lock held.
type store interface {
	Append(memory)
	Close()
}

// recollection is what a state file says in the end.
type recollection struct {
	secret    []byte
	orders    []*orderMemory // in the order of their latest change
	terminals map[string]*terminalMemory
	faults    fault.Set
}

func (r *recollection) add(m memory) {
	switch {
	case m.Reset:
		*r = recollection{secret: r.secret}
	case m.Signing != nil:
		r.secret = m.Signing
	case m.Faults != nil:
		r.faults = *m.Faults
	case m.Terminal != nil:
		if r.terminals == nil {
			r.terminals = map[string]*terminalMemory{}
		}
		r.terminals[m.Terminal.ID] = m.Terminal
	case m.Order != nil:
		r.orders = append(r.orders, m.Order)
	}
}

// latest are the orders as they were in the end, those that changed last at the end.
func (r *recollection) latest() (orders []*orderMemory) {
	seen := map[string]bool{}
	for _, o := range slices.Backward(r.orders) {
		if !seen[o.Create.OrderID] {
			seen[o.Create.OrderID] = true
			orders = append(orders, o)
		}
	}
	slices.Reverse(orders)
	return orders
}
