package follower

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Numbers of the budget.
const (
	// recoverStep is how often the rate doubles once the provider answers again.
	recoverStep = 100 * time.Millisecond
	// recoverTime is how long the provider must answer before calls are free.
	recoverTime = time.Second
	// maxRate bounds the rate while it doubles, in calls per second.
	maxRate = 10_000
)

// budgets are the budgets of the terminal groups.
type budgets struct {
	// rate is in calls per second.
	rate float64
	// work ends the goroutines that hand out turns; wg has them. Whoever waits for a
	// turn is in wg too.
	work   context.Context
	wg     *sync.WaitGroup
	mu     sync.Mutex
	groups map[string]*budget
}

func (b *budgets) of(group string) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.groups == nil {
		b.groups = map[string]*budget{}
	}
	if b.groups[group] == nil {
		b.groups[group] = &budget{budgets: b}
	}
	return b.groups[group]
}

// budget bounds the questions and stream attempts of one terminal group. While
// the provider works, only routine questions wait. While it fails, everything
// waits, first come first served, at the configured rate; once it answers again
// the rate doubles every recoverStep.
type budget struct {
	budgets *budgets

	mu sync.Mutex
	// failing is set by a failed call until the next one of its kind succeeds: answers
	// to questions do not say that streams can be opened. recovering is when nothing
	// failed any more, zero while the provider works or fails.
	failing    [2]bool
	recovering time.Time
	// pausedUntil is when the provider wants to be called again.
	pausedUntil time.Time
	// queue waits while the provider fails, routine while it works, after first.
	queue, first, routine []*ticket
	// granting is set while a goroutine hands out the turns, trying if the last one
	// was for the kind that fails alone.
	granting, trying bool
}

// kind is one of the two kinds of calls that a budget bounds.
type kind int

const (
	questions kind = iota
	streams
)

// ticket is a call that waits for its turn: run is called in a goroutine of its
// own then, or else turn is closed.
type ticket struct {
	kind kind
	turn chan struct{}
	run  func()
}

// give gives the turn.
func (t *ticket) give() {
	if t.run != nil {
		go t.run()
		return
	}
	close(t.turn)
}

// wait waits for the turn of a call that is not routine. It fails when ctx is over.
func (b *budget) wait(ctx context.Context, k kind) error {
	b.mu.Lock()
	if b.isFree() {
		b.mu.Unlock()
		return ctx.Err()
	}
	t := &ticket{kind: k, turn: make(chan struct{})}
	b.queue = append(b.queue, t)
	b.startGranting()
	b.mu.Unlock()
	select {
	case <-t.turn:
	case <-ctx.Done():
		b.leave(t)
	}
	return ctx.Err()
}

// later has run called when it is the turn of a routine call; the first ones about
// an order go before the others. Until then nothing but the ticket waits.
func (b *budget) later(first bool, run func()) *ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &ticket{run: run}
	switch {
	case !b.isFree():
		b.queue = append(b.queue, t)
	case first:
		b.first = append(b.first, t)
	default:
		b.routine = append(b.routine, t)
	}
	b.startGranting()
	return t
}

// isFree reports whether calls that are not routine need not wait. b.mu is held.
func (b *budget) isFree() bool {
	return !b.fails() && b.recovering.IsZero() && !time.Now().Before(b.pausedUntil)
}

// fails reports whether calls of some kind fail. b.mu is held.
func (b *budget) fails() bool { return b.failing[questions] || b.failing[streams] }

// startGranting makes sure that turns are handed out. b.mu is held.
func (b *budget) startGranting() {
	if !b.granting {
		b.granting = true
		b.budgets.wg.Go(b.grant)
	}
}

// leave gives a place in the line up. It reports false when the turn has come
// already.
func (b *budget) leave(t *ticket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range []*[]*ticket{&b.queue, &b.first, &b.routine} {
		if i := slices.Index(*line, t); i >= 0 {
			*line = slices.Delete(*line, i, i+1)
			return true
		}
	}
	return false
}

// grant hands out turns until nobody waits any more.
func (b *budget) grant() {
	for {
		pause, more := b.next()
		if !more || !sleep(b.budgets.work, pause) {
			return
		}
	}
}

// next hands out the turns that are due and says when the next one is.
func (b *budget) next() (pause time.Duration, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if wait := b.pausedUntil.Sub(now); wait > 0 {
		return wait, true
	}
	if !b.recovering.IsZero() && now.Sub(b.recovering) > recoverTime {
		b.recovering = time.Time{}
	}
	if !b.fails() && b.recovering.IsZero() { // nobody but routine questions has to wait
		for _, t := range b.queue {
			t.give()
		}
		b.queue = nil
	}
	// Several turns are given at once instead of short pauses. If fewer were wanted the
	// pause is as long: otherwise a second could begin with single turns and end with
	// several.
	least := minPause
	if b.isFree() {
		least = minPauseRoutine
	}
	turns, pause := bunch(b.now(now), least)
	given := 0
	for given < turns {
		t := b.pop()
		if t == nil {
			break
		}
		t.give()
		given++
	}
	b.granting = given > 0
	return pause, b.granting
}

// bunch is how many turns are given at once and how long the pause after them is, so
// that no second has more than rate of them. Several are given if the pause after one
// would be shorter than least.
func bunch(rate float64, least time.Duration) (turns int, pause time.Duration) {
	turns = max(1, int(rate*least.Seconds()))
	times := rate / float64(turns) // in a second
	if turns > 1 {
		times = math.Floor(times)
	}
	return turns, time.Duration(math.Ceil(float64(time.Second) / times))
}

// pop takes the ticket whose turn it is, nil if nobody waits. When only one kind of
// calls fails, every other turn is for that kind: its success is what ends the limit.
func (b *budget) pop() *ticket {
	b.trying = b.failing[questions] != b.failing[streams] && !b.trying
	if b.trying {
		i := slices.IndexFunc(b.queue, func(t *ticket) bool { return b.failing[t.kind] })
		if i >= 0 {
			t := b.queue[i]
			b.queue = slices.Delete(b.queue, i, i+1)
			return t
		}
	}
	for _, line := range []*[]*ticket{&b.queue, &b.first, &b.routine} {
		if len(*line) > 0 {
			t := (*line)[0]
			*line = (*line)[1:]
			return t
		}
	}
	return nil
}

// The shortest pauses between turns: shorter ones are imprecise, and between routine
// questions a process that is idle otherwise would pay more for waking up than for
// the questions.
const (
	minPause        = 5 * time.Millisecond
	minPauseRoutine = 200 * time.Millisecond
)

// now is the rate at a time.
func (b *budget) now(at time.Time) float64 {
	if b.recovering.IsZero() {
		return b.budgets.rate
	}
	steps := float64(at.Sub(b.recovering)) / float64(recoverStep)
	return min(maxRate, b.budgets.rate*math.Pow(2, math.Floor(steps)))
}

// succeeded notes that the provider answered a call.
func (b *budget) succeeded(k kind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.failing[k] {
		return
	}
	b.failing[k] = false
	if !b.fails() {
		b.recovering = time.Now()
	}
}

// failed notes that the provider did not answer a call, or fails; wait is how long it
// wants not to be called.
func (b *budget) failed(k kind, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing[k], b.recovering = true, time.Time{}
	if until := time.Now().Add(wait); wait > 0 && until.After(b.pausedUntil) {
		b.pausedUntil = until
	}
}
