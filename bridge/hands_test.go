package bridge

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A request that had to wait for a free hand is as old as those before it in the
// queue, and one that comes when there are hands again is new.
func TestRequestsAgeWhileNoHandIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &Replica{Ports: Ports{Clock: skewed(0)}, born: time.Now()}
		h := &hands{}
		began := r.Clock.Now()
		at := func() time.Duration { return r.Clock.Now().Sub(began).Round(0) }
		wait := func(d time.Duration) time.Duration { return h.wait(r, func() { time.Sleep(d) }).Sub(began) }
		if got := wait(0); got != 0 {
			t.Errorf("with a free hand: sent at %s, want now", got)
		}
		wait(5 * time.Second) // it was sent at 0
		if got := wait(3 * time.Second); got != 0 {
			t.Errorf("behind one that waited: may have been sent at %s, want 0", got)
		}
		if got := wait(0); got != 0 {
			t.Errorf("behind two that waited: may have been sent at %s, want 0", got)
		}
		time.Sleep(requestAftermath)
		if got, want := wait(0), at(); got != want {
			t.Errorf("after that: sent at %s, want %s", got, want)
		}
	})
}

// One pool serves two subscriptions, and the requests of each wait in their own.
func TestRequestsOfTwoSubscriptionsAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &Replica{Ports: Ports{Clock: skewed(0)}, born: time.Now()}
		h := &hands{}
		began := r.Clock.Now()
		var both sync.WaitGroup
		both.Go(func() { h.wait(r, func() { time.Sleep(10 * time.Second) }) })
		both.Go(func() {
			time.Sleep(9 * time.Second)
			h.wait(r, func() { time.Sleep(1010 * time.Millisecond) })
		})
		both.Wait()
		if got := h.wait(r, func() {}).Sub(began); got != 0 {
			t.Errorf("behind one that waited from 0 on: may have been sent at %s, want 0", got)
		}
	})
}
