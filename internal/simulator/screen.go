package simulator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/journal"
)

// How long a terminal shows how it went, at Pace 1, before it goes back to the
// payment screen or to rest.
const resultScreenTime = 3 * time.Second

// showResult shows how an order went, unless its terminal is busy with another.
// The caller holds the lock.
func (s *State) showResult(o *order, screen Screen) {
	if t := o.terminal; t.last == o {
		s.show(t, screen)
	}
}

// show puts a screen on a terminal. Results go away by themselves. The caller
// holds the lock.
func (s *State) show(t *terminal, screen Screen) {
	s.Alarms.Stop(t.revert)
	t.revert = nil
	t.screen, t.since = screen, s.now()
	s.Journal.Note(journal.Entry{Kind: journal.KindTerminal, Terminal: t.id, Text: "screen " + string(screen)})
	next := ScreenIdle
	switch screen {
	case ScreenDeclined:
		next = ScreenAmountDue
	case ScreenApproved, ScreenCancelled, ScreenReversed:
	default:
		return
	}
	t.revert = s.Alarms.After(s.scaled(resultScreenTime), func() { s.show(t, next) })
}
