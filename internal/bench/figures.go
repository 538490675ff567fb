//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sizes say how much each figure does.
type sizes struct {
	requesters int           // who start payments at the same time
	quiet      time.Duration // before a measurement, so that what the starts left to do is done

	deliverySessions, deliveryRate int // rate: statuses per second
	delivery                       time.Duration
	floodSessions, floodWindow     int // window: statuses of one order under way
	flood                          time.Duration
	idleSessions, idleRequesters   int
	idle                           time.Duration // once before and once while it is measured
	starts                         int
	failoverSessions               int
	failover                       time.Duration // after which everything counts as lost
	dropSessions                   int
	away                           time.Duration
}

// standard are the sizes that the rows name.
var standard = sizes{
	requesters: 16, quiet: 4 * time.Second,
	deliverySessions: 500, deliveryRate: 200, delivery: 20 * time.Second,
	floodSessions: 200, floodWindow: 32, flood: 5 * time.Second,
	idleSessions: 5000, idleRequesters: 64, idle: 20 * time.Second,
	starts:           4000,
	failoverSessions: 1000, failover: 90 * time.Second,
	dropSessions: 2000, away: 2 * time.Second,
}

// figure is one measurement; measure returns a value for each of the rows.
type figure struct {
	name       string
	bridgeOnly bool
	measure    func(context.Context, *rig, sizes) ([]float64, error)
	rows       []row
}

func figures() []figure {
	return []figure{
		{name: "delivery", measure: delivery, rows: []row{
			{name: "delivery p50, 500 sessions, 200/s", unit: "ms", kind: ratioAtMost, bound: 1.2},
			{name: "delivery p99", unit: "ms", kind: ratioAtMost, bound: 1.5},
			{name: "delivery CPU", unit: "% of a core", kind: ratioAtMost, bound: 1.3},
		}},
		{name: "flood", measure: flood, rows: []row{
			{name: "statuses as fast as sent, 200 sessions", unit: "/s", kind: ratioAtLeast, bound: 0.8},
			{name: "CPU for each, program", unit: "µs"},
			{name: "CPU for each, NATS", unit: "µs"},
		}},
		{name: "idle", measure: idle, rows: []row{
			{name: "memory of each of 5,000 idle sessions", unit: "KiB", kind: ratioAtMost, bound: 1},
			{name: "their CPU", unit: "% of a core", kind: atMost, bound: 2},
			{name: "time to open them", unit: "s", kind: ratioAtMost, bound: 2.5},
			{name: "questions and streams asked for", unit: "/s"},
		}},
		{name: "starts", measure: starts, rows: []row{
			{name: "starts, 16 requesters", unit: "/s", kind: ratioAtLeast, bound: 0.45},
			{name: "start p50", unit: "ms", kind: ratioAtMost, bound: 2.5},
			{name: "start p99", unit: "ms", kind: ratioAtMost, bound: 4},
			{name: "slowest start of all runs", unit: "ms", worst: true, kind: atMost, bound: 250},
		}},
		{name: "failover", measure: failover, bridgeOnly: true, rows: []row{
			{name: "owner of 1,000 killed: first followed again", unit: "s", kind: atMost, bound: 2},
			{name: "last followed again", unit: "s", kind: atMost, bound: 3},
			{name: "last status of the gap published", unit: "s"},
			{name: "statuses lost in the worst run", worst: true, kind: atMost, bound: 0},
		}},
		{name: "drop", measure: drop, bridgeOnly: true, rows: []row{
			{name: "2,000 streams dropped: all connected again", unit: "s", kind: atMost, bound: 3},
			{name: "attempts while the provider is away", unit: "/s", worst: true, kind: atMost, bound: providerRate},
		}},
	}
}

