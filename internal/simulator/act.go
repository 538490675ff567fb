package simulator

import (
	"strings"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// MaxEvents is how many status changes an order has; further actions are refused.
const MaxEvents = 1_000

// perform does one action to an order. The caller holds the lock.
func (s *State) perform(o *order, action scenario.Action) error {
	if len(o.Events) >= MaxEvents {
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
		o.Number = s.Orders.next(s.now())
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
		s.Journal.Note(o.entry(journal.KindTerminal, "the customer has walked away"))
		return nil
	}
	o.Left = false
	s.restartIdle(o)
	return nil
}

// showCard begins the processing of a card unless it has begun. The caller
// holds the lock.
func (s *State) showCard(o *order) {
	if o.terminal.screen == ScreenProcessing {
		return
	}
	o.CardShown = true
	s.show(o.terminal, ScreenProcessing)
	s.change(o, scenario.StatusInitialized, scenario.StatusInitialized)
}

// giveStatus gives an order any status, and its terminal the screen that goes
// with it. The caller holds the lock.
func (s *State) giveStatus(o *order, status, financial string) {
	switch {
	case status == scenario.StatusCompleted:
		s.showResult(o, ScreenApproved)
	case scenario.IsFinal(status):
		s.showResult(o, ScreenCancelled)
	}
	s.change(o, status, financial)
}
