package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// run is one simulated run.
type run struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	mu     sync.Mutex
	world  *world
	server *bustest.Memory
	log    *zap.Logger
	alive  []*process
	all    []*process
	tills  sync.WaitGroup
	// asks are the commands at work; one that was put to a replica that is killed
	// ends with the run.
	asks sync.WaitGroup
	// lossless is true when the bus answers whenever it can be reached.
	lossless bool
	// said is every answer that a till got, by order.
	said  map[string][]answerSaid
	audit audit
}

type answerSaid struct {
	code    schema.Code // empty: the order exists
	created bool
	status  string
}

// process is one replica's process.
type process struct {
	client  *bustest.Client
	link    *link
	replica *Replica
	clock   ownClock
	stop    context.CancelFunc
	done    sync.WaitGroup
}

const (
	simTTL     = 5 * time.Second
	simLimit   = 5 * time.Second // REQUEST_TIMEOUT
	simTimeout = 30 * time.Minute
	simSkew    = 100 * time.Millisecond // how far a replica may mistake the bus's time
)

// simulate runs several replicas' real code against an in-memory bus and provider
// in virtual time, with faults drawn from a seed, and has an auditor that shares no
// code with the bridge check the promises afterwards.
func simulate(t *testing.T, seed uint64, log *zap.Logger) (a audit) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, seed))
		trouble := []int{0, 20, 100, 300}[random.IntN(4)]
		r := &run{
			t: t, seed: seed, random: random, log: log, said: map[string][]answerSaid{},
			world:  newWorld(rand.New(rand.NewPCG(seed, 1)), trouble, simLimit),
			server: bustest.NewMemory(simTTL, rand.New(rand.NewPCG(seed, 2))),
		}
		faults := bustest.Faults{}
		outagesOnly := random.IntN(4) == 0
		if !outagesOnly && random.IntN(3) > 0 {
			faults = bustest.Faults{LostRequest: random.IntN(30), LostAnswer: random.IntN(30), Late: random.IntN(20), Slow: random.IntN(60)}
		}
		r.lossless = faults == bustest.Faults{}
		for range 1 + random.IntN(3) {
			r.begin(faults)
		}
		for terminal := range 1 + random.IntN(4) {
			own := rand.New(rand.NewPCG(seed, uint64(100+terminal)))
			r.tills.Go(func() { r.till(own, fmt.Sprintf("T%d", terminal), 1+own.IntN(3)) })
		}
		calm := make(chan struct{})
		go func() {
			defer close(calm)
			if outagesOnly {
				r.outages(random)
			} else {
				r.chaos(random, faults)
			}
		}()
		<-calm
		r.heal(faults)
		r.tills.Wait()
		r.settle()
		a = r.judge()
		r.end()
	})
	return a
}

