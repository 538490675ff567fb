package orders

import (
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Configure applies checked settings. The caller holds the lock.
func (s *State) Configure(t *Terminal, mode Mode, plan scenario.Scenario) {
	if mode != "" {
		t.Mode = mode
	}
	if plan != "" {
		t.Scenario = plan
	}
	if o := t.Order; o != nil {
		switch {
		case mode == Manual:
			s.StopSteps(o)
			o.Left = false
			o.wakeStreams()
		case mode == Auto && o.untouched():
			if sc, err := scenario.ByName(o.Scenario); err == nil {
				s.SendCustomer(o, sc, false)
			}
		}
	}
	s.remember(Memory{Terminal: t.memory()})
	s.Journal.Note(journal.Entry{Kind: journal.KindTerminal, Terminal: t.ID, Text: "mode " + string(t.Mode) + ", scenario " + string(t.Scenario)})
}
