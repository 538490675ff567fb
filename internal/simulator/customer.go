package simulator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// stepTime is the pause between two steps of a virtual customer.
func (s *State) stepTime() time.Duration { return s.scaled(time.Second) }

// sendCustomer lets a virtual customer follow the order's scenario; one that
// walks away has left from the start. An eager one acts at once, whether or not
// anybody listens. The caller holds the lock.
func (s *State) sendCustomer(o *order, sc scenario.Info, eager bool) {
	o.Left = sc.Name == scenario.WalkAway
	if len(sc.Steps) == 0 {
		return
	}
	o.Steps = sc.Steps
	switch {
	case eager:
		s.scheduleStep(o, 0)
	case s.StreamGrace > 0 && len(o.listeners) == 0:
		o.visit.waiting = true
		o.visit.step = s.Alarms.After(s.StreamGrace, func() { s.customerComes(o) })
	default:
		s.scheduleStep(o, s.stepTime())
	}
}

// customerComes lets a held-back customer begin. The caller holds the lock.
func (s *State) customerComes(o *order) {
	o.visit.waiting = false
	s.Alarms.Stop(o.visit.step)
	s.scheduleStep(o, s.stepTime())
}

// scheduleStep plans the customer's next step. The caller holds the lock.
func (s *State) scheduleStep(o *order, after time.Duration) {
	o.visit.step = s.Alarms.After(after, func() {
		action := o.Steps[0]
		o.Steps = o.Steps[1:]
		if err := s.perform(o, action); err != nil {
			o.Steps = nil // somebody else has ended the payment
			o.wakeStreams()
		}
		if len(o.Steps) > 0 {
			s.scheduleStep(o, s.stepTime())
		}
	})
}