// begin starts a replica's process.
func (r *run) begin(f bustest.Faults) {
	p := &process{client: r.server.Client(f)}
	p.link = &link{world: r.world, process: p.client}
	p.clock.process = p.client
	r.mu.Lock()
	name := fmt.Sprintf("replica-%d", len(r.all))
	own := rand.New(rand.NewPCG(r.seed, uint64(1000+len(r.all))))
	r.mu.Unlock()
	p.clock.jump(own)
	p.replica = NewReplica(Settings{
		ReplicaID: name, ReplicaTTL: simTTL, StartDeadline: 20 * time.Second,
		BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second,
		ReconcileInterval: 15 * time.Second, SettleWindow: 3 * time.Second,
		SessionTimeout: simTimeout, RequestTimeout: simLimit,
	}, Ports{
		Queue: p.client, Journal: p.client, Records: p.client, Requesters: p.client,
		Clock:    &p.clock,
		Provider: p.link, Groups: terminalgroups.Single(redact.NewSecret("key")),
		Space: subjects.Default(), Metrics: telemetry.NewMetrics("", "", ""), Log: r.log.Named(name),
	})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.done.Go(func() { p.replica.watchRecords(ctx, func() {}) })
	p.done.Go(func() { p.replica.keepPulse(ctx) })
	p.done.Go(func() {
		if err := p.client.Consume(ctx, p.replica.take, func(error) {}); err != nil {
			r.t.Error(err)
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive = append(r.alive, p)
	r.all = append(r.all, p)
}

// skewed is a clock that is off by a little.
type skewed time.Duration

func (s skewed) Now() time.Time { return time.Now().Add(time.Duration(s)).UTC().Round(0) }

// ownClock is a process's idea of the bus's time: it is off by a little, and jumps
// when the time is heard anew. While the process stands still nobody in it reads
// the time.
type ownClock struct {
	process *bustest.Client
	off     atomic.Int64
}

// jump has the clock be off by something else.
func (c *ownClock) jump(random *rand.Rand) { c.off.Store(int64(upTo(random, 2*simSkew) - simSkew)) }

func (c *ownClock) Now() time.Time {
	c.process.Gate()
	return skewed(c.off.Load()).Now()
}

// kill is kill -9: the process touches the network no more. Its goroutines are
// let go at the end of the run.
func (r *run) kill(p *process) {
	now := time.Now()
	p.link.killed.Store(&now)
	p.client.Kill()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive = slices.DeleteFunc(r.alive, func(q *process) bool { return q == p })
	r.audit.Kills++
}

// drain is SIGTERM.
func (r *run) drain(p *process) {
	r.mu.Lock()
	r.alive = slices.DeleteFunc(r.alive, func(q *process) bool { return q == p })
	r.audit.Drains++
	r.mu.Unlock()
	p.replica.beginDrain()
	p.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.replica.Drain(ctx); err != nil {
		r.log.Info(err.Error())
	}
	p.client.Kill()
	p.link.cutStreams()
}

// someone is one of the replicas that live.
func (r *run) someone(random *rand.Rand) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.alive) == 0 {
		return nil
	}
	return r.alive[random.IntN(len(r.alive))]
}

// chaos lets a number of faults happen, one after the other.
func (r *run) chaos(random *rand.Rand, f bustest.Faults) {
	var going sync.WaitGroup
	for range random.IntN(12) {
		time.Sleep(upTo(random, 8*time.Second))
		p := r.someone(random)
		if p == nil {
			r.begin(f)
			continue
		}
		long := upTo(random, 4*simTTL)
		switch random.IntN(10) {
		case 8:
			r.audit.Jumps++
			p.clock.jump(random)
		case 9: // and whoever takes its sessions over, shortly after
			r.kill(p)
			r.begin(f)
			time.Sleep(simTTL - upTo(random, simTTL/3) + upTo(random, time.Second))
			if q := r.someone(random); q != nil {
				r.kill(q)
				r.begin(f)
			}
		case 0:
			r.kill(p)
			time.AfterFunc(long, func() { r.begin(f) })
		case 1:
			r.log.Info("freeze " + p.replica.ReplicaID)
			r.audit.Pauses++
			p.link.disturbed.Store(true)
			p.client.Freeze(true)
			time.AfterFunc(long, func() { p.client.Freeze(false) })
		case 2:
			r.audit.Cuts++
			p.link.disturbed.Store(true)
			p.client.Cut(true)
			time.AfterFunc(long, func() { r.reconnect(p) })
		case 3:
			r.audit.Redeliveries++
			r.server.Redeliver()
		case 4:
			r.audit.Away++
			r.world.setAway(true)
			time.AfterFunc(long, func() { r.world.setAway(false) })
		case 5:
			p.link.cutStreams()
		case 6:
			for _, p := range r.outage(long) {
				p.link.disturbed.Store(true) // other faults may meet it
			}
		case 7:
			r.begin(f)
			going.Go(func() { r.drain(p) })
		}
	}
	going.Wait()
}

// outages has NATS away a few times, and nothing else happen: whatever a replica
// is shown meanwhile must be published.
func (r *run) outages(random *rand.Rand) {
	for range 1 + random.IntN(3) {
		time.Sleep(upTo(random, 8*time.Second))
		r.outage(upTo(random, 60*time.Second))
		// The next one may come while sessions are still going from one to another.
		time.Sleep(upTo(random, []time.Duration{4 * time.Second, 20 * time.Second}[random.IntN(2)]))
	}
}

// outage takes NATS away from every replica for a time.
func (r *run) outage(d time.Duration) []*process {
	r.audit.Outages++
	r.log.Info("NATS away for " + d.String())
	r.mu.Lock()
	everybody := slices.Clone(r.alive)
	r.mu.Unlock()
	for _, p := range everybody {
		p.client.Cut(true)
	}
	time.Sleep(d)
	for _, p := range everybody {
		r.reconnect(p)
	}
	return everybody
}

// reconnect brings a replica's connection back, which its daemon takes note of.
func (r *run) reconnect(p *process) {
	if r.lives(p) {
		p.replica.noteReconnect()
		p.client.Cut(false)
	}
}

func (r *run) lives(p *process) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.alive, p)
}

func (w *world) setAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

// heal ends every fault and makes sure that somebody is there.
func (r *run) heal(f bustest.Faults) {
	time.Sleep(4 * simTTL) // what was begun by timers has happened
	r.world.setAway(false)
	r.mu.Lock()
	alive := slices.Clone(r.alive)
	r.mu.Unlock()
	for _, p := range alive {
		p.client.Freeze(false)
		p.client.Cut(false)
	}
	if len(alive) == 0 {
		r.begin(f)
	}
}

