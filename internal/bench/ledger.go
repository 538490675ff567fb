//go:build linux

package main

import (
	"slices"
	"sync"
	"time"
)

// ledger notes when each status was sent and when it arrived on NATS. A status
// is known by its number, from 1 on, which is its transaction id.
type ledger struct {
	start time.Time

	mu       sync.Mutex
	statuses []times
	missing  int // statuses that were sent and have not arrived
	doubled  int // statuses that arrived again
}

// times of one status, since the start; 0: not yet.
type times struct{ sent, got time.Duration }

// send notes that a new status goes out now and returns its number.
func (l *ledger) send() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses = append(l.statuses, times{sent: time.Since(l.start)})
	l.missing++
	return len(l.statuses)
}

// receive notes that a status arrived. Numbers that were not given out are ignored.
func (l *ledger) receive(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n < 1 || n > len(l.statuses):
	case l.statuses[n-1].got > 0:
		l.doubled++
	default:
		l.statuses[n-1].got = time.Since(l.start)
		l.missing--
	}
}

// count returns how many statuses were sent, have not arrived, and arrived again.
func (l *ledger) count() (sent, missing, doubled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.statuses), l.missing, l.doubled
}

// latencies of the statuses that arrived, sorted, and when the last one arrived.
func (l *ledger) latencies() (sorted []time.Duration, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var end time.Duration
	for _, s := range l.statuses {
		if s.got > 0 {
			sorted, end = append(sorted, s.got-s.sent), max(end, s.got)
		}
	}
	slices.Sort(sorted)
	return sorted, l.start.Add(end)
}

// percentile of sorted times in milliseconds, p from 0 to 1; 0 when there are none.
func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))].Seconds() * 1000
}
