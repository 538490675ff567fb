package api

import (
	"cmp"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// mishaps are the faults that befall one API call.
type mishaps struct {
	before, after time.Duration
	instead       *wire.Answer // sent and nothing done
	name          fault.Name
	lose          *fault.Fault
	flatten       bool          // errors go out with 200
	twice         bool          // done twice
	odd           []fault.Fault // ways to write the answer
}

// takeMishaps takes the faults that befall c. The caller holds the lock.
func (a API) takeMishaps(c *call, r *http.Request) (m mishaps) {
	at := c.occasion()
	if f, ok := a.s.Faults.Take(fault.SlowAPI, at); ok {
		f.Delay = cmp.Or(f.Delay, fault.DefaultDelay)
		if f.Late {
			m.after = f.Delay
		} else {
			m.before = f.Delay
		}
	}
	if f, ok := a.s.Faults.Take(fault.FailAPI, at); ok {
		no := wire.FaultRefusal(f)
		m.instead, m.name = &no, f.Name
		return m
	}
	if f, ok := a.s.Faults.TakeIf(c.op == calls.OpCreate, fault.BusyTerminal, at); ok {
		no := wire.BusyTerminal(f, c.terminal)
		m.instead, m.name = &no, f.Name
		return m
	}
	if f, ok := a.s.Faults.Take(fault.Redirect, at); ok {
		no := wire.Redirection(f, r)
		m.instead, m.name = &no, f.Name
		return m
	}
	_, m.flatten = a.s.Faults.Take(fault.ErrorsWith200, at)
	_, m.twice = a.s.Faults.Take(fault.RepeatCall, at)
	m.odd = a.s.Faults.TakeEvery(fault.OddAnswer, at)
	if f, ok := a.s.Faults.Take(fault.LoseAnswer, at); ok {
		m.lose = &f
	}
	if f, ok := a.s.Faults.TakeIf(c.op == calls.OpCreate, fault.LoseCreateAnswer, at); ok {
		m.lose = &f
	}
	return m
}