// till makes payments on one terminal, one after the other, asking again
// whenever it may.
func (r *run) till(random *rand.Rand, terminal string, payments int) {
	for i := range payments {
		order := fmt.Sprintf("%s-%d", terminal, i)
		request := schema.StartRequest{OrderID: order, TerminalID: terminal, Amount: 100, Currency: "EUR"}
		for attempt := range 40 {
			a, answered := r.ask(random, request, fmt.Sprintf("inbox-%s-%d", order, attempt))
			if answered && (a.code == "" || a.code != schema.TerminalBusy && !a.code.Retryable()) {
				break
			}
			time.Sleep(500*time.Millisecond + upTo(random, 3*time.Second))
		}
		if random.IntN(4) == 0 {
			time.Sleep(upTo(random, 5*time.Second))
			if p := r.someone(random); p != nil {
				r.asks.Go(func() { // its status tells
					_, _ = p.replica.Cancel(p.replica.work, schema.OrderRequest{OrderID: order, TerminalID: terminal})
				})
			}
		}
		for range 400 { // until it is over, or never was
			if r.restedOn(terminal, order) {
				break
			}
			time.Sleep(4*time.Second + upTo(random, time.Second))
		}
	}
}

// upTo is a time at random, to the nanosecond: no two things happen at once.
func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// restedOn reports whether an order is over or never came to be.
func (r *run) restedOn(terminal, order string) bool {
	statuses := r.server.Statuses(terminal, order)
	if len(statuses) > 0 && statuses[len(statuses)-1].Event.Final {
		return true
	}
	return len(statuses) == 0 && !slices.Contains(r.server.Locked(), terminal)
}

// ask sends one start to some replica, twice now and then, and waits for the answer.
func (r *run) ask(random *rand.Rand, request schema.StartRequest, inbox string) (answerSaid, bool) {
	p := r.someone(random)
	if p == nil {
		return answerSaid{}, false
	}
	begin := func(p *process, inbox string) {
		reply, failure := p.replica.Start(p.replica.work, request, Requester{Inbox: inbox})
		switch {
		case failure != nil:
			body, _ := json.Marshal(schema.ErrorReply{Error: *failure})
			_ = p.client.Reply(inbox, nil, body) // a lost answer is asked for again
		case reply != nil:
			body, _ := json.Marshal(reply)
			_ = p.client.Reply(inbox, nil, body) // a lost answer is asked for again
		}
	}
	r.asks.Go(func() { begin(p, inbox) })
	if random.IntN(3) == 0 {
		if q := r.someone(random); q != nil {
			r.asks.Go(func() { begin(q, inbox+"-twice") })
		}
	}
	for range 70 {
		time.Sleep(450*time.Millisecond + upTo(random, 100*time.Millisecond))
		for _, reply := range append(r.server.Replies(inbox), r.server.Replies(inbox+"-twice")...) {
			return r.note(request.OrderID, reply), true
		}
	}
	return answerSaid{}, false
}

func (r *run) note(order string, reply bustest.Reply) answerSaid {
	var failure schema.ErrorReply
	var start schema.StartReply
	_ = json.Unmarshal(reply.Body, &failure) // one of the two
	_ = json.Unmarshal(reply.Body, &start)
	a := answerSaid{failure.Error.Code, start.Created, start.Status}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said[order] = append(r.said[order], a)
	return a
}

// settle waits until every session has ended, at most a session's life.
func (r *run) settle() {
	for range int(simTimeout/time.Minute) + 5 {
		if len(r.server.Locked()) == 0 && len(r.server.LiveRecords()) == 0 {
			break
		}
		time.Sleep(time.Minute)
	}
	time.Sleep(time.Minute)
}

// end stops every process, so that the bubble has no goroutine left.
func (r *run) end() {
	for _, p := range r.all {
		p.client.Freeze(false)
		p.stop()
		p.replica.stopWork()
	}
	r.asks.Wait()
	for _, p := range r.all {
		p.replica.wg.Wait()
		p.done.Wait()
	}
}

// audit counts what happened.
type audit struct {
	Orders, Statuses, Reconciled, Unresolved, Withdrawn int
	Kills, Pauses, Cuts, Away, Drains, Redeliveries     int
	Outages, Jumps                                      int
}

func (a *audit) add(b audit) {
	a.Orders += b.Orders
	a.Statuses += b.Statuses
	a.Reconciled += b.Reconciled
	a.Unresolved += b.Unresolved
	a.Withdrawn += b.Withdrawn
	a.Kills += b.Kills
	a.Pauses += b.Pauses
	a.Cuts += b.Cuts
	a.Away += b.Away
	a.Drains += b.Drains
	a.Redeliveries += b.Redeliveries
	a.Outages += b.Outages
	a.Jumps += b.Jumps
}
