package multisafepay

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A timer that fires late says that the process stood still, not that nothing came.
func TestSilenceOfAFrozenProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Int32
		s := newSilence(time.Minute, func() { over.Add(1) })
		expect := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := over.Load(); got != want {
				t.Fatalf("%s: over %d times, want %d", when, got, want)
			}
		}
		s.begin()
		time.Sleep(time.Minute)
		expect("after the limit", 1)

		s.begin()
		s.began = s.began.Add(-time.Hour) // frozen while it waited
		s.fired()
		expect("frozen before the limit", 1)
		s.asked = s.asked.Add(-time.Hour) // and again
		s.fired()
		expect("frozen at its end", 1)
		time.Sleep(confirmSilence)
		expect("awake, and nothing came", 2)

		s.begin()
		time.Sleep(40 * time.Second)
		s.end()
		s.begin()
		s.fired() // for the read before
		expect("fired for another read", 2)
		time.Sleep(59 * time.Second)
		expect("before the limit", 2)
		s.end()
		time.Sleep(time.Hour)
		expect("no read waits", 2)
	})
}
