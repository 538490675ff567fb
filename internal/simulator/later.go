package simulator

import (
	"cmp"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// giveLaterStatus plans the status that a fault has for an order that has just
// changed. The caller holds the lock.
func (s *State) giveLaterStatus(o *order) {
	if len(o.Events) == 0 {
		return
	}
	f, ok := s.Faults.Take(fault.LaterStatus, fault.Occasion{Order: o.id(), Terminal: o.terminal.id, Status: o.Status})
	if !ok {
		return
	}
	f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
	s.Alarms.After(f.Delay, func() {
		if !o.gone && len(o.Events) < MaxEvents {
			s.giveStatus(o, f.Becomes, f.Becomes)
		}
	})
}
