package bus

import (
	"sync"
	"time"
)

// clock tells the time of the NATS server, so that all replicas agree on it,
// whatever the clocks of their own machines say.
type clock struct {
	mu sync.Mutex
	// At local (this machine's monotonic clock) the server's clock showed server.
	// The answer took rtt, which bounds the error.
	local, server time.Time
	rtt           time.Duration
}

// anchorAge is how long a more exact observation is preferred to a newer one.
const anchorAge = time.Minute

// observe takes the time that the server put into an answer.
func (c *clock) observe(asked, answered, server time.Time) {
	if server.IsZero() { // servers before 2.10 do not send it
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
		// The earlier observation no longer fits: one of the clocks has jumped.
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

// skew is the server's time minus this machine's, 0 before the first observation.
func (c *clock) skew() time.Duration {
	// Without the monotonic reading: this machine's clock may have been set since.
	return c.now().Sub(time.Now().Round(0))
}
