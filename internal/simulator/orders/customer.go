package orders

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// stepTime is the pause between two steps of a virtual customer.
func (s *State) stepTime() time.Duration { return s.scaled(time.Second) }

// SendCustomer lets a virtual customer follow the order's scenario; one that
// walks away has left from the start. An eager one acts at once, whether or not
// anybody listens. The caller holds the lock.
func (s *State) SendCustomer(o *Order, sc scenario.Info, eager bool) {
	o.Left = sc.Name == scenario.WalkAway
	if len(sc.Steps) == 0 {
		return
	}
	o.Steps = sc.Steps
	switch {
	case eager:
		s.scheduleStep(o, 0)
	case s.StreamGrace > 0 && len(o.Listeners) == 0:
		o.Visit.Waiting = true
		o.Visit.step = s.Alarms.After(s.StreamGrace, func() { s.CustomerComes(o) })
	default:
		s.scheduleStep(o, s.stepTime())
	}
}

// CustomerComes lets a held-back customer begin. The caller holds the lock.
func (s *State) CustomerComes(o *Order) {
	o.Visit.Waiting = false
	s.Alarms.Stop(o.Visit.step)
	s.scheduleStep(o, s.stepTime())
}

// scheduleStep plans the customer's next step. The caller holds the lock.
func (s *State) scheduleStep(o *Order, after time.Duration) {
	o.Visit.step = s.Alarms.After(after, func() {
		action := o.Steps[0]
		o.Steps = o.Steps[1:]
		if err := s.Perform(o, action); err != nil {
			o.Steps = nil // somebody else has ended the payment
			o.wakeStreams()
		}
		if len(o.Steps) > 0 {
			s.scheduleStep(o, s.stepTime())
		}
	})
}
