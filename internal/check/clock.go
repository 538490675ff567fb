package check

import (
	"time"
)

const areaClock = "clock"

// Clocks that differ by more are reported. An HTTP date has seconds only.
const (
	maxSkew  = 2 * time.Second
	badSkew  = 30 * time.Second
	dateStep = time.Second
)

// compareClocks reports clocks that differ. Start deadlines and session ages go
// by the clocks of the replicas, events tokens expire by the provider's.
func (c *checker) compareClocks() {
	seen := map[string]bool{}
	for _, k := range c.clocks {
		if k.said.IsZero() || seen[k.whose] {
			continue
		}
		seen[k.whose] = true
		skew := k.ours.Sub(k.said)
		direction := "ahead of"
		if skew < 0 {
			skew, direction = -skew, "behind"
		}
		const advice = "synchronise this machine's clock, and the other's if it is yours (NTP): deadlines and ages depend on it"
		switch {
		case skew > badSkew:
			c.add(areaClock, k.whose, Failure, advice, "this machine is %s %s it", skew.Round(time.Second), direction)
		case skew > maxSkew:
			c.add(areaClock, k.whose, Warning, advice, "this machine is %s %s it", skew.Round(100*time.Millisecond), direction)
		default:
			c.add(areaClock, k.whose, OK, "", "within %s of this machine's", maxSkew)
		}
	}
}
