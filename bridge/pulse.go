package bridge

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// pulseInterval is how often a replica notes that it is awake.
	pulseInterval = 100 * time.Millisecond
	// aftermath is how long after it stood still a replica may still read events
	// that were sent to it meanwhile: what one reader has to wait with holds up the
	// ones behind it. Requests are all read at once.
	aftermath        = time.Second
	requestAftermath = 100 * time.Millisecond
)

// stillness is a time in which something may have lain there unread.
type stillness struct{ from, to time.Time }

// covers reports whether what was read at a time, at most so long after the
// stillness, may have lain there.
func (s stillness) covers(read time.Time, after time.Duration) bool {
	return read.After(s.from) && read.Before(s.to.Add(after))
}

// pulse notices that the process has stood still: it was stopped, or its machine
// was. Nothing tells a process so, and what it then reads looks new.
type pulse struct {
	mu sync.Mutex
	// local is the last beat by the machine's clock, monotonic and wall: the one
	// stands still with a machine that is suspended, the other does not.
	local time.Time
	// stood are the times after which something may still be read that lay there.
	// The end of each is moved on while the process stands still again.
	stood []stillness
}

// beat notes that the process is awake. shared is local by the bus's clock.
func (p *pulse) beat(local, shared time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(local, shared)
}

// earliest is the earliest time at which what is read now, or so long after a
// stillness, can have been sent.
func (p *pulse) earliest(local, shared time.Time, after time.Duration) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.local.IsZero() {
		p.note(local, shared)
	}
	sent := shared
	for _, s := range p.stood {
		if s.covers(shared, after) && s.from.Before(sent) {
			sent = s.from
		}
	}
	return sent
}

// note compares with the beat before. p.mu is held.
func (p *pulse) note(local, shared time.Time) {
	gap := max(local.Sub(p.local), local.Round(0).Sub(p.local.Round(0)))
	if !p.local.IsZero() && gap > sameEvent {
		from := shared.Add(-gap)
		p.stood = slices.DeleteFunc(p.stood, func(s stillness) bool { return !s.covers(from, aftermath) })
		for i := range p.stood { // nothing of what lay there was read meanwhile, but for a beat
			p.stood[i].to = p.stood[i].to.Add(gap - pulseInterval)
		}
		p.stood = append(p.stood, stillness{from: from, to: shared})
	}
	p.local = local
}

// keepPulse beats until ctx is over.
func (r *Replica) keepPulse(ctx context.Context) {
	tick := time.NewTicker(pulseInterval)
	defer tick.Stop()
	for {
		shared := r.Clock.Now()
		r.pulse.beat(time.Now(), shared)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// earliest is the earliest time at which what is read now can have been sent.
func (r *Replica) earliest(after time.Duration) time.Time {
	shared := r.Clock.Now()
	return r.pulse.earliest(time.Now(), shared, after)
}
