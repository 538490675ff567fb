package orders

import (
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Memory is one line of a state file: what a simulator knows after a change.
type Memory struct {
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

// Store keeps what must not be forgotten. It is called with the state's lock held.
type Store interface {
	Append(Memory)
	Close()
}

// Recollection is what a state file says in the end.
type Recollection struct {
	Secret    []byte
	orders    []*orderMemory // in the order of their latest change
	terminals map[string]*terminalMemory
	faults    fault.Set
}

// Add takes the next line of a state file in.
func (r *Recollection) Add(m Memory) {
	switch {
	case m.Reset:
		*r = Recollection{Secret: r.Secret}
	case m.Signing != nil:
		r.Secret = m.Signing
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
func (r *Recollection) latest() (orders []*orderMemory) {
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
