package simulator

import (
	"strings"
	"time"
)

// stepTime is the pause between two steps of a virtual customer.
func (s *Simulator) stepTime() time.Duration { return s.scaled(time.Second) }

// sendCustomer lets a virtual customer follow the order's scenario; one that
// walks away has left from the start. An eager one acts at once, whether or not
// anybody listens. The caller holds mu.
func (s *Simulator) sendCustomer(o *order, sc ScenarioInfo, eager bool) {
	o.Left = sc.Name == WalkAway
	if len(sc.steps) == 0 {
		return
	}
	o.Steps = sc.steps
	switch {
	case eager:
		s.scheduleStep(o, 0)
	case s.opts.StreamGrace > 0 && len(o.listeners) == 0:
		o.visit.waiting = true
		o.visit.step = s.alarms.after(s.opts.StreamGrace, func() { s.customerComes(o) })
	default:
		s.scheduleStep(o, s.stepTime())
	}
}

// customerComes lets a held-back customer begin. The caller holds mu.
func (s *Simulator) customerComes(o *order) {
	o.visit.waiting = false
	s.alarms.stop(o.visit.step)
	s.scheduleStep(o, s.stepTime())
}

// scheduleStep plans the customer's next step. The caller holds mu.
func (s *Simulator) scheduleStep(o *order, after time.Duration) {
	o.visit.step = s.alarms.after(after, func() {
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

// giveStatus gives an order any status, and its terminal the screen that goes
// with it. The caller holds mu.
func (s *Simulator) giveStatus(o *order, status, financial string) {
	switch {
	case status == statusCompleted:
		s.showResult(o, ScreenApproved)
	case isFinal(status):
		s.showResult(o, ScreenCancelled)
	}
	s.change(o, status, financial)
}

// giveLaterStatus plans the status that a fault has for an order that has just
// changed. The caller holds mu.
func (s *Simulator) giveLaterStatus(o *order) {
	if len(o.Events) == 0 {
		return
	}
	f, ok := s.takeFault(FaultLaterStatus, occasion{order: o.id(), terminal: o.terminal.id, status: o.Status})
	if !ok {
		return
	}
	fill(&f.Delay, DefaultDelay)
	s.alarms.after(f.Delay, func() {
		if !o.gone && len(o.Events) < maxEventsPerOrder {
			s.giveStatus(o, f.Becomes, f.Becomes)
		}
	})
}

// perform does one action to an order. The caller holds mu.
func (s *Simulator) perform(o *order, action Action) error {
	if len(o.Events) >= maxEventsPerOrder {
		return ErrOrderFull
	}
	if status := afterwards[action]; status != "" {
		if o.Status != statusCompleted {
			return ErrNoPayment
		}
		s.showResult(o, ScreenReversed)
		s.change(o, status, status)
		return nil
	}
	if status, ok := strings.CutPrefix(string(action), statusActions); ok {
		s.giveStatus(o, status, status)
		return nil
	}
	t := o.terminal
	if t.order != o || o.Stuck {
		return ErrNoPayment
	}
	switch action {
	case actStepUp:
		o.Number = s.orders.next(s.now())
		s.showCard(o)
	case ActTap, ActPIN:
		s.showCard(o)
	case ActInsert:
		s.show(t, ScreenPIN)
	case ActApprove:
		s.showCard(o)
		s.show(t, ScreenApproved)
		s.change(o, statusCompleted, statusCompleted)
		return nil
	case ActDecline:
		s.showCard(o)
		s.show(t, ScreenDeclined)
		s.change(o, statusDeclined, statusDeclined)
	case ActCancel:
		s.show(t, ScreenCancelled)
		s.change(o, statusCancelled, statusCancelled)
		return nil
	case ActWalkAway:
		o.Left = true
		s.journal.note(o.entry(KindTerminal, "the customer has walked away"))
		return nil
	}
	o.Left = false
	s.restartIdle(o)
	return nil
}

// showCard begins the processing of a card unless it has begun. The caller
// holds mu.
func (s *Simulator) showCard(o *order) {
	if o.terminal.screen == ScreenProcessing {
		return
	}
	o.CardShown = true
	s.show(o.terminal, ScreenProcessing)
	s.change(o, statusInitialized, statusInitialized)
}
