package simulator

// takeFault returns the first fault of that name that befalls at, and counts it
// down; what the order itself asked for comes first. The caller holds mu.
func (s *Simulator) takeFault(name FaultName, at occasion) (Fault, bool) {
	return s.takeFaultAfter(name, at, -1)
}

// takeFaultIf is takeFault, or nothing.
func (s *Simulator) takeFaultIf(wanted bool, name FaultName, at occasion) (Fault, bool) {
	if !wanted {
		return Fault{}, false
	}
	return s.takeFault(name, at)
}

// takeFaultAfter is takeFault where the occasion itself knows how many passed
// before it; negative lets the fault count.
func (s *Simulator) takeFaultAfter(name FaultName, at occasion, passed int) (f Fault, ok bool) {
	if r := s.calls.byID[at.order]; r != nil {
		f, ok = r.asked.take(name, at, passed)
	}
	if !ok {
		if f, ok = s.faults.take(name, at, passed); ok && f.Count != Always {
			s.rememberFaults()
		}
	}
	if ok {
		s.journal.note(Entry{Kind: KindFault, Terminal: at.terminal, Order: s.knownOrder(at.order), Text: "fault " + string(name) + " happens"})
	}
	return f, ok
}

// rememberFaults keeps what SetFault set. The caller holds mu.
func (s *Simulator) rememberFaults() {
	faults := s.faults
	s.remember(memory{Faults: &faults})
}

// knownOrder is the id, if it is an order's; anything else stays out of the
// journal. The caller holds mu.
func (s *Simulator) knownOrder(id string) string {
	if s.orders.byID[id] == nil {
		return ""
	}
	return id
}

// takeEvery returns each fault of that name that befalls at, and counts them
// down. The caller holds mu.
func (s *Simulator) takeEvery(name FaultName, at occasion) []Fault {
	taken := s.faults.takeAll(name, at)
	if len(taken) > 0 {
		s.rememberFaults()
	}
	if r := s.calls.byID[at.order]; r != nil {
		taken = append(taken, r.asked.takeAll(name, at)...)
	}
	return taken
}
