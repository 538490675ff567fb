package follower

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
)

// inboxSize is how many inputs may wait for the loop. Whoever brings more waits.
const inboxSize = 1024

// Follower follows the payments of one replica.
type Follower struct {
	opts   Options
	inbox  chan func()
	actors map[Ref]*actor
	// active are the sessions that this replica keeps alive, with their start.
	active map[*actor]time.Time
	due    schedule
	beats  *beats
	peers  *peers
	// log and provider are the lanes of effects.
	log      logLane
	provider *providerLane
	asker    *asker
	waiters  waiters
	report   *reporter
	// draining is set in the loop; drained is closed when it is set and no
	// payment is left.
	draining bool
	drained  chan struct{}
	// work ends everything that runs for payments.
	work context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// New returns a follower that does nothing before Run.
func New(o Options) *Follower {
	f := &Follower{
		opts:    o,
		inbox:   make(chan func(), inboxSize),
		actors:  map[Ref]*actor{},
		active:  map[*actor]time.Time{},
		log:     logLane{OrderLog: o.Bus},
		report:  &reporter{Metrics: o.Metrics, Log: o.Log, observer: o.Observer},
		asker:   &asker{bus: o.Bus, self: o.Rules.Self},
		drained: make(chan struct{}),
	}
	f.work, f.stop = context.WithCancel(context.Background())
	f.beats = newBeats(o.Bus, o.Rules.ReplicaTTL/3)
	f.provider = &providerLane{
		Provider: o.Provider, groups: o.Groups, clock: o.Bus, rules: &f.opts.Rules,
		budgets: &budgets{rate: o.ProviderRate}, report: f.report, notificationURL: o.NotificationURL,
	}
	f.peers = &peers{
		asker: f.asker, orders: o.Orders, report: f.report, known: map[string]*peer{}, calm: o.Bus.Calm,
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
	stopHints, err := f.opts.Bus.WatchClaims(f.claimSeen)
	if err != nil {
		return fmt.Errorf("watch claims: %w", err)
	}
	defer stopHints()
	f.wg.Go(func() { f.beats.run(f.work) })
	f.wg.Go(func() { f.peers.run(f.work) })
	f.loop(ctx)
	return nil
}

// loop owns the payments.
func (f *Follower) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	beat := time.NewTicker(f.beats.interval)
	defer beat.Stop()
	for {
		if next, ok := f.due.next(); ok {
			timer.Reset(max(0, next.Sub(f.opts.Bus.Now())))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case do := <-f.inbox:
			do()
			f.more()
		case <-timer.C:
			f.tick()
		case <-beat.C:
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
		case do := <-f.inbox:
			do()
		default:
			return
		}
	}
}

// post sends something to the loop. It reports false when the follower has
// stopped.
func (f *Follower) post(do func()) bool {
	select {
	case f.inbox <- do:
		return true
	case <-f.work.Done():
		return false
	}
}

// Deliver takes a session from the queue. It returns at once.
func (f *Follower) Deliver(d bus.Delivery) {
	f.post(func() {
		ref := Ref{Terminal: d.Terminal, Order: d.Order}
		a := f.actors[ref]
		if a == nil && f.draining {
			f.giveBack(d.Handle)
			return
		}
		session, place := sessionOf(d, f.opts.StartDeadline), placeOf(d, f.opts.Bus.StatusCreated())
		if a == nil {
			a = f.begin(ref, session, place)
		}
		f.step(a, payment.Delivered{Place: place, Session: session})
	})
}

// find begins with an order that nobody seems to follow, unless this replica
// does. It runs in the loop.
func (f *Follower) find(ref Ref) *actor {
	if a := f.actors[ref]; a != nil || f.draining {
		return a
	}
	var s payment.Session
	s.Request.TerminalID, s.Request.OrderID = ref.Terminal, ref.Order
	a := f.begin(ref, s, payment.Place{})
	f.step(a, payment.Found{})
	return a
}

// begin makes the actor of a payment. It runs in the loop.
func (f *Follower) begin(ref Ref, s payment.Session, place payment.Place) *actor {
	a := newActor(f.work, ref, payment.New(&f.opts.Rules, s, place))
	f.actors[ref] = a
	f.beats.add(a)
	return a
}

// forget drops an actor. It runs in the loop.
func (f *Follower) forget(a *actor) {
	a.end()
	f.count(a, false)
	f.due.remove(a)
	f.beats.remove(a)
	if f.actors[a.ref] == a {
		delete(f.actors, a.ref)
	}
	if f.draining && len(f.actors) == 0 {
		f.closeDrained()
	}
}

// step gives a payment one input and starts what it decides. A payment that
// panics ends alone: its session goes to another replica. It runs in the loop.
func (f *Follower) step(a *actor, event payment.Event) {
	defer func() {
		if cause := recover(); cause != nil {
			f.report.Metrics.SessionPanicked()
			f.report.Log.Error("A session has failed; it is left to another replica", zap.Any(telemetry.KeyReason, cause),
				zap.String(telemetry.KeyTerminal, a.ref.Terminal), zap.String(telemetry.KeyOrder, a.ref.Order),
				zap.ByteString(telemetry.KeyStack, debug.Stack()))
			f.forget(a)
		}
	}()
	at := f.opts.Bus.Now()
	next, effects := payment.Step(a.payment, payment.Input{At: at, Event: event})
	a.payment = next
	for _, e := range effects {
		f.execute(a, e, at)
	}
	if !a.over {
		f.due.set(a, next.Due())
		a.release()
		f.count(a, next.Active())
	}
}

// count keeps the number of sessions that this replica keeps alive.
func (f *Follower) count(a *actor, active bool) {
	if a.active == active {
		return
	}
	a.active = active
	if active {
		f.active[a] = a.payment.Session.StartedAt
	} else {
		delete(f.active, a)
	}
	f.report.Metrics.SetActiveSessions(len(f.active))
}

// noteOldest keeps the age of the oldest session for the metrics.
func (f *Follower) noteOldest() {
	var oldest time.Time
	for _, started := range f.active {
		if oldest.IsZero() || started.Before(oldest) {
			oldest = started
		}
	}
	f.report.Metrics.SetOldestSession(oldest)
}

// tick wakes the payments that are due.
func (f *Follower) tick() {
	for now := f.opts.Bus.Now(); ; {
		a := f.due.pop(now)
		if a == nil {
			return
		}
		f.step(a, payment.Tick{})
	}
}

// back sends the outcome of an effect to its payment.
func (f *Follower) back(a *actor, event payment.Event) {
	f.post(func() {
		if !a.over {
			f.step(a, event)
		}
	})
}

// Drain hands every payment to the other replicas and waits until that is done
// or ctx is over; then the error says how many are left.
func (f *Follower) Drain(ctx context.Context) error {
	f.post(func() {
		f.draining = true
		for _, a := range f.actors {
			f.step(a, payment.Draining{})
		}
		if len(f.actors) == 0 {
			f.closeDrained()
		}
	})
	select {
	case <-f.drained:
		return nil
	case <-ctx.Done():
		left := make(chan int, 1)
		if !f.post(func() { left <- len(f.actors) }) {
			return errStopped
		}
		return fmt.Errorf("the drain was cut short: %d sessions go on elsewhere once they were silent for BRIDGE_REPLICA_TTL", <-left)
	}
}

// errStopped: the follower has stopped.
var errStopped = errors.New("the replica has stopped")

func (f *Follower) closeDrained() {
	select {
	case <-f.drained:
	default:
		close(f.drained)
	}
}
