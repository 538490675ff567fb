package orders

import "github.com/posbridge/bridge/internal/simulator/scenario"

// Memories are everything that a simulator knows and must not forget. The caller
// holds the lock.
func (s *State) Memories() []Memory {
	set := s.Faults.set
	list := []Memory{{Faults: &set}}
	for _, t := range s.Terminals.Listed {
		list = append(list, Memory{Terminal: t.memory()})
	}
	for _, o := range s.Orders.Finished {
		list = append(list, Memory{Order: s.memoryOf(o)})
	}
	for _, t := range s.Terminals.Listed {
		if t.Order != nil {
			list = append(list, Memory{Order: s.memoryOf(t.Order)})
		}
	}
	return list
}

func (t *Terminal) memory() *terminalMemory {
	return &terminalMemory{ID: t.ID, Mode: t.Mode, Scenario: t.Scenario}
}

// Recall makes a new simulator go on where another one ended. Orders of terminals
// that are no longer there are forgotten. The caller holds the lock.
func (s *State) Recall(kept Recollection) {
	s.Faults.set = kept.faults
	for _, t := range s.Terminals.Listed {
		if m := kept.terminals[t.ID]; m != nil {
			t.Mode, t.Scenario = m.Mode, m.Scenario
		}
	}
	for _, m := range kept.latest() {
		if t := s.Terminals.ByID[m.Create.GatewayInfo.TerminalID]; t != nil {
			s.recallOrder(m, t)
		}
	}
}

func (s *State) recallOrder(m *orderMemory, t *Terminal) {
	o := &Order{facts: m.facts, Terminal: t, Listeners: map[Listener]struct{}{}}
	s.Orders.ByID[o.ID()], s.Orders.BySession[o.Session] = o, o
	s.Orders.number = max(s.Orders.number, o.Number)
	s.Faults.calls.recall(o.ID(), m.Calls, m.Asked)
	if t.Order == nil {
		t.Last = o
	}
	if o.Finished {
		s.finish(o)
	} else {
		t.Order = o
		s.resume(o)
	}
	if len(o.Steps) > 0 { // once the client is back
		o.Visit.Waiting = true
		o.Visit.step = s.Alarms.After(max(0, s.StreamGrace), func() { s.CustomerComes(o) })
	}
}

// resume puts an open order back on its terminal.
func (s *State) resume(o *Order) {
	screen := ScreenAmountDue
	if o.Status == scenario.StatusInitialized && o.CardShown {
		screen = ScreenProcessing
	}
	s.Show(o.Terminal, screen)
	if !o.Stuck {
		s.RestartIdle(o)
	}
}