// delivery measures latency and processor time at a steady rate.
func delivery(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	_, err := r.open(ctx, s.deliverySessions, s.requesters)
	if err := errors.Join(err, pause(ctx, s.quiet)); err != nil {
		return nil, err
	}
	orders := r.provider.all()
	begun, before := time.Now(), r.subject.cpu()
	pace := time.NewTicker(time.Second / time.Duration(s.deliveryRate))
	defer pace.Stop()
	for i := 0; time.Since(begun) < s.delivery && ctx.Err() == nil; i++ {
		<-pace.C
		r.provider.emit(orders[i%len(orders)], 1, "")
	}
	used := 100 * (r.subject.cpu() - before) / time.Since(begun).Seconds()
	if err := r.settled(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	all, _ := r.provider.ledger.latencies()
	return []float64{percentile(all, 0.5), percentile(all, 0.99), used}, nil
}

// flood measures how many statuses arrive when every stream always has more. The
// first fifth of the time does not count.
func flood(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	_, err := r.open(ctx, s.floodSessions, s.requesters)
	if err := errors.Join(err, pause(ctx, s.quiet)); err != nil {
		return nil, err
	}
	r.emit(1, "") // the first event of a stream costs a question
	if err := r.settled(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	end := time.Now().Add(s.flood)
	underWay := map[string]int{}
	r.mu.Lock()
	r.onStatus = func(id string) { // called by one goroutine
		if _, begun := underWay[id]; !begun {
			underWay[id] = s.floodWindow
		}
		underWay[id]--
		if free := s.floodWindow - underWay[id]; free >= s.floodWindow/2 && time.Now().Before(end) {
			underWay[id] += free
			r.provider.emit(r.provider.order(id), free, "")
		}
	}
	r.mu.Unlock()
	r.emit(s.floodWindow, "")
	if err := pause(ctx, s.flood/5); err != nil {
		return nil, err
	}
	arrived := func() float64 { sent, missing, _ := r.provider.ledger.count(); return float64(sent - missing) }
	begun, before, subject, server := time.Now(), arrived(), r.subject.cpu(), r.running[0].cpu()
	err = pause(ctx, time.Until(end))
	n := arrived() - before
	values := []float64{n / time.Since(begun).Seconds(), 1e6 * (r.subject.cpu() - subject) / n, 1e6 * (r.running[0].cpu() - server) / n}
	return values, errors.Join(err, r.settled(ctx, 20*time.Second))
}

// idle measures what sessions cost when nothing happens.
func idle(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	empty := r.subject.resident()
	opened, err := r.open(ctx, s.idleSessions, s.idleRequesters)
	if err != nil {
		return nil, err
	}
	for i, order := range r.provider.all() { // so that questions find nothing new
		r.provider.emit(order, 1, "")
		if i%100 == 99 {
			err = errors.Join(err, pause(ctx, 100*time.Millisecond))
		}
	}
	if err := errors.Join(err, r.settled(ctx, 10*time.Second), pause(ctx, s.idle)); err != nil {
		return nil, err
	}
	begun, before, asked := time.Now(), r.subject.cpu(), r.provider.attempts.Load()
	err = pause(ctx, s.idle)
	took := time.Since(begun).Seconds()
	used := 100 * (r.subject.cpu() - before) / took
	memory := (r.subject.resident() - empty) / float64(s.idleSessions)
	rate := float64(r.provider.attempts.Load()-asked) / took
	return []float64{memory, used, opened, rate}, errors.Join(err, r.followed(ctx, time.Second, s.idleSessions))
}

// starts measures starts in a closed loop.
func starts(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	begun := time.Now()
	all, err := r.start(ctx, s.starts, s.requesters)
	rate := float64(len(all)) / time.Since(begun).Seconds()
	return []float64{rate, percentile(all, 0.5), percentile(all, 0.99), percentile(all, 1)}, err
}

// failover measures how soon another replica follows the sessions of one that was
// killed. Every order changes its status half a second after that.
func failover(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	_, err := r.open(ctx, s.failoverSessions, s.requesters)
	if err != nil {
		return nil, err
	}
	r.emit(1, "")
	_, err = r.startBridge(ctx, "successor")
	if err := errors.Join(err, r.settled(ctx, s.failover), pause(ctx, s.quiet)); err != nil {
		return nil, err
	}
	killed := time.Now()
	r.subject.kill()
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return nil, err
	}
	r.emit(1, "")
	if err := r.followed(ctx, s.failover, s.failoverSessions); err != nil {
		return nil, err
	}
	first, last := r.provider.opened(killed)
	_ = until(ctx, s.failover, "the gap is filled", func() bool { return r.missing() == 0 }) // what is missing then is lost
	_, filled := r.provider.ledger.latencies()
	r.emit(1, "completed")
	err = r.settled(ctx, s.failover)
	lost := r.missing()
	if lost > 0 {
		err = ctx.Err() // it is the value of a row
	}
	return []float64{first, last, filled.Sub(killed).Seconds(), float64(lost)}, err
}

// drop measures how soon all streams are back after an outage of the provider,
// and what the provider gets to bear meanwhile.
func drop(ctx context.Context, r *rig, s sizes) ([]float64, error) {
	_, err := r.open(ctx, s.dropSessions, s.requesters)
	if err := errors.Join(err, pause(ctx, s.quiet)); err != nil {
		return nil, err
	}
	r.provider.away.Store(true)
	begun, before := time.Now(), r.provider.attempts.Load()
	r.provider.drop()
	if err := pause(ctx, s.away-time.Since(begun)); err != nil {
		return nil, err
	}
	back, attempts := time.Now(), r.provider.attempts.Load()-before
	if left := r.provider.follows(); left > 0 {
		return nil, fmt.Errorf("%d streams were not dropped", left)
	}
	r.provider.away.Store(false)
	err = r.followed(ctx, openLimit, s.dropSessions)
	_, last := r.provider.opened(back)
	return []float64{last, float64(attempts) / back.Sub(begun).Seconds()}, err
}
