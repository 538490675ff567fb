package orders

import (
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// AddOrder puts a new order on its terminal, which must be free. The caller
// holds the lock.
func (s *State) AddOrder(req Request, t *Terminal, sc scenario.Scenario) *Order {
	now := s.Now()
	o := &Order{
		facts: facts{
			Create: req, Session: RandomID(39), Number: s.Orders.next(now),
			Status: scenario.StatusInitialized, Financial: scenario.StatusInitialized,
			Created: now, Modified: now, Scenario: sc,
		},
		Terminal: t, Listeners: map[Listener]struct{}{},
	}
	s.Orders.ByID[req.OrderID], s.Orders.BySession[o.Session] = o, o
	t.Order, t.Last = o, o
	s.Journal.Note(o.Entry(journal.KindOrder, "order of "+money(req.Amount, req.Currency)+" on the terminal, scenario "+string(sc)))
	s.Show(t, ScreenAmountDue)
	s.RestartIdle(o)
	return o
}

// Change gives o a status and tells everybody. The caller holds the lock.
func (s *State) Change(o *Order, status, financial string) {
	now := s.Now()
	o.Status, o.Financial, o.Modified = status, financial, now
	if status == scenario.StatusCompleted {
		o.Completed = now
		if sc, err := scenario.ByName(o.Scenario); err == nil && sc.Charge != nil && o.Charged == 0 {
			o.Charged = sc.Charge(o.Create.Amount)
		}
	}
	o.Events = append(o.Events, Event{Status: status, FinancialStatus: financial, At: now, TransactionID: o.Number})
	e := o.Entry(journal.KindStatus, status)
	e.Status = status
	s.Journal.Note(e)
	s.Logger.Info("order changed",
		zap.String("terminal", o.Terminal.ID), zap.String("order_id", o.ID()), zap.String("status", status))
	if scenario.IsFinal(status) && !o.Finished {
		s.finish(o)
	}
	o.wakeStreams()
	s.Tell(o)
}

// Tell lets the watchers know that o was made or has changed. The caller holds
// the lock.
func (s *State) Tell(o *Order) {
	for _, watch := range s.watchers {
		watch(o)
	}
}

// finish frees the terminal and puts o among the finished ones. The caller
// holds the lock.
func (s *State) finish(o *Order) {
	s.Alarms.Stop(o.Idle)
	o.Idle = nil
	if o.Terminal.Order == o {
		o.Terminal.Order = nil
	}
	o.Finished = true
	s.Orders.Finished = append(s.Orders.Finished, o)
	for len(s.Orders.Finished) > s.History {
		old := s.Orders.Finished[0]
		s.Orders.Finished[0] = nil
		s.Orders.Finished = s.Orders.Finished[1:]
		s.forget(old)
	}
}

// forget drops a finished order. The caller holds the lock.
func (s *State) forget(o *Order) {
	s.Alarms.Stop(o.Visit.step)
	delete(s.Orders.ByID, o.ID())
	delete(s.Orders.BySession, o.Session)
	if o.Terminal.Last == o {
		o.Terminal.Last = nil
	}
	o.Gone = true
	o.wakeStreams()
}

// StopSteps sends the virtual customer away. The caller holds the lock.
func (s *State) StopSteps(o *Order) {
	s.Alarms.Stop(o.Visit.step)
	o.Visit.step, o.Steps, o.Visit.Waiting = nil, nil, false
}

// RestartIdle begins the inactivity time anew. The caller holds the lock.
func (s *State) RestartIdle(o *Order) {
	s.Alarms.Stop(o.Idle)
	o.Terminal.Deadline = s.Now().Add(s.InactivityTimeout)
	o.Idle = s.Alarms.After(s.InactivityTimeout, func() {
		o.Idle = nil
		s.StopSteps(o)
		s.Show(o.Terminal, ScreenCancelled)
		s.Change(o, scenario.StatusCancelled, scenario.StatusCancelled)
	})
}
