package simulator

import (
	"time"

	"go.uber.org/zap"
)

// order is one payment. The simulator's lock guards it.
type order struct {
	create    createRequest
	terminal  *terminal
	session   string
	number    int64 // the transaction id
	status    string
	financial string
	events    []Event
	created   time.Time
	modified  time.Time
	completed time.Time
	charged   int64 // what was paid, if that is not the amount; 0 while it is not known
	cardShown bool  // a card was held to the terminal at least once
	customer  visit
	idle      *alarm
	stuck     bool // by a PATCH: it stays declined until it is cancelled
	finished  bool // was put among the finished ones
	gone      bool // forgotten by Reset or for age: its streams end
	listeners map[listener]struct{}
	hidden    veil
	tokenEnd  time.Time // when open streams are cut; zero for never
	emitted   int64     // statuses of a load
}

// veil keeps an order from being asked for.
type veil struct {
	until  time.Time
	answer answer
}

// visit is what the virtual customer of an order does.
type visit struct {
	scenario Scenario
	steps    []Action // still to be done
	waiting  bool     // the first step is held back for a stream
	left     bool     // has walked away
	step     *alarm
}

// listener is an event stream that is open for an order. Its methods are called
// with the simulator's lock held and do not block.
type listener interface {
	wakeUp() // there may be news
	cutOff()
	push(event []byte) bool // tells a whole event of a load; false when too many are waiting
}

func (o *order) id() string { return o.create.OrderID }

// amount is what was paid, or what is asked for.
func (o *order) amount() int64 {
	if o.charged > 0 {
		return o.charged
	}
	return o.create.Amount
}

// final tells whether the payment is over and its terminal free. A status that
// comes later, even an open one, does not bring it back.
func (o *order) final() bool { return o.finished }

// over tells whether nothing more is going to happen by itself.
func (o *order) over() bool { return o.final() && len(o.customer.steps) == 0 }

// untouched tells whether the payment is open and nobody has shown a card.
func (o *order) untouched() bool {
	return !o.finished && len(o.events) == 0 && len(o.customer.steps) == 0 && !o.stuck && o.terminal.screen == ScreenAmountDue
}

// wakeStreams lets every stream of the order look for news.
func (o *order) wakeStreams() {
	for l := range o.listeners {
		l.wakeUp()
	}
}

// entry is a journal entry about o.
func (o *order) entry(kind Kind, text string) Entry {
	return Entry{Kind: kind, Terminal: o.terminal.id, Order: o.id(), Text: text}
}

// addOrder puts a new order on its terminal, which must be free. The caller
// holds mu.
func (s *Simulator) addOrder(req createRequest, t *terminal, sc Scenario) *order {
	now := s.now()
	o := &order{
		create: req, terminal: t,
		session: randomID(39),
		number:  s.orders.next(now),
		status:  statusInitialized, financial: statusInitialized,
		created: now, modified: now,
		customer:  visit{scenario: sc},
		listeners: map[listener]struct{}{},
	}
	s.orders.byID[req.OrderID], s.orders.bySession[o.session] = o, o
	t.order, t.last = o, o
	s.journal.note(o.entry(KindOrder, "order of "+money(req.Amount, req.Currency)+" on the terminal, scenario "+string(sc)))
	s.show(t, ScreenAmountDue)
	s.restartIdle(o)
	return o
}

// change gives o a status and tells everybody. The caller holds mu.
func (s *Simulator) change(o *order, status, financial string) {
	now := s.now()
	o.status, o.financial, o.modified = status, financial, now
	if status == statusCompleted {
		o.completed = now
		if sc, err := scenarioByName(o.customer.scenario); err == nil && sc.charge != nil && o.charged == 0 {
			o.charged = sc.charge(o.create.Amount)
		}
	}
	o.events = append(o.events, Event{Status: status, FinancialStatus: financial, At: now, TransactionID: o.number})
	e := o.entry(KindStatus, status)
	e.Status = status
	s.journal.note(e)
	s.logger.Info("order changed",
		zap.String("terminal", o.terminal.id), zap.String("order_id", o.id()), zap.String("status", status))
	if isFinal(status) && !o.finished {
		s.finish(o)
	}
	o.wakeStreams()
	s.tell(o)
}

// tell lets the watchers know that o was made or has changed. The caller holds
// mu.
func (s *Simulator) tell(o *order) {
	for _, watch := range s.watchers {
		watch(o)
	}
}

// finish frees the terminal and puts o among the finished ones. The caller
// holds mu.
func (s *Simulator) finish(o *order) {
	s.alarms.stop(o.idle)
	o.idle = nil
	if o.terminal.order == o {
		o.terminal.order = nil
	}
	o.finished = true
	s.orders.finished = append(s.orders.finished, o)
	for len(s.orders.finished) > s.opts.History {
		old := s.orders.finished[0]
		s.orders.finished[0] = nil
		s.orders.finished = s.orders.finished[1:]
		s.forget(old)
	}
}

// forget drops a finished order. The caller holds mu.
func (s *Simulator) forget(o *order) {
	s.alarms.stop(o.customer.step)
	delete(s.orders.byID, o.id())
	delete(s.orders.bySession, o.session)
	if o.terminal.last == o {
		o.terminal.last = nil
	}
	o.gone = true
	o.wakeStreams()
}

// stopSteps sends the virtual customer away. The caller holds mu.
func (s *Simulator) stopSteps(o *order) {
	s.alarms.stop(o.customer.step)
	o.customer.step, o.customer.steps, o.customer.waiting = nil, nil, false
}

// restartIdle begins the inactivity time anew. The caller holds mu.
func (s *Simulator) restartIdle(o *order) {
	s.alarms.stop(o.idle)
	o.terminal.deadline = s.now().Add(s.opts.InactivityTimeout)
	o.idle = s.alarms.after(s.opts.InactivityTimeout, func() {
		o.idle = nil
		s.stopSteps(o)
		s.show(o.terminal, ScreenCancelled)
		s.change(o, statusCancelled, statusCancelled)
	})
}
