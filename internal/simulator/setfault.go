package simulator

import (
	"fmt"
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// addFault sets a checked fault. The caller holds mu.
func (s *Simulator) addFault(set *fault.Set, f fault.Fault) fault.Fault {
	f = f.WithDefaults()
	if f.ID == "" {
		s.faultSeq++
		f.ID = "f" + strconv.FormatUint(s.faultSeq, 10)
	}
	set.Put(f)
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Terminal: f.Terminal, Order: s.knownOrder(f.Order), Text: "fault " + string(f.Name) + " is set as " + f.ID})
	return f
}

// askedFaults sets the faults that a create asks for in custom_2, once per
// order id: a client that sends the same order again is not asking again. The
// caller holds mu.
func (s *Simulator) askedFaults(req createRequest) *answer {
	asked, err := fault.Parse(req.CustomInfo.Custom2)
	if err != nil {
		a := validationFailure(violation{"custom_info.custom_2", []string{journal.Clip(req.CustomInfo.Custom2, 64)}, "Simulator: " + err.Error()})
		return &a
	}
	record := s.calls.at(req.OrderID)
	if record.Create > 1 {
		return nil
	}
	for _, f := range asked {
		f.Order = req.OrderID
		s.addFault(&record.asked, f)
	}
	return nil
}

// SetFault sets a fault, in place of one with the same ID, and returns it with
// its ID and Count filled in.
func (s *Simulator) SetFault(f fault.Fault) (fault.Fault, error) {
	if err := f.Check(); err != nil {
		return fault.Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fault.Fault{}, ErrClosed
	}
	if len(s.faults) >= maxFaults {
		return fault.Fault{}, fmt.Errorf("%d faults are set, want at most that", maxFaults)
	}
	f = s.addFault(&s.faults, f)
	s.rememberFaults()
	for l := range s.listeners { // an open stream may be the one
		l.wakeUp()
	}
	return f, nil
}

// Faults returns what was set with SetFault, with what is left of their counts.
// What an order asked for by itself is not among them.
func (s *Simulator) Faults() []fault.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]fault.Fault{}, s.faults...)
}

// ClearFault takes a fault back; false when there is none with this ID.
func (s *Simulator) ClearFault(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.faults.Drop(id) {
		return false
	}
	s.rememberFaults()
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Text: "fault " + journal.Clip(id, 64) + " is taken back"})
	return true
}

// ClearFaults takes all faults back.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.rememberFaults()
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Text: "all faults are taken back"})
}
