package simulator

import (
	"slices"
	"time"
)

// memory is one line of a state file: what a simulator knows after a change.
type memory struct {
	// Signing is the key of events tokens; on the first line.
	Signing  []byte          `json:"signing,omitempty"`
	Order    *orderMemory    `json:"order,omitempty"`
	Terminal *terminalMemory `json:"terminal,omitempty"`
	// Faults are all that SetFault has set.
	Faults *faultSet `json:"faults,omitempty"`
	// Reset says that everything before is forgotten, but for the secret.
	Reset bool `json:"reset,omitempty"`
}

// orderMemory is an order. Alarms, streams and webhooks that wait are not kept.
type orderMemory struct {
	Create    createRequest `json:"create"`
	Session   string        `json:"session_id"`
	Number    int64         `json:"transaction_id"`
	Status    string        `json:"status"`
	Financial string        `json:"financial_status"`
	Events    []Event       `json:"events"`
	Created   time.Time     `json:"created"`
	Modified  time.Time     `json:"modified"`
	Completed time.Time     `json:"completed,omitzero"`
	Charged   int64         `json:"charged,omitempty"`
	Emitted   int64         `json:"emitted,omitempty"`
	Scenario  Scenario      `json:"scenario"`
	Steps     []Action      `json:"steps,omitempty"`
	Left      bool          `json:"left,omitempty"`
	CardShown bool          `json:"card_shown,omitempty"`
	Stuck     bool          `json:"stuck,omitempty"`
	Finished  bool          `json:"finished,omitempty"`
	TokenEnd  time.Time     `json:"token_end,omitzero"`
	Calls     Calls         `json:"calls"`
	Asked     faultSet      `json:"asked,omitempty"`
}

type terminalMemory struct {
	ID       string   `json:"terminal_id"`
	Mode     Mode     `json:"mode"`
	Scenario Scenario `json:"scenario"`
}

// recollection is what a state file says in the end.
type recollection struct {
	secret    []byte
	orders    []*orderMemory // in the order of their latest change
	terminals map[string]*terminalMemory
	faults    faultSet
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
