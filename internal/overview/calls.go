package overview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/console"
)

// Bounds of what is remembered of the provider.
const (
	maxCalls   = 512
	callMemory = time.Minute
)

// calls remembers the latest requests to the provider.
type calls struct {
	mu   sync.Mutex
	last [maxCalls]call
	n    int
}

// call is one request.
type call struct {
	at     time.Time
	took   time.Duration
	stream bool
	// failed: no answer, a failure of the provider, or its "not now". refused: it
	// does not take the key.
	failed, refused bool
}

func callOf(operation, code string, took time.Duration) call {
	return call{
		at: time.Now(), took: took, stream: operation == "stream",
		failed:  code == "error" || code == "429" || strings.HasPrefix(code, "5"),
		refused: code == "401" || code == "403",
	}
}

func (c *calls) note(made call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[c.n%maxCalls] = made
	c.n++
}

// tally counts the calls of the last minute.
type tally struct {
	made, failed, refused int
	// inARow of the last ones have failed.
	inARow int
	// times of the answered ones, streams not counted.
	times []time.Duration
}

func (c *calls) tally(now time.Time) (t tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unbroken := true
	for i := c.n - 1; i >= max(0, c.n-maxCalls); i-- {
		last := c.last[i%maxCalls]
		if now.Sub(last.at) > callMemory {
			break
		}
		t.made++
		switch {
		case last.failed:
			t.failed++
			if unbroken {
				t.inARow++
			}
		case last.refused:
			t.refused++
		case !last.stream:
			t.times = append(t.times, last.took)
		}
		unbroken = unbroken && last.failed
	}
	return t
}

// health says in words how the provider is.
func (c *calls) health(now time.Time) console.Health {
	h := console.Health{Name: "MultiSafepay", State: console.Unknown, Words: "No requests in the last minute"}
	t := c.tally(now)
	switch {
	case t.made == 0:
	case t.inARow >= 3:
		h.State, h.Words = console.Bad, fmt.Sprintf("The last %d requests failed or got no answer", t.inARow)
	case t.refused > 0:
		h.State, h.Words = console.Trouble, fmt.Sprintf("The provider refused a key or token %s in the last minute", howOften(t.refused))
	case t.failed > 0:
		h.State, h.Words = console.Trouble, fmt.Sprintf("%d of %d requests of the last minute failed", t.failed, t.made)
	case t.made == 1:
		h.State, h.Words = console.Good, "1 answer in the last minute"
	default:
		h.State, h.Words = console.Good, fmt.Sprintf("%d answers a minute", t.made)
		if len(t.times) > 1 {
			slices.Sort(t.times)
			h.Words += fmt.Sprintf(", half within %s", inWords(t.times[len(t.times)/2].Round(100*time.Microsecond)))
		}
	}
	return h
}

func howOften(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

func inWords(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}
