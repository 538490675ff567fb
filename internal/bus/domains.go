package bus

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// checkDomain refuses an answer from another JetStream domain than before: two
// domains whose streams take the same subjects store everything twice.
func (b *Bus) checkDomain(got string) error {
	want := b.domain.Load()
	if want == nil {
		if b.domain.CompareAndSwap(nil, &got) {
			return nil
		}
		want = b.domain.Load()
	}
	if *want == got {
		return nil
	}
	return &UnfitError{
		"JetStream", fmt.Sprintf("domain %q acknowledged a message instead of domain %q", got, *want),
		"let the streams of only one domain store the bridge's subjects, and set BRIDGE_NATS_JS_DOMAIN to it",
	}
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
				"JetStream", fmt.Sprintf("%d streams store the messages of subjects such as %s, perhaps in another domain: everything is stored twice", n, subject),
				"let the streams of only one domain store the bridge's subjects, and set BRIDGE_NATS_JS_DOMAIN to it",
			}
		}
	}
	c.probe, c.answers, c.forbidden = c.probe+1, map[string]int{}, ""
	for i, subject := range b.probes() {
		msg := nats.NewMsg(subject)
		msg.Reply = fmt.Sprintf("%s.%d-%d", c.inbox, c.probe, i)
		msg.Header.Set(jetstream.ExpectedStreamHeader, noStream)
		b.publishes.add(&underWay{op: "probe", subject: subject, done: func(_ uint64, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.forbid(subject)
			}
		}}, func() {})
		_ = b.conn.PublishMsg(msg) // without it there is no answer, which is no news
	}
	return unfit
}
