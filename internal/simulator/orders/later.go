package orders

import (
	"cmp"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// GiveLaterStatus plans the status that a fault has for an order that has just
// changed. The caller holds the lock.
func (s *State) GiveLaterStatus(o *Order) {
	if len(o.Events) == 0 {
		return
	}
	f, ok := s.Faults.Take(fault.LaterStatus, fault.Occasion{Order: o.ID(), Terminal: o.Terminal.ID, Status: o.Status})
	if !ok {
		return
	}
	f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
	s.Alarms.After(f.Delay, func() {
		if !o.Gone && len(o.Events) < MaxEvents {
			s.GiveStatus(o, f.Becomes, f.Becomes)
		}
	})
}
