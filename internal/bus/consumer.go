package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// remakeConsumer is the hint for a consumer that cannot be corrected.
const remakeConsumer = "delete it and let the bridge create its own"

// consumerTitle names the consumer in errors.
func (b *Bus) consumerTitle() string {
	return "consumer " + consumerName + " of stream " + b.space.SessionStream()
}

// pushConsumer is the error for a consumer that replicas cannot ask for sessions.
func (b *Bus) pushConsumer() *UnfitError {
	return &UnfitError{b.consumerTitle(), "it pushes its messages to a subject, but replicas pull them", remakeConsumer}
}

// consumerFits checks what the bridge cannot change in an existing consumer.
func (b *Bus) consumerFits(got *jetstream.ConsumerInfo) error {
	c := got.Config
	switch {
	case c.AckPolicy != jetstream.AckExplicitPolicy:
		return &UnfitError{b.consumerTitle(), "it does not use explicit acknowledgements", remakeConsumer}
	case c.FilterSubject != "" || len(c.FilterSubjects) > 0:
		return &UnfitError{b.consumerTitle(), "it filters subjects", remakeConsumer}
	case c.MemoryStorage:
		return &UnfitError{b.consumerTitle(), "it is stored in memory: after a restart the server does not know which replica has which session", remakeConsumer}
	case c.ReplayPolicy != jetstream.ReplayInstantPolicy:
		return &UnfitError{b.consumerTitle(), "it replays sessions at the pace at which they were stored", remakeConsumer}
	case got.Paused:
		return &UnfitError{
			b.consumerTitle(), fmt.Sprintf("it is paused for another %s: no session is delivered", got.PauseRemaining.Round(time.Second)),
			fmt.Sprintf("nats consumer resume %s %s", b.space.SessionStream(), consumerName),
		}
	}
	return nil
}

// wrongSettings lists what keeps a consumer from delivering every session, and
// from delivering it again in time. The bridge corrects these settings.
func wrongSettings(c jetstream.ConsumerConfig) []string {
	var wrong []string
	add := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	add(c.MaxDeliver > 0, "max deliver %d", c.MaxDeliver)
	add(len(c.BackOff) > 0, "backoff %v", c.BackOff)
	add(c.HeadersOnly, "headers only")
	add(c.MaxRequestExpires > 0, "requests expire after %s", c.MaxRequestExpires)
	add(c.MaxRequestBatch > 0, "requests for %d sessions at most", c.MaxRequestBatch)
	add(c.MaxRequestMaxBytes > 0, "requests for %d bytes at most", c.MaxRequestMaxBytes)
	add(c.InactiveThreshold > 0, "deleted when unused for %s", c.InactiveThreshold)
	add(c.PriorityPolicy != jetstream.PriorityPolicyNone, "priority groups %v", c.PriorityGroups)
	return wrong
}
