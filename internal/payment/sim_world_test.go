package payment

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/posbridge/bridge/schema"
)

// world is the simulation: replicas, a bus, a provider, tills and an auditor on
// one virtual clock. One seed decides everything, and one goroutine runs it.
type world struct {
	seed uint64
	rand *rand.Rand
	// now is the true time since the beginning.
	now     time.Duration
	agenda  agenda
	weather weather
	// healed is set once nothing fails any more.
	healed   bool
	healedAt time.Duration

	bus      *simBus
	provider *simProvider
	replicas []*simReplica
	orders   []*simOrder
	inboxes  map[string]*simStart
	audit    *auditor
	log      *strings.Builder
	paranoid bool
	// counted for the report
	kills, pauses, takeovers, statuses int
	processes                          int
}

// simOrder is an order that tills start.
type simOrder struct {
	index, terminal int
	id, terminalID  string
	starts          []*simStart
}

// simStart is one start request and what came of it.
type simStart struct {
	order   *simOrder
	nonce   string
	hash    string
	inbox   string
	sent    time.Duration
	handler *simReplica
	// handlerGen is the process that took the request.
	handlerGen int
	// storedAt is when its session was stored, 0 while it is not; joined is the
	// nonce of the session that the request joined.
	storedAt time.Duration
	joined   string
	// knower is who has heard that the order exists, and known since when.
	knower    *simReplica
	knowerGen int
	known     time.Duration
	// lost is set when the process ended between unlocking and answering.
	lost     bool
	answered bool
	answer   AnswerStart
	at       time.Duration
}

// agenda is a heap of things to do.
type agenda struct {
	items []appointment
	count uint64
}

type appointment struct {
	at    time.Duration
	order uint64
	do    func()
}

func (a *appointment) before(b *appointment) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (a *agenda) add(at time.Duration, do func()) {
	a.count++
	a.items = append(a.items, appointment{at, a.count, do})
	i := len(a.items) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !a.items[i].before(&a.items[up]) {
			break
		}
		a.items[i], a.items[up] = a.items[up], a.items[i]
		i = up
	}
}

func (a *agenda) next() appointment {
	first := a.items[0]
	last := len(a.items) - 1
	a.items[0] = a.items[last]
	a.items[last] = appointment{}
	a.items = a.items[:last]
	for i := 0; ; {
		least, left, right := i, 2*i+1, 2*i+2
		if left < last && a.items[left].before(&a.items[least]) {
			least = left
		}
		if right < last && a.items[right].before(&a.items[least]) {
			least = right
		}
		if least == i {
			return first
		}
		a.items[i], a.items[least] = a.items[least], a.items[i]
		i = least
	}
}

func (w *world) after(d time.Duration, do func()) { w.agenda.add(w.now+max(0, d), do) }

func (w *world) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

// fault is chance as long as things may fail.
func (w *world) fault(p float64) bool { return !w.healed && w.chance(p) }

func (w *world) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(w.rand.Int64N(int64(most-least)))
}

func (w *world) logging() bool { return w.log != nil }

func (w *world) logf(format string, args ...any) {
	if w.log != nil {
		fmt.Fprintf(w.log, "%12v  ", w.now)
		fmt.Fprintf(w.log, format, args...)
		w.log.WriteByte('\n')
	}
}

// Times of the simulation.
const (
	simRequestTimeout = 5 * time.Second
	simReplicaTTL     = 10 * time.Second
	simSessionTimeout = 150 * time.Second
	simSweep          = 30 * time.Second
	simEnd            = 20 * time.Minute
)

func simRules() Rules {
	return Rules{
		ReplicaTTL: simReplicaTTL, RequestTimeout: simRequestTimeout, BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second,
		ReconcileInterval: 15 * time.Second, SettleWindow: 3 * time.Second, SessionTimeout: simSessionTimeout,
		Aftercare: []time.Duration{15 * time.Second, time.Minute}, ClaimTTL: time.Hour + simSessionTimeout,
	}
}

// without are the rules that a simulation goes without.
type without struct {
	machine ruleSet
	// repeatSequences is R5, noSweep the sweep.
	repeatSequences, noSweep bool
	// focus makes more likely what the rule is for.
	focus func(*weather)
	// paranoid has every Step checked for changes of its input.
	paranoid bool
}

