package simulator

import "time"

// How long a terminal shows how it went, at Pace 1, before it goes back to the
// payment screen or to rest.
const resultScreenTime = 3 * time.Second

// showResult shows how an order went, unless its terminal is busy with another.
// The caller holds mu.
func (s *Simulator) showResult(o *order, screen Screen) {
	if t := o.terminal; t.last == o {
		s.show(t, screen)
	}
}

// show puts a screen on a terminal. Results go away by themselves. The caller
// holds mu.
func (s *Simulator) show(t *terminal, screen Screen) {
	s.stopAlarm(t.revert)
	t.revert = nil
	t.screen, t.since = screen, s.now()
	next := ScreenIdle
	switch screen {
	case ScreenDeclined:
		next = ScreenAmountDue
	case ScreenApproved, ScreenCancelled, ScreenReversed:
	default:
		s.note(Entry{Kind: KindTerminal, Terminal: t.id, Text: "screen " + string(screen)})
		return
	}
	s.note(Entry{Kind: KindTerminal, Terminal: t.id, Text: "screen " + string(screen)})
	t.revert = s.setAlarm(s.scaled(resultScreenTime), func() { s.show(t, next) })
}

// scaled is d at the chosen pace.
func (s *Simulator) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.opts.Pace)
}

// stepTime is the pause between two steps of a virtual customer.
func (s *Simulator) stepTime() time.Duration { return s.scaled(time.Second) }

// sendCustomer lets a virtual customer follow the order's scenario; one that
// walks away has left from the start. The caller holds mu.
func (s *Simulator) sendCustomer(o *order, eager bool) {
	o.left = o.scenario.Name == WalkAway
	if len(o.scenario.steps) == 0 {
		return
	}
	o.steps = o.scenario.steps
	switch {
	case eager:
		s.scheduleStep(o, 0)
	case s.opts.StreamGrace > 0 && len(o.streams) == 0:
		o.waiting = true
		o.step = s.setAlarm(s.opts.StreamGrace, func() { s.customerComes(o) })
	default:
		s.scheduleStep(o, s.stepTime())
	}
}

// customerComes lets a held-back customer begin. The caller holds mu.
func (s *Simulator) customerComes(o *order) {
	o.waiting = false
	s.stopAlarm(o.step)
	s.scheduleStep(o, s.stepTime())
}

// scheduleStep plans the customer's next step. The caller holds mu.
func (s *Simulator) scheduleStep(o *order, after time.Duration) {
	o.step = s.setAlarm(after, func() {
		action := o.steps[0]
		o.steps = o.steps[1:]
		if err := s.perform(o, action); err != nil {
			o.steps = nil // somebody else has ended the payment
			o.wakeStreams()
		}
		if len(o.steps) > 0 {
			s.scheduleStep(o, s.stepTime())
		}
	})
}

// stopSteps sends the virtual customer away. The caller holds mu.
func (s *Simulator) stopSteps(o *order) {
	s.stopAlarm(o.step)
	o.step, o.steps, o.waiting = nil, nil, false
}
