package simulator

import "time"

// Operator is who sees everything and may do everything: a person at the page, a
// program with the control API, a test. Its methods may be called from any goroutine.
type Operator struct {
	s     *State
	run   string // tells this simulator from one that was there before at its address
	guide Guide

	// Guarded by the state's lock.
	trapped int
	away    outage
}

// outage is a time in which the provider cannot be reached.
type outage struct {
	until  time.Time
	status int // of every answer; 0 cuts the connection
}

// newOperator returns an operator of s. guide is what it tells of the surroundings.
func newOperator(s *State, guide Guide) *Operator {
	op := &Operator{s: s, run: randomID(12), guide: guide}
	s.OnClear(func() { op.trapped, op.away = 0, outage{} })
	return op
}

// Reset forgets all orders, faults and settings made since the beginning; open
// streams end. The journal goes on.
func (op *Operator) Reset() { op.s.Reset() }
