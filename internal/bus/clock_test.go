package bus

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		here := func(d time.Duration) time.Time { return time.Now().Add(d) }
		want := func(ahead time.Duration) {
			t.Helper()
			if got := time.Until(c.now()); got != ahead {
				t.Errorf("the clock is ahead by %s, want %s", got, ahead)
			}
			if got := c.skew(); got != ahead {
				t.Errorf("the skew is %s, want %s", got, ahead)
			}
		}
		want(0)
		c.observe(here(-10*time.Millisecond), here(0), time.Time{}) // an old server
		want(0)
		c.observe(here(-10*time.Millisecond), here(0), here(time.Hour-5*time.Millisecond))
		want(time.Hour)
		time.Sleep(10 * time.Second)
		want(time.Hour)
		c.observe(here(-time.Second), here(0), here(time.Hour-100*time.Millisecond)) // an answer that took long tells less
		want(time.Hour)
		time.Sleep(anchorAge) // but more than an old one
		c.observe(here(-time.Second), here(0), here(time.Hour-100*time.Millisecond))
		want(time.Hour + 400*time.Millisecond)
		c.observe(here(-4*time.Second), here(0), here(2*time.Hour-2*time.Second)) // or when a clock has jumped
		want(2 * time.Hour)
		c.observe(here(-10*time.Millisecond), here(0), here(-time.Minute-5*time.Millisecond))
		want(-time.Minute)
	})
}
