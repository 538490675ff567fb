package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
)

// Bounds of one session.
const (
	// maxPending is how many observations wait for NATS before the stream is no
	// longer read.
	maxPending = 64
	// maxInvalid is how many events of one session are published as invalid.
	maxInvalid = 100
	// handOverOverlap is how long a draining replica goes on following a session
	// that it has given back, so that its successor reads before it stops.
	handOverOverlap = 2 * time.Second
	// cancelGrace is how long a cancelled order's stream may take to say so
	// before the provider is asked.
	cancelGrace = time.Second
	// streamFirst is how long an answer of the provider waits while the stream is
	// open, so that what the stream says at the same time comes first: an answer
	// shows where things went, the stream shows how.
	streamFirst = 150 * time.Millisecond
	// streamPatience is how long an event stream may take to open or to fail before
	// the order is asked for.
	streamPatience = 2 * time.Second
	// noAsk is the wait of a timer that is not meant to fire.
	noAsk = 24 * time.Hour
)

// follower is a session that is being followed: everything that may happen to
// it arrives in one goroutine, one thing after the other.
type follower struct {
	*session
	// news brings what the event stream says, nil when there is none.
	news chan streamNews
	// stopStream ends the supervised stream.
	stopStream context.CancelFunc
	// connected is whether the event stream is open now.
	connected bool
	// arrived counts the stream's events, folded or not, as State.Heard does.
	arrived uint64

	// pending observations wait to be folded and stored, in order.
	pending []observed
	// sure is set when the first of them is known to repeat what stands last.
	sure bool
	// writing is true while an operation on the bus runs beside the session.
	writing bool
	// shown is how the order is followed: connected, reconnecting or polling.
	shown string
	// outdated is set while the record does not show what the session does.
	outdated bool
	// results bring the outcomes of what runs beside the session.
	results chan func()

	// askAt fires when the order is to be asked for, at askDue; zero: it does not.
	askAt  *time.Timer
	askDue time.Time
	// mustAsk is set while something may have been missed.
	mustAsk bool
	// asking is true while the provider is being asked; askAgain is set when
	// something happened meanwhile that the answer need not show.
	asking, askAgain bool
	// poll paces the asking while there is no stream.
	poll *backoff.ExponentialBackOff
	// expired is set when BRIDGE_SESSION_TIMEOUT is over: the session is given up
	// after one more answer.
	expired bool
	// cancelSeen is the last note of a cancel that was looked at.
	cancelSeen time.Time

	// settled fires at the end of the settle window.
	settled <-chan time.Time
	// lastAsk is set once the window is over and only one answer is awaited.
	lastAsk bool
	// rest is set when nothing more is expected.
	rest bool
	// handingOver is set while this replica drains. overlapOver fires when it has
	// followed on for long enough after it gave the session back.
	handingOver bool
	overlapOver <-chan time.Time
	// holding is set while another replica may still publish, until overlapEnds
	// fires: nothing is folded meanwhile.
	holding                    bool
	holdingSince, holdingUntil time.Time
	overlapEnds                *time.Timer
	// departing is why the session is left once what is pending is published.
	departing error
	invalid   int
	trouble   *throttle
}

// observed is an observation and when its event was read, for the latency.
type observed struct {
	Observation
	read time.Time
}

// follow reads the order's statuses and publishes them, until the payment is
// over and the settle window has passed, or the session must be left.
func (s *session) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &follower{
		session:    s,
		results:    make(chan func(), 4), // two operations at most run beside the session
		askAt:      time.NewTimer(noAsk),
		poll:       s.backoff(),
		cancelSeen: s.held.record.CancelAskedAt,
		trouble:    &throttle{log: s.log},

		overlapEnds: time.NewTimer(noAsk),
	}
	defer f.askAt.Stop()
	defer f.overlapEnds.Stop()
	life := time.NewTimer(s.until(s.msg.StartedAt.Add(s.SessionTimeout)))
	defer life.Stop()
	draining := (<-chan struct{})(s.draining)
	f.holdBack()
	f.takeUp(s.held.record.Seen)
	f.startStream(ctx)
	defer f.stopStream()
	if s.giveUp {
		f.observe(schema.SourceBridge, schema.StatusUnresolved)
	}
	for {
		f.flush(ctx)
		if f.leaving != nil {
			return f.leaving
		}
		if f.over && f.rest && !f.writing && len(f.pending) == 0 {
			return nil
		}
		if f.handingOver && !f.released && f.idle() {
			f.release(ctx)
		}
		news := f.news
		if len(f.pending) >= maxPending {
			news = nil // back-pressure: what comes waits in the socket
		}
		select {
		case n := <-news:
			f.onStream(ctx, n)
		case apply := <-f.results:
			apply()
		case <-f.askAt.C:
			f.ask(ctx)
		case <-f.beat.C:
			f.keepAlive()
		case <-f.nudged:
			f.lookWhileThere()
		case <-life.C:
			f.expired = true
			f.askSoon(0)
		case <-f.settled:
			f.settled = nil
			f.lastAsk = !f.connected
			f.rest = f.connected
			f.ask(ctx)
		case <-draining:
			draining, f.handingOver = nil, true
		case <-f.overlapEnds.C:
			f.lookBack(ctx)
		case <-f.overlapOver:
			f.leave(errHandedOver)
		case <-ctx.Done():
			return errStopped
		}
	}
}

