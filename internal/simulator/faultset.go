package simulator

import (
	"fmt"
	"slices"
	"strconv"
)

// fault is a Fault that is set. The simulator's lock guards it.
type fault struct{ Fault }

// occasion is where a fault can befall somebody.
type occasion struct {
	op       Operation
	order    string
	terminal string
}

func (f *fault) matches(name FaultName, at occasion) bool {
	return f.Name == name &&
		(f.Order == "" || f.Order == at.order) &&
		(f.Terminal == "" || f.Terminal == at.terminal) &&
		(f.Operation == "" || f.Operation == at.op)
}

// takeFault returns the first fault of that name that befalls at, and counts it
// down; what the order itself asked for comes first. The caller holds mu.
func (s *Simulator) takeFault(name FaultName, at occasion) (Fault, bool) {
	return s.takeFaultAfter(name, at, -1)
}

// takeFaultAfter is takeFault where the occasion itself knows how many passed
// before it; negative lets the fault count.
func (s *Simulator) takeFaultAfter(name FaultName, at occasion, passed int) (taken Fault, ok bool) {
	if r := s.calls.byID[at.order]; r != nil && len(r.faults) > 0 {
		taken, ok = takeFrom(&r.faults, name, at, passed)
	}
	if !ok {
		taken, ok = takeFrom(&s.faults, name, at, passed)
	}
	if ok {
		s.note(Entry{Kind: KindFault, Terminal: at.terminal, Order: s.knownOrder(at.order), Text: "fault " + string(name) + " happens"})
	}
	return taken, ok
}

func takeFrom(list *[]*fault, name FaultName, at occasion, passed int) (Fault, bool) {
	for i, f := range *list {
		if !f.matches(name, at) {
			continue
		}
		switch {
		case passed >= 0 && passed < f.After:
			continue
		case passed < 0 && f.After > 0:
			f.After--
			continue
		}
		taken := f.Fault
		if f.Count > 0 {
			f.Count--
			if f.Count == 0 {
				*list = slices.Delete(*list, i, i+1)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// knownOrder is the id, if it is an order's; anything else stays out of the
// journal. The caller holds mu.
func (s *Simulator) knownOrder(id string) string {
	if s.orders[id] == nil {
		return ""
	}
	return id
}

// addFault sets a checked fault. The caller holds mu.
func (s *Simulator) addFault(list *[]*fault, f Fault) Fault {
	if f.Count == 0 {
		f.Count = 1
	}
	if f.ID == "" {
		s.faultSeq++
		f.ID = "f" + strconv.FormatUint(s.faultSeq, 10)
	}
	if i := slices.IndexFunc(*list, func(old *fault) bool { return old.ID == f.ID }); i >= 0 {
		(*list)[i] = &fault{f}
	} else {
		*list = append(*list, &fault{f})
	}
	s.note(Entry{Kind: KindFault, Terminal: f.Terminal, Order: s.knownOrder(f.Order), Text: "fault " + string(f.Name) + " is set as " + f.ID})
	return f
}

// askedFaults sets the faults that a create asks for in custom_2, once per
// order id: a client that sends the same order again is not asking again. The
// caller holds mu.
func (s *Simulator) askedFaults(req createRequest) *answer {
	asked, err := parseFaults(req.CustomInfo.Custom2)
	if err != nil {
		a := validationFailure(violation{"custom_info.custom_2", clip(req.CustomInfo.Custom2, 64), "Simulator: " + err.Error()})
		return &a
	}
	record := s.calls.at(req.OrderID)
	if record.Create > 1 {
		return nil
	}
	for _, f := range asked {
		f.Order = req.OrderID
		s.addFault(&record.faults, f)
	}
	return nil
}

// SetFault sets a fault, in place of one with the same ID, and returns it with
// its ID and Count filled in.
func (s *Simulator) SetFault(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Fault{}, ErrClosed
	}
	if len(s.faults) >= maxFaults {
		return Fault{}, fmt.Errorf("%d faults are set, want at most that", maxFaults)
	}
	f = s.addFault(&s.faults, f)
	for c := range s.conns { // an open stream may be the one
		c.wakeUp()
	}
	return f, nil
}

// Faults returns what was set with SetFault, with what is left of their counts.
// What an order asked for by itself is not among them.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		list[i] = f.Fault
	}
	return list
}

// ClearFault takes a fault back; false when there is none with this ID.
func (s *Simulator) ClearFault(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *fault) bool { return f.ID == id })
	if i < 0 {
		return false
	}
	s.faults = slices.Delete(s.faults, i, i+1)
	s.note(Entry{Kind: KindFault, Text: "fault " + clip(id, 64) + " is taken back"})
	return true
}

// ClearFaults takes all faults back.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.note(Entry{Kind: KindFault, Text: "all faults are taken back"})
}
