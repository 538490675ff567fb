package operator

import (
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
)

// SetFault sets a fault, in place of one with the same ID, and returns it with
// its ID and Count filled in.
func (op *Operator) SetFault(f fault.Fault) (fault.Fault, error) {
	if err := f.Check(); err != nil {
		return fault.Fault{}, err
	}
	op.s.Lock()
	defer op.s.Unlock()
	if op.s.Closed() {
		return fault.Fault{}, orders.ErrClosed
	}
	f, err := op.s.Faults.Set(f)
	if err != nil {
		return fault.Fault{}, err
	}
	for l := range op.s.Listeners { // an open stream may be the one
		l.WakeUp()
	}
	return f, nil
}

// Faults returns what was set with SetFault, with what is left of their counts.
// What an order asked for by itself is not among them.
func (op *Operator) Faults() []fault.Fault {
	op.s.Lock()
	defer op.s.Unlock()
	return op.s.Faults.List()
}

// ClearFault takes a fault back; false when there is none with this ID.
func (op *Operator) ClearFault(id string) bool {
	op.s.Lock()
	defer op.s.Unlock()
	return op.s.Faults.Drop(id)
}

// ClearFaults takes all faults back.
func (op *Operator) ClearFaults() {
	op.s.Lock()
	defer op.s.Unlock()
	op.s.Faults.DropAll()
}
