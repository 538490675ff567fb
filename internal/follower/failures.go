package follower

import "time"

const (
	// maxFailures is how often a payment may make this replica fail before it is
	// taken up only to be given up.
	maxFailures = 3
	// lastFailurePause is the longest time after a failure in which the payment is
	// left to other replicas.
	lastFailurePause = 10 * time.Minute
	// keepFailure is for how long after that time a failure is remembered, and
	// manyFailures how many are before the old ones are looked for.
	keepFailure  = time.Hour
	manyFailures = 1000
)

// failures are the payments that have made this replica fail: such a payment
// neither travels from replica to replica forever nor ends without a status. It
// belongs to the loop.
type failures struct {
	// first is how long a payment is left to other replicas after its first failure.
	first time.Duration
	of    map[Ref]failure
}

// failure is what is known of one such payment.
type failure struct {
	count int
	// until is for how long the payment is left to other replicas.
	until time.Time
}

// note notes that a payment has failed, and returns how often that was.
func (f *failures) note(ref Ref, now time.Time) int {
	if len(f.of) >= manyFailures {
		for other, old := range f.of {
			if now.Sub(old.until) > keepFailure {
				delete(f.of, other)
			}
		}
	}
	known := f.of[ref]
	pause := f.first
	for range known.count {
		pause = min(2*pause, lastFailurePause)
	}
	f.of[ref] = failure{count: known.count + 1, until: now.Add(pause)}
	return known.count + 1
}

// pausing reports whether a payment is left to other replicas.
func (f *failures) pausing(ref Ref, now time.Time) bool { return now.Before(f.of[ref].until) }

// condemned reports whether a payment is taken up only to be given up.
func (f *failures) condemned(ref Ref) bool { return f.of[ref].count >= maxFailures }

// over forgets a payment that has ended.
func (f *failures) over(ref Ref) { delete(f.of, ref) }
