package bus

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

const (
	// nobody stands for a terminal, an order, an inbox and a consumer in a probe.
	nobody = "bridge-check"
	// noStream is not a possible name of a stream: no stream stores a publish that
	// expects it.
	noStream = nobody + ".none"
)

// captures finds out whether more than one stream takes what the bridge publishes: in
// another JetStream domain nothing refuses a second one. A publisher does not see it,
// because the first acknowledgement is usually that of the right domain. So each
// Ensure publishes a probe that every stream refuses, and looks at how many streams
// refused the probe before. Nothing is stored. The probe also shows whether the user
// may publish there at all.
type captures struct {
	mu sync.Mutex
	// inbox gets the answers once it is subscribed.
	inbox string
	// probe counts the probes.
	probe int
	// answers are those to the last probe, by subject.
	answers map[string]int
	// forbidden is the subject of the last probe if the user may not publish it.
	forbidden string
}

// answered counts an answer to the last probe.
func (c *captures) answered(m *nats.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	probe, i, _ := strings.Cut(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], "-")
	if probe == strconv.Itoa(c.probe) && len(m.Data) > 0 { // empty: nobody listens
		c.answers[i]++
	}
}

// forbid notes that the user may not publish the last probe.
func (c *captures) forbid(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forbidden = subject
}

// unfit is an *UnfitError if the user may not publish the last probe, as far as is
// known, and nil otherwise.
func (c *captures) unfit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forbidden == "" {
		return nil
	}
	return &UnfitError{permissions, "the server refuses what the bridge publishes on subjects such as " + c.forbidden, grant}
}
