package simulator

import "github.com/posbridge/bridge/internal/simulator/scenario"

// memories are everything that a simulator knows and must not forget. The caller
// holds mu.
func (s *Simulator) memories() []memory {
	faults := s.faults
	list := []memory{{Signing: s.tokens.Secret}, {Faults: &faults}}
	for _, t := range s.terminals.listed {
		list = append(list, memory{Terminal: t.memory()})
	}
	for _, o := range s.orders.finished {
		list = append(list, memory{Order: s.memoryOf(o)})
	}
	for _, t := range s.terminals.listed {
		if t.order != nil {
			list = append(list, memory{Order: s.memoryOf(t.order)})
		}
	}
	return list
}

func (t *terminal) memory() *terminalMemory {
	return &terminalMemory{ID: t.id, Mode: t.mode, Scenario: t.scenario}
}

func (s *Simulator) memoryOf(o *order) *orderMemory {
	m := &orderMemory{facts: o.facts}
	if r := s.calls.byID[o.id()]; r != nil {
		m.Calls, m.Asked = r.Counts, r.asked
	}
	return m
}

// recall makes a new simulator go on where another one ended. Orders of terminals
// that are no longer there are forgotten. The caller holds mu.
func (s *Simulator) recall(kept recollection) {
	if kept.secret != nil {
		s.tokens.Secret = kept.secret
	}
	s.faults = kept.faults
	for _, t := range s.terminals.listed {
		if m := kept.terminals[t.id]; m != nil {
			t.mode, t.scenario = m.Mode, m.Scenario
		}
	}
	for _, m := range kept.latest() {
		if t := s.terminals.byID[m.Create.GatewayInfo.TerminalID]; t != nil {
			s.recallOrder(m, t)
		}
	}
}

func (s *Simulator) recallOrder(m *orderMemory, t *terminal) {
	o := &order{facts: m.facts, terminal: t, listeners: map[listener]struct{}{}}
	s.orders.byID[o.id()], s.orders.bySession[o.Session] = o, o
	s.orders.number = max(s.orders.number, o.Number)
	record := s.calls.at(o.id())
	record.Counts, record.asked = m.Calls, m.Asked
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
		o.visit.step = s.alarms.After(max(0, s.opts.StreamGrace), func() { s.customerComes(o) })
	}
}

// resume puts an open order back on its terminal.
func (s *Simulator) resume(o *order) {
	screen := ScreenAmountDue
	if o.Status == scenario.StatusInitialized && o.CardShown {
		screen = ScreenProcessing
	}
	s.show(o.terminal, screen)
	if !o.Stuck {
		s.restartIdle(o)
	}
}
