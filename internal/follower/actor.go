package follower

import (
	"container/heap"
	"context"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
)

// maxUnstored is how many events of one payment wait for NATS before its stream
// is no longer read.
const maxUnstored = 64

// actor is one payment on this replica. All of it belongs to the loop, except
// for room and moment.
type actor struct {
	ref     Ref
	payment payment.Payment
	// ctx ends when the payment is left.
	ctx context.Context
	end context.CancelFunc
	// over is set when the payment is left.
	over bool
	// number counts the actors.
	number int
	// stopStream ends the connection to the event stream, nil without one.
	stopStream context.CancelFunc
	// room has a token for every event that is read and not stored yet; taken
	// counts them. The reader of the stream waits when it is full.
	room  chan struct{}
	taken int
	// question is the one on its way to the provider, nil when there is none.
	question *ticket
	// moment is the payment's, for the questions that are sent beside the loop.
	moment atomic.Pointer[payment.Moment]
	// index is the place in the schedule, -1 when the payment waits for nothing.
	index int
	due   time.Time
}

func newActor(work context.Context, ref Ref, p payment.Payment) *actor {
	a := &actor{ref: ref, index: -1}
	a.become(p)
	ctx, cancel := context.WithCancel(tracing.Continue(work, p.Session.Trace))
	a.ctx, a.end = ctx, func() {
		a.over = true
		cancel()
	}
	return a
}

// become replaces the payment by what it is after an input.
func (a *actor) become(p payment.Payment) {
	if known := a.moment.Load(); known == nil || *known != p.Question.Moment {
		moment := p.Question.Moment
		a.moment.Store(&moment)
	}
	a.payment = p
}

// release lets the reader of the stream go on for every event that was stored,
// or was no news.
func (a *actor) release() {
	for held := a.payment.Pending.Len() + len(a.payment.Stream.Connection.Run) + len(a.payment.Stream.Early); a.taken > held; a.taken-- {
		<-a.room
	}
}

// Ticks that are at least farAway are put off to a multiple of grid, so that payments
// that wait for long are woken together: to wake an idle process costs more than the
// tick.
const (
	farAway = 5 * time.Second
	grid    = 200 * time.Millisecond
)

// dueOf is when a payment is to have its next tick, zero for never. No till waits longer
// for the grid.
func dueOf(p payment.Payment, now time.Time) time.Time {
	due := p.Due()
	if !p.Answered || due.Sub(now) < farAway {
		return due
	}
	return due.Truncate(grid).Add(grid)
}

// schedule orders actors by the time of their next tick. It is a heap.
type schedule []*actor

// next is when the first is due, zero for never.
func (s schedule) next() time.Time {
	if len(s) == 0 {
		return time.Time{}
	}
	return s[0].due
}

// set changes when an actor is due; the zero time is never.
func (s *schedule) set(a *actor, due time.Time) {
	switch {
	case due.IsZero():
		s.remove(a)
	case a.index < 0:
		a.due = due
		heap.Push(s, a)
	case !due.Equal(a.due):
		a.due = due
		heap.Fix(s, a.index)
	}
}

func (s *schedule) remove(a *actor) {
	if a.index >= 0 {
		heap.Remove(s, a.index)
	}
}

// take returns an actor that is due, nil when there is none. It has no tick then.
func (s *schedule) take(now time.Time) *actor {
	if len(*s) == 0 || (*s)[0].due.After(now) {
		return nil
	}
	return heap.Pop(s).(*actor) //nolint:errcheck,forcetypeassert // the heap holds nothing else
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	a := x.(*actor) //nolint:errcheck,forcetypeassert // the heap holds nothing else
	a.index = len(*s)
	*s = append(*s, a)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	a := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	a.index = -1
	return a
}
