//go:build linux

package main

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// trade is a kind of merchant: its share of the terminals, and how many payments one
// terminal takes on a busy Saturday, hour by hour.
type trade struct {
	name     string
	share    float64
	payments float64
	hours    [24]float64 // weights
}

var trades = []trade{
	{"supermarket", 0.10, 300, [24]float64{8: 2, 9: 5, 10: 8, 11: 10, 12: 11, 13: 11, 14: 11, 15: 11, 16: 12, 17: 11, 18: 6, 19: 4, 20: 2, 21: 1}},
	{"shop", 0.50, 60, [24]float64{9: 2, 10: 6, 11: 11, 12: 14, 13: 16, 14: 17, 15: 16, 16: 13, 17: 6, 18: 1}},
	{"café", 0.30, 70, [24]float64{9: 2, 10: 4, 11: 5, 12: 9, 13: 9, 14: 6, 15: 6, 16: 7, 17: 9, 18: 11, 19: 11, 20: 9, 21: 7, 22: 5, 23: 3, 0: 2}},
	{"market", 0.10, 90, [24]float64{8: 5, 9: 11, 10: 16, 11: 18, 12: 17, 13: 15, 14: 11, 15: 7, 16: 2}},
}

// course is how a payment goes: how often, its statuses, and how long its middle one
// takes. Times are spread around that (log-normal).
type course struct {
	name     string
	share    float64
	statuses int
	median   time.Duration
	unpaid   bool // it has aftercare: two more claims
}

var courses = []course{
	{"approved", 0.87, 2, 12 * time.Second, false},
	{"PIN asked for, approved", 0.06, 4, 25 * time.Second, false},
	{"declined, cancelled", 0.03, 3, 30 * time.Second, true},
	{"cancelled", 0.03, 2, 15 * time.Second, true},
	{"nobody came", 0.01, 2, 65 * time.Second, true},
}

// spread is the sigma of the log-normal distribution of times.
const spread = 0.5

// Figures of one payment besides those of its course: a session and two claims, and the
// bytes that stay of it for STATUS_MAX_AGE. See measureBus and measureFill.
const (
	fixedMessages  = 3
	bytesPerStatus = 1080
	memoryPerOrder = 320 // of the server, in bytes, see measureFill
	// A replica reads at its start what is younger than horizon, at readPerSecond.
	horizon           = 95 * time.Minute
	readPerSecond     = 30_000
	heartbeat         = 10 * time.Second / 3
	replicaMemory     = 60 << 10 // of an open payment
	questionsPerOrder = 1.2      // one when the stream opens, one at the end of some
)

// endings are when open payments end.
type endings []time.Duration

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i] < e[j] }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(v any)        { *e = append(*e, v.(time.Duration)) } //nolint:forcetypeassert // container/heap
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// day is what happened on a simulated Saturday.
type day struct {
	payments, statuses, unpaid   int
	busySecond, busyMinute, open int
	busiest                      time.Duration
	// second has the payments that begin in each second.
	second [24 * 3600]int
}

