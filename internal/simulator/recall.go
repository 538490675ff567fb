package simulator

// memories are everything that a simulator knows and must not forget. The caller
// holds mu.
func (s *Simulator) memories() []memory {
	faults := s.faults
	list := []memory{{Signing: s.tokens.secret}, {Faults: &faults}}
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
	m := &orderMemory{
		Create: o.create, Session: o.session, Number: o.number, Status: o.status, Financial: o.financial,
		Events: o.events, Created: o.created, Modified: o.modified, Completed: o.completed,
		Charged: o.charged, Emitted: o.emitted, Scenario: o.customer.scenario, Steps: o.customer.steps,
		Left: o.customer.left, CardShown: o.cardShown, Stuck: o.stuck, Finished: o.finished, TokenEnd: o.tokenEnd,
	}
	if r := s.calls.byID[o.id()]; r != nil {
		m.Calls, m.Asked = r.Calls, r.asked
	}
	return m
}

// recall makes a new simulator go on where another one ended. Orders of terminals
// that are no longer there are forgotten. The caller holds mu.
func (s *Simulator) recall(kept recollection) {
	if kept.secret != nil {
		s.tokens.secret = kept.secret
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
	o := &order{
		create: m.Create, terminal: t, session: m.Session, number: m.Number, status: m.Status, financial: m.Financial,
		events: m.Events, created: m.Created, modified: m.Modified, completed: m.Completed,
		charged: m.Charged, emitted: m.Emitted, cardShown: m.CardShown, stuck: m.Stuck, tokenEnd: m.TokenEnd,
		customer:  visit{scenario: m.Scenario, left: m.Left},
		listeners: map[listener]struct{}{},
	}
	s.orders.byID[o.id()], s.orders.bySession[o.session] = o, o
	s.orders.number = max(s.orders.number, o.number)
	record := s.calls.at(o.id())
	record.Calls, record.asked = m.Calls, m.Asked
	if t.order == nil {
		t.last = o
	}
	if m.Finished {
		s.finish(o)
	} else {
		t.order = o
		s.resume(o)
	}
	if len(m.Steps) > 0 { // once the client is back
		o.customer.steps, o.customer.waiting = m.Steps, true
		o.customer.step = s.alarms.after(max(0, s.opts.StreamGrace), func() { s.customerComes(o) })
	}
}

// resume puts an open order back on its terminal.
func (s *Simulator) resume(o *order) {
	screen := ScreenAmountDue
	if o.status == statusInitialized && o.cardShown {
		screen = ScreenProcessing
	}
	s.show(o.terminal, screen)
	if !o.stuck {
		s.restartIdle(o)
	}
}
