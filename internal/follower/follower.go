package follower

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/payment"
)

// inboxSize is how many inputs may wait for the loop. Whoever brings more waits.
const inboxSize = 1024

// Follower follows the payments of one replica.
type Follower struct {
	opts  Options
	inbox chan func()
	// outcomes are those of effects. They go before the inbox: what a payment waits
	// for must not wait behind the events of others.
	outcomes chan func()
	actors   map[Ref]*actor
	// begun counts the actors.
	begun int
	due   schedule
	beats *beats
	peers *peers
	// log and provider are the lanes of effects.
	log      *logLane
	provider *providerLane
	asker    *asker
	waiters  waiters
	failures failures
	report   *reporter
	// draining is set in the loop; drained is closed, by closeDrained, when it is set
	// and no payment is left.
	draining     bool
	drained      chan struct{}
	closeDrained func()
	// work ends everything that runs for payments.
	work context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// New returns a follower that does nothing before Run.
func New(o Options) *Follower {
	f := &Follower{
		opts:     o,
		inbox:    make(chan func(), inboxSize),
		outcomes: make(chan func(), inboxSize),
		actors:   map[Ref]*actor{},
		log:      newLogLane(o.Bus),
		report:   &reporter{Metrics: o.Metrics, Log: o.Log, observer: o.Observer},
		asker:    &asker{bus: o.Bus, self: o.Rules.Self},
		failures: failures{first: o.Rules.ReplicaTTL, of: map[Ref]failure{}},
		drained:  make(chan struct{}),
	}
	f.closeDrained = sync.OnceFunc(func() { close(f.drained) })
	f.work, f.stop = context.WithCancel(context.Background())
	f.beats = newBeats(o.Bus, o.Rules.ReplicaTTL/3)
	f.provider = &providerLane{
		Provider: o.Provider, groups: o.Groups, clock: o.Bus, rules: &f.opts.Rules,
		budgets: &budgets{rate: o.ProviderRate, work: f.work, wg: &f.wg}, report: f.report, notificationURL: o.NotificationURL,
	}
	f.peers = &peers{
		asker: f.asker, orders: o.Orders, report: f.report, known: map[string]*peer{}, calm: o.Bus.Calm, wg: &f.wg,
		find: func(ref Ref) { f.post(func() { f.find(ref) }) },
	}
	return f
}

// Trouble says why messages are not stored, nil when they are. It is for
// readiness.
func (f *Follower) Trouble() error { return f.log.writes.trouble() }

// Run follows payments until ctx is over. What is left then stays where it is:
// another replica goes on with it. Drain before that hands it over.
func (f *Follower) Run(ctx context.Context) error {
	defer f.wg.Wait()
	defer f.stop()
	stopAnswers, err := f.opts.Bus.ServeReplica(f.opts.Rules.Self, f.answerReplica)
	if err != nil {
		return fmt.Errorf("listen to other replicas: %w", err)
	}
	defer stopAnswers()
	f.wg.Go(func() { f.log.run(f.work) })
	f.wg.Go(func() { f.beats.run(f.work) })
	f.wg.Go(func() { f.peers.run(f.work) })
	f.loop(ctx)
	return nil
}

// loop owns the payments.
func (f *Follower) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var armed time.Time // when the timer fires, zero for in an hour
	beat := time.NewTicker(f.beats.interval)
	defer beat.Stop()
	for {
		// To change a timer that runs costs the runtime a look at all timers, those of
		// every stream included: one that fires too early costs less.
		if next := f.due.next(); !next.IsZero() && (armed.IsZero() || next.Before(armed)) {
			armed = next
			timer.Reset(next.Sub(f.opts.Bus.Now()))
		}
		select {
		case do := <-f.outcomes:
			do()
			f.more()
		case do := <-f.inbox:
			do()
			f.more()
		case <-timer.C:
			armed = time.Time{}
			f.tick()
		case <-beat.C:
			armed = time.Time{} // the server's clock may have been set
			f.beat()
		case <-ctx.Done():
			return
		}
	}
}

// more takes what else is there, before the timers are looked at again.
func (f *Follower) more() {
	for range inboxSize {
		select {
		case do := <-f.outcomes:
			do()
			continue
		default:
		}
		select {
		case do := <-f.inbox:
			do()
		default:
			return
		}
	}
}

// post sends something to the loop, unless the follower has stopped.
func (f *Follower) post(do func()) {
	select {
	case f.inbox <- do:
	case <-f.work.Done():
	}
}

// inLoop has the loop work something out. ok is false if ctx is over, or the
// follower has stopped, before that.
func inLoop[T any](ctx context.Context, f *Follower, work func(answer func(T))) (result T, ok bool) {
	got := make(chan T, 1)
	f.post(func() { work(func(t T) { got <- t }) })
	select {
	case result = <-got:
		return result, true
	case <-ctx.Done():
	case <-f.work.Done():
	}
	return result, false
}