// simulate runs one seed to its end. The log is kept when it is wanted.
func simulate(seed uint64, off without, log *strings.Builder) (w *world) {
	w = &world{seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), log: log, paranoid: off.paranoid, inboxes: map[string]*simStart{}}
	w.audit = newAuditor(w)
	defer func() {
		if cause := recover(); cause != nil {
			if log == nil {
				w.audit.wrong("panic: %v", cause)
				return
			}
			w.audit.wrong("panic: %v\n%s", cause, stack())
		}
	}()
	w.weather = drawWeather(w)
	if off.focus != nil {
		off.focus(&w.weather)
	}
	w.bus = newSimBus(w, off.repeatSequences)
	w.provider = &simProvider{w: w}
	for i := range w.weather.replicas {
		r := &simReplica{w: w, index: i, rules: simRules(), noSweep: off.noSweep}
		r.rules.without = off.machine
		w.replicas = append(w.replicas, r)
		r.boot()
	}
	w.plan()
	for len(w.agenda.items) > 0 && len(w.audit.faults) == 0 {
		next := w.agenda.next()
		w.now = next.at
		if w.now > simEnd {
			break
		}
		next.do()
	}
	if len(w.audit.faults) == 0 {
		w.audit.end()
	}
	return w
}

// over reports whether nothing more is to be expected of the bridge.
func (w *world) over() bool {
	if !w.healed || len(w.bus.queue.sessions) > 0 || w.provider.posting > 0 {
		return false
	}
	for _, r := range w.replicas {
		if len(r.pays) > 0 {
			return false
		}
	}
	for i := range w.bus.logs {
		l := &w.bus.logs[i]
		if l.claim != nil && l.claim.Phase != ClaimClosed && !l.over() {
			return false
		}
		if l.over() && w.now < l.entries[len(l.entries)-1].Event.ObservedAt.Sub(epoch)+time.Minute+3*simSweep {
			return false // aftercare may have to be taken over
		}
	}
	for _, in := range w.inboxes {
		if !in.answered && !in.lost && w.now < max(in.sent, w.healedAt)+w.weather.startDeadline+5*time.Second {
			return false
		}
	}
	return true
}

func (w *world) plan() {
	for i := range w.weather.orders {
		o := &simOrder{index: i, terminal: w.rand.IntN(w.weather.terminals)}
		o.id, o.terminalID = orderIDs[i], terminalIDs[o.terminal]
		w.orders = append(w.orders, o)
		w.bus.logs = append(w.bus.logs, simLog{})
		w.provider.orders = append(w.provider.orders, &providerOrder{index: i})
		w.audit.orders = append(w.audit.orders, &auditOrder{})
		at := w.between(time.Second, 20*time.Second) * time.Duration(1+i*w.rand.IntN(3))
		w.after(at, func() { w.till(o) })
	}
	if w.weather.foreign {
		w.provider.foreign(w.provider.orders[0])
	}
	w.planFaults()
	w.after(w.weather.faultEnd, w.heal)
}

var (
	orderIDs    = []string{"A", "B", "C", "D"}
	terminalIDs = []string{"T1", "T2", "T3"}
)

// heal ends all faults. What is on its way still arrives.
func (w *world) heal() {
	w.logf("=== from here on nothing fails")
	w.healed, w.healedAt = true, w.now
	for _, r := range w.replicas {
		r.cutUntil = 0
		if r.paused {
			r.resume()
		}
		if !r.alive {
			r.boot()
		}
	}
	w.bus.downUntil, w.provider.downUntil = 0, 0
	w.check()
}

// check ends the run once everything is over.
func (w *world) check() {
	if w.over() {
		w.agenda.items = nil
		return
	}
	w.after(2*time.Second, w.check)
}

func (w *world) planFaults() {
	f := w.weather
	some := func(n int, do func()) {
		for range n {
			w.after(w.between(500*time.Millisecond, f.faultEnd), do)
		}
	}
	some(f.kills, func() { w.pick().kill() })
	some(f.pauses, func() { w.pick().pause(w.between(100*time.Millisecond, 40*time.Second)) })
	some(f.cuts, func() { w.pick().cut(w.between(50*time.Millisecond, 25*time.Second)) })
	some(f.drains, func() { w.pick().drain() })
	some(f.steps, func() { w.pick().skew = w.between(-500*time.Millisecond, 500*time.Millisecond) })
	some(f.outages, func() { w.bus.downUntil = w.now + w.between(100*time.Millisecond, 20*time.Second) })
	some(f.providerOutages, func() {
		w.provider.downUntil = w.now + w.between(100*time.Millisecond, 30*time.Second)
		w.provider.dropAll()
	})
	if f.deleteStatus {
		some(1, w.bus.recreateStatus)
	}
	if f.purge {
		some(1, w.bus.purge)
	}
	if f.deleteQueue {
		some(1, w.bus.recreateQueue)
	}
}

