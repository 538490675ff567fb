package simulator

import "github.com/posbridge/bridge/internal/simulator/scenario"

// memories are everything that a simulator knows and must not forget. The caller
// holds the lock.
func (s *State) memories() []memory {
	set := s.Faults.set
	list := []memory{{Faults: &set}}
	for _, t := range s.Terminals.listed {
		list = append(list, memory{Terminal: t.memory()})
	}
	for _, o := range s.Orders.finished {
		list = append(list, memory{Order: s.memoryOf(o)})
	}
	for _, t := range s.Terminals.listed {
		if t.order != nil {
			list = append(list, memory{Order: s.memoryOf(t.order)})
		}
	}
	return list
}

func (t *terminal) memory() *terminalMemory {
	return &terminalMemory{ID: t.id, Mode: t.mode, Scenario: t.scenario}
}

// recall makes a new simulator go on where another one ended. Orders of terminals
// that are no longer there are forgotten. The caller holds the lock.
func (s *State) recall(kept recollection) {
	s.Faults.set = kept.faults
	for _, t := range s.Terminals.listed {
		if m := kept.terminals[t.id]; m != nil {
			t.mode, t.scenario = m.Mode, m.Scenario
		}
	}
	for _, m := range kept.latest() {
		if t := s.Terminals.byID[m.Create.GatewayInfo.TerminalID]; t != nil {
			s.recallOrder(m, t)
		}
	}
}

func (s *State) recallOrder(m *orderMemory, t *terminal) {
	o := &order{facts: m.facts, terminal: t, listeners: map[listener]struct{}{}}
	s.Orders.byID[o.id()], s.Orders.bySession[o.Session] = o, o
	s.Orders.number = max(s.Orders.number, o.Number)
	s.Faults.calls.recall(o.id(), m.Calls, m.Asked)
	if t.order == nil {
		t.last = o
	}
	if o.Finished {
		s.finish(o)
	} else {
		t.order = o
		s.resume(o)
	}
	if len(o.Steps) > 0 { // once the client is back
		o.visit.waiting = true
		o.visit.step = s.Alarms.After(max(0, s.StreamGrace), func() { s.customerComes(o) })
	}
}

// resume puts an open order back on its terminal.
func (s *State) resume(o *order) {
	screen := ScreenAmountDue
	if o.Status == scenario.StatusInitialized && o.CardShown {
		screen = ScreenProcessing
	}
	s.show(o.terminal, screen)
	if !o.Stuck {
		s.restartIdle(o)
	}
}