// find begins with an order that nobody seems to follow, unless this replica
// does. It runs in the loop.
func (f *Follower) find(ref Ref) {
	if f.actors[ref] != nil || f.draining || f.failures.pausing(ref, f.opts.Bus.Now()) {
		return
	}
	var s payment.Session
	s.Request.TerminalID, s.Request.OrderID = ref.Terminal, ref.Order
	f.step(f.begin(ref, s, payment.Place{}), payment.Found{})
}

// begin makes the actor of a payment. It runs in the loop.
func (f *Follower) begin(ref Ref, s payment.Session, place payment.Place) *actor {
	p := payment.New(&f.opts.Rules, s, place)
	p.Condemned = f.failures.condemned(ref)
	a := newActor(f.work, ref, p)
	a.number = f.begun
	f.begun++
	f.actors[ref] = a
	return a
}

// forget drops an actor. It runs in the loop.
func (f *Follower) forget(a *actor) {
	a.end()
	f.waiters.turnAway(a)
	if a.question != nil {
		f.provider.budgets.of(a.payment.Session.Group).leave(a.question)
	}
	f.count(a, false)
	f.due.remove(a)
	if f.actors[a.ref] == a {
		delete(f.actors, a.ref)
	}
	if f.draining && len(f.actors) == 0 {
		f.closeDrained()
	}
}

// step gives a payment one input and starts what it decides. A payment that
// panics ends alone. It runs in the loop.
func (f *Follower) step(a *actor, event payment.Event) {
	defer func() {
		if cause := recover(); cause != nil {
			f.failed(a, cause, debug.Stack())
		}
	}()
	at := f.opts.Bus.Now()
	next, effects := payment.Step(a.payment, payment.Input{At: at, Event: event})
	a.become(next)
	for _, e := range effects {
		f.execute(a, e, at)
	}
	if !a.over {
		f.due.set(a, dueOf(next, at))
		a.release()
		f.count(a, next.Active())
	}
}

// failed leaves a payment that made the program panic to another replica, at first;
// see failures. It runs in the loop.
func (f *Follower) failed(a *actor, cause any, stack []byte) {
	if a.over {
		return
	}
	f.report.panicked(a.ref, cause, stack, f.failures.note(a.ref, f.opts.Bus.Now()))
	f.forget(a)
}

// count keeps the number of sessions that this replica keeps alive.
func (f *Follower) count(a *actor, active bool) {
	if f.beats.set(a, active) {
		f.report.Metrics.SetActiveSessions(f.beats.count)
	}
}

// noteOldest keeps the age of the oldest session for the metrics.
func (f *Follower) noteOldest() {
	var oldest time.Time
	for _, part := range f.beats.sessions {
		for a := range part {
			if started := a.payment.Session.StartedAt; oldest.IsZero() || started.Before(oldest) {
				oldest = started
			}
		}
	}
	f.report.Metrics.SetOldestSession(oldest)
}

// tick wakes the payments that are due.
func (f *Follower) tick() {
	for now := f.opts.Bus.Now(); ; {
		a := f.due.take(now)
		if a == nil {
			return
		}
		f.step(a, payment.Tick{})
	}
}

// back sends the outcome of an effect to its payment.
func (f *Follower) back(a *actor, event payment.Event) {
	f.outcome(func() {
		if !a.over {
			f.step(a, event)
		}
	})
}

// outcome sends the outcome of an effect to the loop.
func (f *Follower) outcome(do func()) {
	select {
	case f.outcomes <- do:
	case <-f.work.Done():
	}
}

// errStopped: the follower has stopped.
var errStopped = errors.New("the replica has stopped")

// Drain hands every payment to the other replicas and waits until that is done
// or ctx is over; then the error says how many are left.
func (f *Follower) Drain(ctx context.Context) error {
	alone := f.peers.alone()
	f.drain(alone)
	ticker := time.NewTicker(goneAgain)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-f.drained:
			return nil
		case <-f.work.Done():
			return errStopped
		case <-ctx.Done():
		case <-ticker.C:
			if now := f.peers.alone(); now != alone {
				alone = now
				f.drain(alone)
			}
		}
	}
	left, ok := inLoop(context.WithoutCancel(ctx), f, func(answer func(int)) { answer(len(f.actors)) })
	switch {
	case !ok:
		return errStopped
	case left == 0:
		return nil
	}
	return fmt.Errorf("the drain took too long: other replicas continue %d sessions after BRIDGE_REPLICA_TTL", left)
}

// drain tells every payment that this replica stops.
func (f *Follower) drain(alone bool) {
	f.post(func() {
		f.draining = true
		for _, a := range f.actors {
			f.step(a, payment.Draining{Alone: alone})
		}
		if len(f.actors) == 0 {
			f.closeDrained()
		}
	})
}