func (w *world) pick() *simReplica { return w.replicas[w.rand.IntN(len(w.replicas))] }

// served picks a replica that takes commands, nil when there is none.
func (w *world) served() *simReplica {
	n := len(w.replicas)
	from := w.rand.IntN(n)
	for i := range n {
		if r := w.replicas[(from+i)%n]; r.alive && !r.paused && !r.draining && !r.isCut() {
			return r
		}
	}
	return nil
}

// weather is what may go wrong under a seed.
type weather struct {
	replicas, terminals, orders                          int
	faultEnd                                             time.Duration
	kills, pauses, cuts, outages, drains, steps          int
	providerOutages                                      int
	deleteStatus, deleteQueue, purge                     bool
	lost, slow, falseGone, hintLost                      float64
	slowMost                                             time.Duration
	postLost, postLate, postUnclear, postRefused         float64
	postLimited, postNotSent, postTwice                  float64
	getFails, cancelFails, refuseStream, dropStream      float64
	stall, lateApproval, mute, tip, invalid, repeatEvent float64
	slowest, startDeadline                               time.Duration
	pretransaction                                       time.Duration
	// answerLag is how old an answer may be.
	answerLag                     time.Duration
	history                       historyMode
	ids, stubborn, foreign, blind bool
	// transactions is set when every attempt has its own; else none has one, or
	// all have the same.
	transactions, sameTransaction bool
	rush                          bool
}

// historyMode is what a stream shows on connecting.
type historyMode int

const (
	historyNone historyMode = iota
	historyPresent
	historyAll
	historyResumed
)

func drawWeather(w *world) weather {
	f := weather{
		replicas: 2 + w.rand.IntN(2), terminals: 1 + w.rand.IntN(2), orders: 1 + w.rand.IntN(3), faultEnd: w.between(30*time.Second, 120*time.Second),
		history: historyMode(w.rand.IntN(4)), ids: w.chance(0.4), transactions: w.chance(0.8), sameTransaction: w.chance(0.5), rush: w.chance(0.2),
		slowest: 50 * time.Millisecond, startDeadline: []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second}[w.rand.IntN(3)], lateApproval: 0.3, mute: 0.1, tip: 0.2,
	}
	if w.chance(0.15) {
		return f // nothing fails
	}
	count := func(p float64, most int) int {
		if !w.chance(p) {
			return 0
		}
		return 1 + w.rand.IntN(most)
	}
	often := func(p, most float64) float64 {
		if !w.chance(p) {
			return 0
		}
		return most * w.rand.Float64()
	}
	f.kills, f.pauses, f.cuts, f.outages = count(0.5, 3), count(0.4, 3), count(0.3, 3), count(0.2, 2)
	f.drains, f.steps, f.providerOutages = count(0.3, 2), count(0.3, 3), count(0.2, 2)
	if w.chance(0.2) {
		switch w.rand.IntN(5) {
		case 0, 1:
			f.deleteStatus = true
		case 2, 3:
			f.deleteQueue = true
		default:
			f.purge = true
		}
	}
	f.lost, f.slow, f.falseGone, f.hintLost = often(0.4, 0.1), often(0.3, 0.1), often(0.3, 0.5), often(0.3, 1)
	f.slowMost = w.between(time.Second, 40*time.Second)
	f.postLost, f.postLate, f.postUnclear, f.postRefused = often(0.3, 0.5), often(0.4, 0.7), often(0.3, 0.5), often(0.3, 0.5)
	f.postLimited, f.postNotSent, f.postTwice = often(0.2, 0.4), often(0.2, 0.5), often(0.2, 0.3)
	f.getFails, f.cancelFails, f.refuseStream, f.dropStream = often(0.3, 0.6), often(0.3, 0.6), often(0.3, 0.6), often(0.4, 1)
	f.stall, f.invalid, f.repeatEvent = often(0.2, 0.3), often(0.2, 0.2), often(0.2, 0.2)
	if w.chance(0.3) {
		f.slowest = w.between(100*time.Millisecond, 8*time.Second)
	}
	if w.chance(0.3) {
		f.pretransaction = w.between(100*time.Millisecond, 20*time.Second)
	}
	f.stubborn, f.foreign, f.blind = w.chance(0.05), w.chance(0.05), w.chance(0.05)
	return f
}

func (o *simOrder) request() schema.StartRequest {
	return schema.StartRequest{OrderID: o.id, TerminalID: o.terminalID, Amount: 1000, Currency: "EUR"}
}