// idle reports whether nothing of the session is on its way to the bus and its
// payment is still open, so that it can be handed over.
func (f *follower) idle() bool {
	return !f.writing && len(f.pending) == 0 && !f.state.Final && !f.holding && f.departing == nil
}

// run runs an operation beside the session. What it returns is applied in the
// session's goroutine.
func (f *follower) run(ctx context.Context, operation func(context.Context) (apply func())) {
	f.wg.Go(func() {
		apply := operation(ctx)
		select {
		case f.results <- apply:
		case <-ctx.Done():
		}
	})
}

// observe takes news of this replica's own.
func (f *follower) observe(source, status string) {
	now := f.Clock.Now()
	f.pending = append(f.pending, observed{Observation: Observation{Source: source, Status: status, At: now, NotBefore: now}})
}

// onStream takes one piece of news from the event stream.
func (f *follower) onStream(ctx context.Context, n streamNews) {
	switch {
	case n.opened:
		f.connected = true
		f.noteDid("Event stream connected")
		f.show(streamConnected)
		f.poll.Reset()
		f.trouble.recovered("The event stream is connected again")
		f.askSoon(0) // what happened while there was no stream is gone unless asked for
	case n.unsettled:
		f.askSoon(0)
	case n.err != nil:
		f.onStreamEnd(ctx, n)
	case n.event.Invalid != nil:
		f.publishInvalid(ctx, n.event.Type, n.event.Invalid.Reason, n.event.Invalid.Data, n.at)
	case n.event.Order != nil && n.event.Order.OrderID != f.order:
		f.Metrics.EventForeign()
		f.log.Warn("The stream told of another order; ignored")
	case n.event.Order != nil:
		f.arrived++
		e := n.event.Order
		f.pending = append(f.pending, observed{
			Observation: Observation{
				Source: schema.SourceStream, Status: e.Status, FinancialStatus: e.FinancialStatus,
				TransactionID: e.TransactionID, SessionID: e.SessionID, At: n.at, NotBefore: n.notBefore, Opening: n.opening,
			},
			read: n.at,
		})
		f.outdated = f.outdated || f.holding
		if !f.mustAsk {
			f.askIn(f.ReconcileInterval)
		}
	}
}

// onStreamEnd goes on by asking until the stream is back, if it comes back.
func (f *follower) onStreamEnd(ctx context.Context, n streamNews) {
	f.connected = false
	if errors.Is(n.err, multisafepay.ErrStreamTooLarge) {
		f.publishInvalid(ctx, "", "event too large", "", n.at)
	}
	if f.state.Final { // providers end the stream when the payment is over
		f.noteDid("Event stream ended with the payment")
		f.stopStream()
		return
	}
	f.noteMet(streamEnd(n))
	if n.last {
		f.show(streamPolling)
	} else {
		f.show(streamReconnecting)
	}
	f.trouble.failed("The event stream is not connected; asking for the order meanwhile", n.err)
	f.askSoon(f.poll.NextBackOff())
}

// askIn has the order asked for after d, and not before.
func (f *follower) askIn(d time.Duration) {
	f.askDue = time.Now().Add(d)
	f.askAt.Reset(d)
}

// askSoon has the order asked for after d at the latest, because something may
// have been missed. It puts off nothing: a stream that fails again and again
// would keep the question from ever being asked.
func (f *follower) askSoon(d time.Duration) {
	f.mustAsk = true
	f.askAgain = f.asking // the answer that is on its way may be from before
	if f.askDue.IsZero() || time.Until(f.askDue) > d {
		f.askIn(d)
	}
}

