package simulator

// takeFault returns the first fault of that name that befalls at, and counts it
// down; what the order itself asked for comes first. The caller holds mu.
func (s *Simulator) takeFault(name FaultName, at occasion) (Fault, bool) {
	return s.takeFaultAfter(name, at, -1)
}

// takeFaultAfter is takeFault where the occasion itself knows how many passed
// before it; negative lets the fault count.
func (s *Simulator) takeFaultAfter(name FaultName, at occasion, passed int) (f Fault, ok bool) {
	if r := s.calls.byID[at.order]; r != nil {
		f, ok = r.asked.take(name, at, passed)
	}
	if !ok {
		f, ok = s.faults.take(name, at, passed)
	}
	if ok {
		s.journal.note(Entry{Kind: KindFault, Terminal: at.terminal, Order: s.knownOrder(at.order), Text: "fault " + string(name) + " happens"})
	}
	return f, ok
}

// knownOrder is the id, if it is an order's; anything else stays out of the
// journal. The caller holds mu.
func (s *Simulator) knownOrder(id string) string {
	if s.orders.byID[id] == nil {
		return ""
	}
	return id
}
