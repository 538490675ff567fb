package simulator

import (
	"cmp"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// stepTime is the pause between two steps of a virtual customer.
func (s *Simulator) stepTime() time.Duration { return s.scaled(time.Second) }

// sendCustomer lets a virtual customer follow the order's scenario; one that
// walks away has left from the start. An eager one acts at once, whether or not
// anybody listens. The caller holds mu.
func (s *Simulator) sendCustomer(o *order, sc scenario.Info, eager bool) {
	o.Left = sc.Name == scenario.WalkAway
	if len(sc.Steps) == 0 {
		return
	}
	o.Steps = sc.Steps
	switch {
	case eager:
		s.scheduleStep(o, 0)
	case s.opts.StreamGrace > 0 && len(o.listeners) == 0:
		o.visit.waiting = true
		o.visit.step = s.alarms.After(s.opts.StreamGrace, func() { s.customerComes(o) })
	default:
		s.scheduleStep(o, s.stepTime())
	}
}

// customerComes lets a held-back customer begin. The caller holds mu.
func (s *Simulator) customerComes(o *order) {
	o.visit.waiting = false
	s.alarms.Stop(o.visit.step)
	s.scheduleStep(o, s.stepTime())
}

// scheduleStep plans the customer's next step. The caller holds mu.
func (s *Simulator) scheduleStep(o *order, after time.Duration) {
	o.visit.step = s.alarms.After(after, func() {
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
	case status == scenario.StatusCompleted:
		s.showResult(o, ScreenApproved)
	case scenario.IsFinal(status):
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
	f, ok := s.takeFault(fault.LaterStatus, fault.Occasion{Order: o.id(), Terminal: o.terminal.id, Status: o.Status})
	if !ok {
		return
	}
	f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
	s.alarms.After(f.Delay, func() {
		if !o.gone && len(o.Events) < maxEventsPerOrder {
			s.giveStatus(o, f.Becomes, f.Becomes)
		}
	})
}

// perform does one action to an order. The caller holds mu.
func (s *Simulator) perform(o *order, action scenario.Action) error {
	if len(o.Events) >= maxEventsPerOrder {
		return ErrOrderFull
	}
	if status := scenario.Afterwards[action]; status != "" {
		if o.Status != scenario.StatusCompleted {
			return ErrNoPayment
		}
		s.showResult(o, ScreenReversed)
		s.change(o, status, status)
		return nil
	}
	if status, ok := strings.CutPrefix(string(action), scenario.StatusPrefix); ok {
		s.giveStatus(o, status, status)
		return nil
	}
	t := o.terminal
	if t.order != o || o.Stuck {
		return ErrNoPayment
	}
	switch action {
	case scenario.ActStepUp:
		o.Number = s.orders.next(s.now())
		s.showCard(o)
	case scenario.ActTap, scenario.ActPIN:
		s.showCard(o)
	case scenario.ActInsert:
		s.show(t, ScreenPIN)
	case scenario.ActApprove:
		s.showCard(o)
		s.show(t, ScreenApproved)
		s.change(o, scenario.StatusCompleted, scenario.StatusCompleted)
		return nil
	case scenario.ActDecline:
		s.showCard(o)
		s.show(t, ScreenDeclined)
		s.change(o, scenario.StatusDeclined, scenario.StatusDeclined)
	case scenario.ActCancel:
		s.show(t, ScreenCancelled)
		s.change(o, scenario.StatusCancelled, scenario.StatusCancelled)
		return nil
	case scenario.ActWalkAway:
		o.Left = true
		s.journal.Note(o.entry(journal.KindTerminal, "the customer has walked away"))
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
	s.change(o, scenario.StatusInitialized, scenario.StatusInitialized)
}
