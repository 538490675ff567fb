package simulator

import "slices"

// occasion is where a fault can befall somebody.
type occasion struct {
	op       Operation
	order    string
	terminal string
	status   string // that the order has got, for later_status
}

// befalls tells whether f can happen there.
func (f Fault) befalls(at occasion) bool {
	return (f.Order == "" || f.Order == at.order) &&
		(f.Terminal == "" || f.Terminal == at.terminal) &&
		(f.Operation == "" || f.Operation == at.op) &&
		(f.When == "" || f.When == at.status)
}

// faultSet are faults that are set, in the order in which they were. The
// simulator's lock guards it.
type faultSet []Fault

// take returns the first fault of that name that befalls at, and counts it down.
// passed is how many occasions there were before on the same connection;
// negative lets the fault count them.
func (s *faultSet) take(name FaultName, at occasion, passed int) (Fault, bool) {
	for i, f := range *s {
		if f.Name != name || !f.befalls(at) {
			continue
		}
		if f, ok := s.happen(i, passed); ok {
			return f, true
		}
	}
	return Fault{}, false
}

// takeAll returns every fault of that name that befalls at, and counts them down.
func (s *faultSet) takeAll(name FaultName, at occasion) (taken []Fault) {
	for _, f := range slices.Clone(*s) {
		if f.Name != name || !f.befalls(at) {
			continue
		}
		if f, ok := s.happen(s.index(f.ID), -1); ok {
			taken = append(taken, f)
		}
	}
	return taken
}

// happen returns a fault as it was, and counts it down, if enough have passed.
func (s *faultSet) happen(i, passed int) (Fault, bool) {
	f := &(*s)[i]
	switch {
	case passed >= 0 && passed < f.After:
		return Fault{}, false
	case passed < 0 && f.After > 0:
		f.After--
		return Fault{}, false
	}
	taken := *f
	if f.Count > 0 {
		f.Count--
		if f.Count == 0 {
			*s = slices.Delete(*s, i, i+1)
		}
	}
	return taken, true
}

// put adds f, in place of one with the same ID.
func (s *faultSet) put(f Fault) {
	if i := s.index(f.ID); i >= 0 {
		(*s)[i] = f
		return
	}
	*s = append(*s, f)
}

// drop takes back the fault with an ID; false when there is none.
func (s *faultSet) drop(id string) bool {
	i := s.index(id)
	if i >= 0 {
		*s = slices.Delete(*s, i, i+1)
	}
	return i >= 0
}

func (s *faultSet) index(id string) int {
	return slices.IndexFunc(*s, func(f Fault) bool { return f.ID == id })
}