// simulateSaturday draws every payment of the day and compares the busiest times with
// what one prefix carries.
func simulateSaturday(_ context.Context, s settings, out io.Writer) error {
	d := drawDay(s.terminals, rand.New(rand.NewPCG(s.seed, s.seed))) //nolint:gosec // no secret
	perSecond := float64(d.busyMinute) / 60
	messages := fixedMessages + float64(d.statuses+2*d.unpaid)/float64(d.payments)
	stored := float64(d.payments) * 4 // a week: the other days have half as many
	for _, line := range []struct {
		what  string
		value string
	}{
		{"terminals", fmt.Sprint(s.terminals)},
		{"payments on the day", fmt.Sprint(d.payments)},
		{"busiest minute, at " + d.busiest.String(), fmt.Sprintf("%.0f payments/s", perSecond)},
		{"busiest second", fmt.Sprintf("%d payments", d.busySecond)},
		{"most payments open", fmt.Sprint(d.open)},
		{"messages stored per payment", fmt.Sprintf("%.1f", messages)},
		{"messages stored in the busiest minute", fmt.Sprintf("%.0f/s", perSecond*messages)},
		{"heartbeats then", fmt.Sprintf("%.0f/s", float64(d.open)/heartbeat.Seconds())},
		{"questions to the provider then", fmt.Sprintf("%.0f/s", perSecond*questionsPerOrder)},
		{"memory of all replicas for open payments", fmt.Sprintf("%.0f MiB", float64(d.open)*replicaMemory/(1<<20))},
		{"orders kept for a week", fmt.Sprintf("%.0f million", stored/1e6)},
		{"disk for them, each copy", fmt.Sprintf("%.0f GiB", stored*float64(d.statuses)/float64(d.payments)*bytesPerStatus/(1<<30))},
		{"memory of each server of NATS for them", fmt.Sprintf("%.1f GiB", stored*memoryPerOrder/(1<<30))},
	} {
		fmt.Fprintf(out, "%-45s %s\n", line.what, line.value)
	}
	fmt.Fprintf(out, "\nprefixes, each carries %d payments/s  load in the busiest minute  longest wait  seconds with a wait  memory of NATS for each  a replica starts in  terminals of each\n", s.capacity)
	for n := 1; n <= most; n++ {
		longest, waiting := d.wait(n * s.capacity)
		fmt.Fprintf(out, "%34d  %24.0f %%  %12s  %19d  %19.1f GiB  %19s  %17d\n", n, 100*perSecond/float64(n*s.capacity),
			longest.Round(time.Millisecond), waiting, stored/float64(n)*memoryPerOrder/(1<<30), d.start(n).Round(time.Second), s.terminals/n)
	}
	return nil
}

// most is how many prefixes are tried.
const most = 5

// start is how long a replica of one of n prefixes needs to start in the busiest hours:
// it reads the claim and the statuses of each payment of the last horizon.
func (d *day) start(n int) time.Duration {
	most, now := 0, 0
	for second, payments := range d.second {
		if now += payments; second >= int(horizon.Seconds()) {
			now -= d.second[second-int(horizon.Seconds())]
		}
		most = max(most, now)
	}
	messages := float64(most) / float64(n) * (1 + float64(d.statuses)/float64(d.payments))
	return time.Duration(messages / readPerSecond * float64(time.Second))
}

// wait is how long a start waits at most, and for how many seconds of the day starts
// wait, if so many are carried out in a second.
func (d *day) wait(capacity int) (longest time.Duration, seconds int) {
	left := 0
	for _, n := range d.second {
		left = max(0, left+n-capacity)
		if left > 0 {
			seconds++
		}
		longest = max(longest, time.Duration(left)*time.Second/time.Duration(capacity))
	}
	return longest, seconds
}

// drawDay draws all payments of a day.
func drawDay(terminals int, dice *rand.Rand) *day {
	type payment struct {
		begin, takes time.Duration
		course       *course
	}
	var all []payment
	for _, t := range trades {
		n := float64(terminals) * t.share * t.payments
		var sum float64
		for _, w := range t.hours {
			sum += w
		}
		for hour, w := range t.hours {
			for range int(n*w/sum + dice.Float64()) {
				c := drawCourse(dice)
				takes := time.Duration(float64(c.median) * math.Exp(spread*dice.NormFloat64()))
				begin := time.Duration(hour)*time.Hour + time.Duration(dice.Int64N(int64(time.Hour)))
				all = append(all, payment{begin, takes, c})
			}
		}
	}
	slices.SortFunc(all, func(a, b payment) int { return cmp.Compare(a.begin, b.begin) })
	d := &day{payments: len(all)}
	var open endings
	var minute [24 * 60]int
	for _, p := range all {
		for len(open) > 0 && open[0] <= p.begin {
			heap.Pop(&open)
		}
		heap.Push(&open, p.begin+p.takes)
		d.open = max(d.open, len(open))
		d.statuses += p.course.statuses
		if p.course.unpaid {
			d.unpaid++
		}
		s, m := int(p.begin/time.Second), int(p.begin/time.Minute)
		d.second[s]++
		minute[m]++
		d.busySecond = max(d.busySecond, d.second[s])
		if minute[m] > d.busyMinute {
			d.busyMinute, d.busiest = minute[m], time.Duration(m)*time.Minute
		}
	}
	return d
}

func drawCourse(dice *rand.Rand) *course {
	at := dice.Float64()
	for i := range courses {
		if at -= courses[i].share; at < 0 {
			return &courses[i]
		}
	}
	return &courses[0]
}
