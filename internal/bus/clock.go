package bus

import (
	"sync"
	"time"
)

// clock tells the time as the NATS server has it, so that all replicas have the
// same one, whatever the clocks of their own machines say or jump to.
type clock struct {
	mu sync.Mutex
	// At local, by this machine's monotonic clock, the server said server. The
	// answer took rtt, which bounds how far off that is.
	local, server time.Time
	rtt           time.Duration
}

// anchorAge is how long a better observation is preferred to a newer one.
const anchorAge = time.Minute

// observe takes the time that the server put into an answer.
func (c *clock) observe(asked, answered, server time.Time) {
	if server.IsZero() { // a server before 2.10 does not say
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rtt := answered.Sub(asked)
	if !c.local.IsZero() && rtt > 2*c.rtt && answered.Sub(c.local) < anchorAge {
		off := server.Sub(c.server.Add(asked.Add(rtt / 2).Sub(c.local)))
		if off.Abs() <= (rtt+c.rtt)/2 {
			return
		}
		// What was heard before does not hold any more: one of the clocks has jumped.
	}
	c.local, c.server, c.rtt = asked.Add(rtt/2), server, rtt
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.local.IsZero() {
		return time.Now().UTC()
	}
	return c.server.Add(time.Since(c.local)).UTC()
}

// Now is the time by the NATS server's clock, as it was heard last with the
// answer about a stream; by the machine's own before anything was heard. In a
// cluster the servers' clocks are one as far as they are kept so.
func (b *Bus) Now() time.Time { return b.clock.now() }
