package simulator

import (
	"cmp"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
)

// mishaps are the faults that befall one API call.
type mishaps struct {
	before, after time.Duration
	instead       *answer // sent and nothing done
	name          fault.Name
	lose          *fault.Fault
	flatten       bool          // errors go out with 200
	twice         bool          // done twice
	odd           []fault.Fault // ways to write the answer
}

// takeMishaps takes the faults that befall c. The caller holds mu.
func (s *Simulator) takeMishaps(c *call, r *http.Request) (m mishaps) {
	at := c.occasion()
	if f, ok := s.takeFault(fault.SlowAPI, at); ok {
		f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
		if f.Late {
			m.after = f.Delay
		} else {
			m.before = f.Delay
		}
	}
	if f, ok := s.takeFault(fault.FailAPI, at); ok {
		a := refusalOf(f)
		m.instead, m.name = &a, f.Name
		return m
	}
	if f, ok := s.takeFaultIf(c.op == calls.OpCreate, fault.BusyTerminal, at); ok {
		a := busyTerminal(f, c.terminal)
		m.instead, m.name = &a, f.Name
		return m
	}
	if f, ok := s.takeFault(fault.Redirect, at); ok {
		a := redirection(f, r)
		m.instead, m.name = &a, f.Name
		return m
	}
	_, m.flatten = s.takeFault(fault.ErrorsWith200, at)
	_, m.twice = s.takeFault(fault.RepeatCall, at)
	m.odd = s.takeEvery(fault.OddAnswer, at)
	if f, ok := s.takeFault(fault.LoseAnswer, at); ok {
		m.lose = &f
	}
	if f, ok := s.takeFaultIf(c.op == calls.OpCreate, fault.LoseCreateAnswer, at); ok {
		m.lose = &f
	}
	return m
}
