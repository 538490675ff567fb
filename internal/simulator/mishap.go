package simulator

import (
	"net/http"
	"time"
)

// mishaps are the faults that befall one API call.
type mishaps struct {
	before, after time.Duration
	instead       *answer // sent and nothing done
	name          FaultName
	lose          *Fault
	flatten       bool    // errors go out with 200
	twice         bool    // done twice
	odd           []Fault // ways to write the answer
}

// takeMishaps takes the faults that befall c. The caller holds mu.
func (s *Simulator) takeMishaps(c *call, r *http.Request) (m mishaps) {
	at := c.occasion()
	if f, ok := s.takeFault(FaultSlowAPI, at); ok {
		fill(&f.Delay, DefaultDelay)
		if f.Late {
			m.after = f.Delay
		} else {
			m.before = f.Delay
		}
	}
	if f, ok := s.takeFault(FaultFailAPI, at); ok {
		a := f.refusal()
		m.instead, m.name = &a, f.Name
		return m
	}
	if f, ok := s.takeFaultIf(c.op == OpCreate, FaultBusyTerminal, at); ok {
		a := f.busy(c.terminal)
		m.instead, m.name = &a, f.Name
		return m
	}
	if f, ok := s.takeFault(FaultRedirect, at); ok {
		a := f.redirection(r)
		m.instead, m.name = &a, f.Name
		return m
	}
	_, m.flatten = s.takeFault(FaultErrorsWith200, at)
	_, m.twice = s.takeFault(FaultRepeatCall, at)
	m.odd = s.takeEvery(FaultOddAnswer, at)
	if f, ok := s.takeFault(FaultLoseAnswer, at); ok {
		m.lose = &f
	}
	if f, ok := s.takeFaultIf(c.op == OpCreate, FaultLoseCreateAnswer, at); ok {
		m.lose = &f
	}
	return m
}
