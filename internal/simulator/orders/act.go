package orders

import (
	"strings"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// MaxEvents is how many status changes an order has; further actions are refused.
const MaxEvents = 1_000

// Perform does one action to an order. The caller holds the lock.
func (s *State) Perform(o *Order, action scenario.Action) error {
	if len(o.Events) >= MaxEvents {
		return ErrOrderFull
	}
	if status := scenario.Afterwards[action]; status != "" {
		if o.Status != scenario.StatusCompleted {
			return ErrNoPayment
		}
		s.ShowResult(o, ScreenReversed)
		s.Change(o, status, status)
		return nil
	}
	if status, ok := strings.CutPrefix(string(action), scenario.StatusPrefix); ok {
		s.GiveStatus(o, status, status)
		return nil
	}
	t := o.Terminal
	if t.Order != o || o.Stuck {
		return ErrNoPayment
	}
	switch action {
	case scenario.ActStepUp:
		o.Number = s.Orders.next(s.Now())
		s.showCard(o)
	case scenario.ActTap, scenario.ActPIN:
		s.showCard(o)
	case scenario.ActInsert:
		s.Show(t, ScreenPIN)
	case scenario.ActApprove:
		s.showCard(o)
		s.Show(t, ScreenApproved)
		s.Change(o, scenario.StatusCompleted, scenario.StatusCompleted)
		return nil
	case scenario.ActDecline:
		s.showCard(o)
		s.Show(t, ScreenDeclined)
		s.Change(o, scenario.StatusDeclined, scenario.StatusDeclined)
	case scenario.ActCancel:
		s.Show(t, ScreenCancelled)
		s.Change(o, scenario.StatusCancelled, scenario.StatusCancelled)
		return nil
	case scenario.ActWalkAway:
		o.Left = true
		s.Journal.Note(o.Entry(journal.KindTerminal, "the customer has walked away"))
		return nil
	}
	o.Left = false
	s.RestartIdle(o)
	return nil
}

// showCard begins the processing of a card unless it has begun. The caller
// holds the lock.
func (s *State) showCard(o *Order) {
	if o.Terminal.Screen == ScreenProcessing {
		return
	}
	o.CardShown = true
	s.Show(o.Terminal, ScreenProcessing)
	s.Change(o, scenario.StatusInitialized, scenario.StatusInitialized)
}

// GiveStatus gives an order any status, and its terminal the screen that goes
// with it. The caller holds the lock.
func (s *State) GiveStatus(o *Order, status, financial string) {
	switch {
	case status == scenario.StatusCompleted:
		s.ShowResult(o, ScreenApproved)
	case scenario.IsFinal(status):
		s.ShowResult(o, ScreenCancelled)
	}
	s.Change(o, status, financial)
}
