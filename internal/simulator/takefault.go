package simulator

import (
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// takeFault returns the first fault of that name that befalls at, and counts it
// down; what the order itself asked for comes first. The caller holds mu.
func (s *Simulator) takeFault(name fault.Name, at fault.Occasion) (fault.Fault, bool) {
	return s.takeFaultAfter(name, at, -1)
}

// takeFaultIf is takeFault, or nothing.
func (s *Simulator) takeFaultIf(wanted bool, name fault.Name, at fault.Occasion) (fault.Fault, bool) {
	if !wanted {
		return fault.Fault{}, false
	}
	return s.takeFault(name, at)
}

// takeFaultAfter is takeFault where the occasion itself knows how many passed
// before it; negative lets the fault count.
func (s *Simulator) takeFaultAfter(name fault.Name, at fault.Occasion, passed int) (f fault.Fault, ok bool) {
	if r := s.calls.byID[at.Order]; r != nil {
		f, ok = r.asked.Take(name, at, passed)
	}
	if !ok {
		if f, ok = s.faults.Take(name, at, passed); ok && f.Count != fault.Always {
			s.rememberFaults()
		}
	}
	if ok {
		s.journal.Note(journal.Entry{Kind: journal.KindFault, Terminal: at.Terminal, Order: s.knownOrder(at.Order), Text: "fault " + string(name) + " happens"})
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
func (s *Simulator) takeEvery(name fault.Name, at fault.Occasion) []fault.Fault {
	taken := s.faults.TakeAll(name, at)
	if len(taken) > 0 {
		s.rememberFaults()
	}
	if r := s.calls.byID[at.Order]; r != nil {
		taken = append(taken, r.asked.TakeAll(name, at)...)
	}
	return taken
}
