// Package operator is what people, programs and tests see and do: acts at terminals,
// statuses, faults, and waiting for what happens.
package operator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/view"
)

// Operator is who sees everything and may do everything: a person at the page, a
// program with the control API, a test. Its methods may be called from any goroutine.
type Operator struct {
	s     *orders.State
	run   string // tells this simulator from one that was there before at its address
	guide view.Guide

	// Guarded by the state's lock.
	trapped int
	away    outage
}

// outage is a time in which the provider cannot be reached.
type outage struct {
	until  time.Time
	status int // of every answer; 0 cuts the connection
}

// New returns an operator of s. guide is what it tells of the surroundings.
func New(s *orders.State, guide view.Guide) *Operator {
	op := &Operator{s: s, run: orders.RandomID(12), guide: guide}
	s.OnClear(func() { op.trapped, op.away = 0, outage{} })
	return op
}

// Reset forgets all orders, faults and settings made since the beginning; open
// streams end. The journal goes on.
func (op *Operator) Reset() { op.s.Reset() }
