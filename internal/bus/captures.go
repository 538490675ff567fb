package bus

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// captures finds out whether more than one stream takes what the bridge publishes: in
// another JetStream domain nothing refuses a second one. A publisher does not see it,
// because the first acknowledgement is usually that of the right domain. So each
// Ensure publishes a probe that every stream refuses, and looks at how many streams
// refused the probe before. Nothing is stored.
type captures struct {
	mu sync.Mutex
	// inbox gets the answers once it is subscribed.
	inbox string
	// probe counts the probes.
	probe int
	// answers are those to the last probe, by subject.
	answers map[string]int
}

// probes are the subjects that are tried: one of each stream.
func (b *Bus) probes() []string {
	p := b.space.Prefix() + "." + nobody
	return []string{p + ".session", p + "." + nobody + ".journal.status"}
}

// checkCaptures judges the last probe and sends the next one. It does not wait.
func (b *Bus) checkCaptures() (unfit error) {
	c := &b.captures
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inbox == "" {
		inbox := b.conn.NewInbox()
		if _, err := b.conn.Subscribe(inbox+".*", c.answered); err != nil {
			return nil // the next call tries again
		}
		c.inbox = inbox
	}
	for i, subject := range b.probes() {
		if n := c.answers[strconv.Itoa(i)]; n > 1 {
			unfit = &UnfitError{
				"JetStream", fmt.Sprintf("%d streams take what is published on subjects like %s, perhaps in another domain: everything is stored twice", n, subject),
				"let only one domain's streams take the subjects of the bridge, and name it in BRIDGE_NATS_JS_DOMAIN",
			}
		}
	}
	c.probe, c.answers = c.probe+1, map[string]int{}
	for i, subject := range b.probes() {
		msg := nats.NewMsg(subject)
		msg.Reply = fmt.Sprintf("%s.%d-%d", c.inbox, c.probe, i)
		msg.Header.Set(jetstream.ExpectedStreamHeader, noStream)
		_ = b.conn.PublishMsg(msg) // without it there is no answer, which is no news
	}
	return unfit
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
