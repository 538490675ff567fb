package stream

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Bounds of a load.
const (
	loadTick    = 10 * time.Millisecond
	maxLoadRate = 1_000_000
	maxLoadTime = time.Hour
)

// load makes orders change all the time. The state's lock guards it.
type load struct {
	going  *loading
	orders []*loadedOrder
	next   int // of orders
}

// loadedOrder is an order that takes part, with its two events written down: a
// card is tried and declined, again and again.
type loadedOrder struct {
	order  *orders.Order
	events [2][]byte
}

// Loader makes orders change all the time. Its methods may be called from any
// goroutine.
type Loader struct {
	s      *orders.State
	latest *loading // nil before the first
}

// NewLoader returns a loader of the orders of s.
func NewLoader(s *orders.State) *Loader {
	l := &Loader{s: s}
	s.OnClear(func() {
		l.latest.stop()
		l.latest = nil
	})
	return l
}

var loadStatuses = [2]string{scenario.StatusInitialized, scenario.StatusDeclined}

// StartLoad makes open orders, all of them if none are named, change rate times a
// second together, for d: they are initialized and declined by turns. A load that
// runs is stopped. The statuses go out on open streams and are not kept; virtual
// customers leave, and nothing is cancelled for inactivity meanwhile.
func (lr *Loader) StartLoad(rate int, d time.Duration, ids ...string) (LoadState, error) {
	if rate < 1 || rate > maxLoadRate || d <= 0 || d > maxLoadTime {
		return LoadState{}, fmt.Errorf("load must have a rate of 1 to %d per second, and last at most %s", maxLoadRate, maxLoadTime)
	}
	lr.s.Lock()
	defer lr.s.Unlock()
	if lr.s.Closed() {
		return LoadState{}, orders.ErrClosed
	}
	open, err := lr.openOrders(ids)
	if err != nil {
		return LoadState{}, err
	}
	lr.latest.stop()
	run := &load{going: &loading{state: LoadState{Running: true, Rate: rate, Orders: len(open)}, stopped: make(chan struct{})}}
	for _, o := range open {
		lr.s.StopSteps(o)
		lr.s.Alarms.Stop(o.Idle)
		o.Idle, o.CardShown = nil, true
		lr.s.Show(o.Terminal, orders.ScreenProcessing)
		run.orders = append(run.orders, newLoadedOrder(o))
	}
	lr.latest = run.going
	lr.s.Journal.Note(journal.Entry{Kind: journal.KindFault, Text: fmt.Sprintf("a load of %d statuses a second on %d orders for %s", rate, len(open), d)})
	lr.s.Go(func() { lr.run(run, d) })
	return run.going.state, nil
}

// openOrders are those with the ids, or all. The caller holds the lock.
func (lr *Loader) openOrders(ids []string) (open []*orders.Order, err error) {
	for _, t := range lr.s.Terminals.Listed {
		if len(ids) == 0 && t.Order != nil {
			open = append(open, t.Order)
		}
	}
	for _, id := range ids {
		o := lr.s.Orders.ByID[id]
		if o == nil || o.Finished {
			return nil, fmt.Errorf("%w %.64q that is open", orders.ErrUnknownOrder, id)
		}
		open = append(open, o)
	}
	if len(open) == 0 {
		return nil, errors.New("load: no order is open")
	}
	return open, nil
}

func newLoadedOrder(o *orders.Order) *loadedOrder {
	lo := &loadedOrder{order: o}
	for i, status := range loadStatuses {
		data := eventOf(o, orders.Event{Status: status, FinancialStatus: status, TransactionID: o.Number})
		lo.events[i] = append(framing("").lines(orderEvent, data.String(), ""), '\n')
	}
	return lo
}

// run emits what is due, tick by tick.
func (lr *Loader) run(l *load, d time.Duration) {
	begin := time.Now()
	ticker := time.NewTicker(loadTick)
	defer ticker.Stop()
	over := false
	for !over {
		select {
		case <-ticker.C:
		case <-l.going.stopped:
		case <-lr.s.Done():
		}
		elapsed := min(time.Since(begin), d)
		over = !lr.emit(l, int64(elapsed.Seconds()*float64(l.going.state.Rate))) || elapsed == d
	}
	lr.s.Lock()
	defer lr.s.Unlock()
	l.going.stop()
	if lr.s.Closed() {
		return
	}
	for _, lo := range l.orders {
		if !lo.order.Finished && !lo.order.Gone {
			lr.s.RestartIdle(lo.order)
		}
	}
	lr.s.Journal.Note(journal.Entry{Kind: journal.KindFault, Text: fmt.Sprintf("the load is over after %d statuses", l.going.state.Emitted)})
}

// emit changes orders by turns until due statuses went out since the beginning,
// or a client is too slow. It returns false when the load is over.
func (lr *Loader) emit(l *load, due int64) bool {
	lr.s.Lock()
	defer lr.s.Unlock()
	now := lr.s.Now()
	for range min(due-l.going.state.Emitted, int64(l.going.state.Rate)) {
		if !l.going.state.Running || len(l.orders) == 0 {
			return false
		}
		l.next = (l.next + 1) % len(l.orders)
		lo := l.orders[l.next]
		switch {
		case lo.order.Finished || lo.order.Gone:
			l.orders = slices.Delete(l.orders, l.next, l.next+1)
			l.going.state.Orders = len(l.orders)
		case lo.emit(now):
			l.going.state.Emitted++
		default:
			l.going.state.Behind++
		}
	}
	return l.going.state.Running && !lr.s.Closed()
}

// emit gives the order its next status and tells it on its streams; false when
// one of them is too slow.
func (lo *loadedOrder) emit(now time.Time) bool {
	o, n := lo.order, lo.order.Emitted%2
	for c := range o.Listeners {
		if !c.Push(lo.events[n]) {
			return false
		}
	}
	o.Emitted++
	o.Status, o.Financial, o.Modified = loadStatuses[n], loadStatuses[n], now
	return true
}

// Load tells how the latest load goes.
func (lr *Loader) Load() LoadState {
	lr.s.Lock()
	defer lr.s.Unlock()
	if lr.latest == nil {
		return LoadState{}
	}
	return lr.latest.state
}

// StopLoad ends a load that runs.
func (lr *Loader) StopLoad() LoadState {
	lr.s.Lock()
	lr.latest.stop()
	lr.s.Unlock()
	return lr.Load()
}
