package orders

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/journal"
)

// How long a terminal shows how it went, at Pace 1, before it goes back to the
// payment screen or to rest.
const resultScreenTime = 3 * time.Second

// ShowResult shows how an order went, unless its terminal is busy with another.
// The caller holds the lock.
func (s *State) ShowResult(o *Order, screen Screen) {
	if t := o.Terminal; t.Last == o {
		s.Show(t, screen)
	}
}

// Show puts a screen on a terminal. Results go away by themselves. The caller
// holds the lock.
func (s *State) Show(t *Terminal, screen Screen) {
	s.Alarms.Stop(t.revert)
	t.revert = nil
	t.Screen, t.Since = screen, s.Now()
	s.Journal.Note(journal.Entry{Kind: journal.KindTerminal, Terminal: t.ID, Text: "screen " + string(screen)})
	next := ScreenIdle
	switch screen {
	case ScreenDeclined:
		next = ScreenAmountDue
	case ScreenApproved, ScreenCancelled, ScreenReversed:
	default:
		return
	}
	t.revert = s.Alarms.After(s.scaled(resultScreenTime), func() { s.Show(t, next) })
}
