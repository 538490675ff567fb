package simulator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Bounds of a load.
const (
	loadTick    = 10 * time.Millisecond
	maxLoadRate = 1_000_000
	maxLoadTime = time.Hour
)

// load makes orders change all the time. The simulator's lock guards it.
type load struct {
	going  *loading
	orders []*loadedOrder
	next   int // of orders
}

// loadedOrder is an order that takes part, with its two events written down: a
// card is tried and declined, again and again.
type loadedOrder struct {
	order  *order
	events [2][]byte
}

var loadStatuses = [2]string{scenario.StatusInitialized, scenario.StatusDeclined}

// StartLoad makes open orders, all of them if none are named, change rate times a
// second together, for d: they are initialized and declined by turns. A load that
// runs is stopped. The statuses go out on open streams and are not kept; virtual
// customers leave, and nothing is cancelled for inactivity meanwhile.
func (s *Simulator) StartLoad(rate int, d time.Duration, ids ...string) (LoadState, error) {
	if rate < 1 || rate > maxLoadRate || d <= 0 || d > maxLoadTime {
		return LoadState{}, fmt.Errorf("load: want a rate of 1 to %d a second, for at most %s", maxLoadRate, maxLoadTime)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return LoadState{}, ErrClosed
	}
	orders, err := s.openOrders(ids)
	if err != nil {
		return LoadState{}, err
	}
	s.load.stop()
	l := &load{going: &loading{state: LoadState{Running: true, Rate: rate, Orders: len(orders)}, stopped: make(chan struct{})}}
	for _, o := range orders {
		s.stopSteps(o)
		s.alarms.Stop(o.idle)
		o.idle, o.CardShown = nil, true
		s.show(o.terminal, ScreenProcessing)
		l.orders = append(l.orders, newLoadedOrder(o))
	}
	s.load = l.going
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Text: fmt.Sprintf("a load of %d statuses a second on %d orders for %s", rate, len(orders), d)})
	s.background.Go(func() { s.runLoad(l, d) })
	return l.going.state, nil
}

// openOrders are those with the ids, or all. The caller holds mu.
func (s *Simulator) openOrders(ids []string) (orders []*order, err error) {
	for _, t := range s.terminals.listed {
		if len(ids) == 0 && t.order != nil {
			orders = append(orders, t.order)
		}
	}
	for _, id := range ids {
		o := s.orders.byID[id]
		if o == nil || o.Finished {
			return nil, fmt.Errorf("%w %.64q that is open", ErrUnknownOrder, id)
		}
		orders = append(orders, o)
	}
	if len(orders) == 0 {
		return nil, errors.New("load: no order is open")
	}
	return orders, nil
}

func newLoadedOrder(o *order) *loadedOrder {
	lo := &loadedOrder{order: o}
	for i, status := range loadStatuses {
		data := o.eventData(Event{Status: status, FinancialStatus: status, TransactionID: o.Number})
		lo.events[i] = append(framing("").lines(orderEvent, data.String(), ""), '\n')
	}
	return lo
}

// runLoad emits what is due, tick by tick.
func (s *Simulator) runLoad(l *load, d time.Duration) {
	begin := time.Now()
	ticker := time.NewTicker(loadTick)
	defer ticker.Stop()
	over := false
	for !over {
		select {
		case <-ticker.C:
		case <-l.going.stopped:
		}
		elapsed := min(time.Since(begin), d)
		over = !s.emit(l, int64(elapsed.Seconds()*float64(l.going.state.Rate))) || elapsed == d
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.going.stop()
	if s.closed {
		return
	}
	for _, lo := range l.orders {
		if !lo.order.Finished && !lo.order.gone {
			s.restartIdle(lo.order)
		}
	}
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Text: fmt.Sprintf("the load is over after %d statuses", l.going.state.Emitted)})
}

// emit changes orders by turns until due statuses went out since the beginning,
// or a client is too slow. It returns false when the load is over.
func (s *Simulator) emit(l *load, due int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for range min(due-l.going.state.Emitted, int64(l.going.state.Rate)) {
		if !l.going.state.Running || len(l.orders) == 0 {
			return false
		}
		l.next = (l.next + 1) % len(l.orders)
		lo := l.orders[l.next]
		switch {
		case lo.order.Finished || lo.order.gone:
			l.orders = slices.Delete(l.orders, l.next, l.next+1)
			l.going.state.Orders = len(l.orders)
		case lo.emit(now):
			l.going.state.Emitted++
		default:
			l.going.state.Behind++
		}
	}
	return l.going.state.Running
}

// emit gives the order its next status and tells it on its streams; false when
// one of them is too slow.
func (lo *loadedOrder) emit(now time.Time) bool {
	o, n := lo.order, lo.order.Emitted%2
	for c := range o.listeners {
		if !c.push(lo.events[n]) {
			return false
		}
	}
	o.Emitted++
	o.Status, o.Financial, o.Modified = loadStatuses[n], loadStatuses[n], now
	return true
}

// Load tells how the latest load goes.
func (s *Simulator) Load() LoadState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load == nil {
		return LoadState{}
	}
	return s.load.state
}

// StopLoad ends a load that runs.
func (s *Simulator) StopLoad() LoadState {
	s.mu.Lock()
	s.load.stop()
	s.mu.Unlock()
	return s.Load()
}
