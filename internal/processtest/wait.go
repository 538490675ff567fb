package processtest

import (
	"testing"
	"time"
)

// look is how often something without an event is looked at.
const look = 20 * time.Millisecond

// Until looks at something that has no event of its own until it is as wanted.
// The test fails at once when that takes longer than limit.
func Until(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	if !Eventually(limit, ok) {
		tb.Fatalf("%s: not within %s", what, limit)
	}
}

// Eventually is Until for those who go on, and for other goroutines than the
// test's: false when the limit was reached.
func Eventually(limit time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return ok()
		}
	}
	return true
}
