package simulator

import (
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// addOrder puts a new order on its terminal, which must be free. The caller
// holds the lock.
func (s *State) addOrder(req createRequest, t *terminal, sc scenario.Scenario) *order {
	now := s.now()
	o := &order{
		facts: facts{
			Create: req, Session: randomID(39), Number: s.Orders.next(now),
			Status: scenario.StatusInitialized, Financial: scenario.StatusInitialized,
			Created: now, Modified: now, Scenario: sc,
		},
		terminal: t, listeners: map[listener]struct{}{},
	}
	s.Orders.byID[req.OrderID], s.Orders.bySession[o.Session] = o, o
	t.order, t.last = o, o
	s.Journal.Note(o.entry(journal.KindOrder, "order of "+money(req.Amount, req.Currency)+" on the terminal, scenario "+string(sc)))
	s.show(t, ScreenAmountDue)
	s.restartIdle(o)
	return o
}

// change gives o a status and tells everybody. The caller holds the lock.
func (s *State) change(o *order, status, financial string) {
	now := s.now()
	o.Status, o.Financial, o.Modified = status, financial, now
	if status == scenario.StatusCompleted {
		o.Completed = now
		if sc, err := scenario.ByName(o.Scenario); err == nil && sc.Charge != nil && o.Charged == 0 {
			o.Charged = sc.Charge(o.Create.Amount)
		}
	}
	o.Events = append(o.Events, Event{Status: status, FinancialStatus: financial, At: now, TransactionID: o.Number})
	e := o.entry(journal.KindStatus, status)
	e.Status = status
	s.Journal.Note(e)
	s.Logger.Info("order changed",
		zap.String("terminal", o.terminal.id), zap.String("order_id", o.id()), zap.String("status", status))
	if scenario.IsFinal(status) && !o.Finished {
		s.finish(o)
	}
	o.wakeStreams()
	s.tell(o)
}

// tell lets the watchers know that o was made or has changed. The caller holds
// the lock.
func (s *State) tell(o *order) {
	for _, watch := range s.watchers {
		watch(o)
	}
}

// finish frees the terminal and puts o among the finished ones. The caller
// holds the lock.
func (s *State) finish(o *order) {
	s.Alarms.Stop(o.idle)
	o.idle = nil
	if o.terminal.order == o {
		o.terminal.order = nil
	}
	o.Finished = true
	s.Orders.finished = append(s.Orders.finished, o)
	for len(s.Orders.finished) > s.History {
		old := s.Orders.finished[0]
		s.Orders.finished[0] = nil
		s.Orders.finished = s.Orders.finished[1:]
		s.forget(old)
	}
}

// forget drops a finished order. The caller holds the lock.
func (s *State) forget(o *order) {
	s.Alarms.Stop(o.visit.step)
	delete(s.Orders.byID, o.id())
	delete(s.Orders.bySession, o.Session)
	if o.terminal.last == o {
		o.terminal.last = nil
	}
	o.gone = true
	o.wakeStreams()
}

// stopSteps sends the virtual customer away. The caller holds the lock.
func (s *State) stopSteps(o *order) {
	s.Alarms.Stop(o.visit.step)
	o.visit.step, o.Steps, o.visit.waiting = nil, nil, false
}

// restartIdle begins the inactivity time anew. The caller holds the lock.
func (s *State) restartIdle(o *order) {
	s.Alarms.Stop(o.idle)
	o.terminal.deadline = s.now().Add(s.InactivityTimeout)
	o.idle = s.Alarms.After(s.InactivityTimeout, func() {
		o.idle = nil
		s.stopSteps(o)
		s.show(o.terminal, ScreenCancelled)
		s.change(o, scenario.StatusCancelled, scenario.StatusCancelled)
	})
}
