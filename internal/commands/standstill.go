package commands

import (
	"context"
	"sync"
	"time"
)

const (
	// beatEvery is how often a replica notes that it is awake.
	beatEvery = 500 * time.Millisecond
	// stoodStill is how late a beat must be to be a standstill.
	stoodStill = time.Second
	// aftermath is how long after a standstill requests may still arrive that were
	// sent meanwhile.
	aftermath = time.Second
)

// standstill notices that the process, or its machine, stood still: a request that
// lay in the socket meanwhile looks new. Requests have no time of their own.
type standstill struct {
	mu sync.Mutex
	// beat is the last time at which the process was awake.
	beat time.Time
	// since is the beginning of the last standstill; what arrives before until may
	// be as old as that.
	since, until time.Time
}

// run beats until ctx is over.
func (s *standstill) run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		s.age(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// age is how old a request that arrives now may be.
func (s *standstill) age(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A machine that is suspended stops the monotonic clock, but not the other one.
	gap := max(now.Sub(s.beat), now.Round(0).Sub(s.beat.Round(0)))
	if !s.beat.IsZero() && gap > stoodStill {
		if since := now.Add(-gap); since.After(s.until) {
			s.since = since
		}
		s.until = now.Add(aftermath)
	}
	s.beat = now
	if now.Before(s.until) {
		return now.Sub(s.since)
	}
	return 0
}
