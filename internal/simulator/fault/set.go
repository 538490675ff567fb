package fault

import (
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
)

// Occasion is where a fault can befall somebody.
type Occasion struct {
	Op       calls.Operation
	Order    string
	Terminal string
	Status   string // that the order has got, for later_status
}

// befalls tells whether f can happen there.
func (f Fault) befalls(at Occasion) bool {
	return (f.Order == "" || f.Order == at.Order) &&
		(f.Terminal == "" || f.Terminal == at.Terminal) &&
		(f.Operation == "" || f.Operation == at.Op) &&
		(f.When == "" || f.When == at.Status)
}

// Set are faults that are set, in the order in which they were. The
// state's lock guards it.
type Set []Fault

// Take returns the first fault of that name that befalls at, and counts it down.
// passed is how many occasions there were before on the same connection;
// negative lets the fault count them.
func (s *Set) Take(name Name, at Occasion, passed int) (Fault, bool) {
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

// TakeAll returns every fault of that name that befalls at, and counts them down.
func (s *Set) TakeAll(name Name, at Occasion) (taken []Fault) {
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
func (s *Set) happen(i, passed int) (Fault, bool) {
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

// Put adds f, in place of one with the same ID.
func (s *Set) Put(f Fault) {
	if i := s.index(f.ID); i >= 0 {
		(*s)[i] = f
		return
	}
	*s = append(*s, f)
}

// Drop takes back the fault with an ID; false when there is none.
func (s *Set) Drop(id string) bool {
	i := s.index(id)
	if i >= 0 {
		*s = slices.Delete(*s, i, i+1)
	}
	return i >= 0
}

func (s *Set) index(id string) int {
	return slices.IndexFunc(*s, func(f Fault) bool { return f.ID == id })
}