// ask puts one question to the provider. While observations wait for NATS an
// answer would only wait behind them.
func (f *follower) ask(ctx context.Context) {
	f.askDue = time.Time{}
	switch {
	case f.rest || f.departing != nil || f.state.Status == schema.StatusUnresolved:
		return
	case f.asking:
		f.askSoon(f.BackoffInitial)
		return
	case len(f.pending) > 0:
		f.askIn(f.BackoffInitial)
		return
	}
	f.asking = true
	after, madeWith := f.arrived, f.held.record.Group
	f.run(ctx, func(ctx context.Context) func() {
		group, err := f.Groups.Keep(ctx, f.terminal, madeWith)
		var there multisafepay.OrderState
		if err == nil {
			there, err = f.Provider.Get(ctx, group.Key, f.order)
		}
		answered := func() {
			f.asking = false
			f.onAnswer(there, err, after)
		}
		return func() {
			if err != nil || !f.connected {
				answered()
				return
			}
			f.run(ctx, func(ctx context.Context) func() {
				sleep(ctx, streamFirst)
				return answered
			})
		}
	})
}

// onAnswer takes the provider's answer, which was asked for after a number of
// the stream's events had arrived.
func (f *follower) onAnswer(there multisafepay.OrderState, err error, after uint64) {
	f.rest = f.rest || f.lastAsk
	if f.expired { // behind the answer: what it tells comes first
		f.expired = false
		defer f.observe(schema.SourceBridge, schema.StatusUnresolved)
	}
	again := f.askAgain
	f.askAgain = false
	if err != nil || there.Status == "" {
		f.Metrics.Reconciled(telemetry.ReconcileFailed)
		f.noteMet("Asked the provider: no usable answer")
		f.trouble.failed("The order could not be asked for", err)
		f.askIn(max(retryAfter(err), f.poll.NextBackOff()))
		return
	}
	f.mustAsk = again
	if f.stream.Token.In(there.TransactionID) { // the provider's client knows the keys only
		there.TransactionID = ""
	}
	now := f.Clock.Now()
	f.pending = append(f.pending, observed{Observation: Observation{
		Source: schema.SourceReconcile, Status: there.Status, FinancialStatus: there.FinancialStatus,
		TransactionID: there.TransactionID, AskedAfter: after, At: now, NotBefore: now,
	}})
	switch {
	case again: // askAt is set
	case f.connected:
		f.askIn(f.ReconcileInterval)
	default:
		f.askIn(f.poll.NextBackOff())
	}
}

// noteCancel asks for the order soon after a cancel was put to the provider,
// unless its stream tells first.
func (f *follower) noteCancel() {
	if at := f.held.record.CancelAskedAt; at.After(f.cancelSeen) {
		f.cancelSeen = at
		f.noteDid("A cancel was put to the provider")
		f.askSoon(cancelGrace)
	}
}

// show has the record tell how the order is followed.
func (f *follower) show(stream string) {
	f.outdated = f.outdated || f.shown != stream
	f.shown = stream
}

// release gives the session back to the queue. It is followed on until the
// successor reads, or handOverOverlap is over: the fence keeps the two apart.
func (f *follower) release(ctx context.Context) {
	f.writing, f.released = true, true
	h, handle := f.held, f.handle
	f.run(ctx, func(ctx context.Context) func() {
		h, err := persist(ctx, f.Replica, func(ctx context.Context) (held, error) {
			return f.changeRecord(ctx, f.terminal, h, func(r *bus.Record) { r.Replica, r.Stream = "", "" })
		})
		if err == nil {
			err = handle.Release()
		}
		return func() {
			f.writing = false
			if err != nil {
				f.leave(err)
				return
			}
			f.hold(h)
			f.overlapOver = time.After(handOverOverlap)
			f.lookWhileThere() // the successor may have been faster
		}
	})
}

// handOver gives a session back whose order is not at the provider yet.
func (s *session) handOver(ctx context.Context) error {
	if err := s.change(ctx, func(r *bus.Record) { r.Replica = "" }); err != nil {
		return err
	}
	if err := s.handle.Release(); err != nil {
		return err
	}
	return errHandedOver
}

// isDraining reports whether sessions are to be handed over.
func (r *Replica) isDraining() bool {
	select {
	case <-r.draining:
		return true
	default:
		return false
	}
}
