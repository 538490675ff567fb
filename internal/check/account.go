package check

import (
	"context"
	"errors"
	"fmt"

	"github.com/posbridge/bridge/internal/bus"
)

// areaJetStream is that of the account and of the objects in it.
const areaJetStream = "jetstream"

// jetStream reports on what the account may do. false: JetStream is of no use.
func (c *checker) jetStream(ctx context.Context) bool {
	a, err := c.bus.Account(ctx)
	if err != nil {
		c.unfit(areaJetStream, "account", err)
		return false
	}
	const raise = "raise the account's JetStream limits"
	streams, consumers := 2, 2 // what a first replica adds at most
	switch {
	case a.BytesRequired:
		c.add(areaJetStream, "account", Failure, "switch max_bytes_required off for this account", "every stream must have a limit in bytes, and the bridge's have none")
	case a.MaxStreamStored > 0:
		c.add(areaJetStream, "account", Failure, raise+" for one stream", "a stream may store %d bytes at most, and the bridge's have no limit", a.MaxStreamStored)
	case a.MaxStored >= 0 && a.Stored >= a.MaxStored/10*9:
		c.add(areaJetStream, "account", Warning, raise+" for file storage, or lower BRIDGE_STATUS_MAX_AGE", "%d of %d bytes are in use: no payment can be started when it is full", a.Stored, a.MaxStored)
	case a.MaxStreams >= 0 && a.Streams+streams > a.MaxStreams:
		c.add(areaJetStream, "account", Warning, raise+" for streams if some must still be made", "%d of %d streams are in use, the bridge needs %d", a.Streams, a.MaxStreams, streams)
	case a.MaxConsumers >= 0 && a.Consumers+consumers > a.MaxConsumers:
		c.add(areaJetStream, "account", Warning, raise+" for consumers: one, and one for each replica", "%d of %d consumers are in use", a.Consumers, a.MaxConsumers)
	case a.MaxAckPending > 0:
		c.add(areaJetStream, "account", Failure, "take max_ack_pending away from the account", "a consumer may have %d messages out at once: no more payments could be open", a.MaxAckPending)
	default:
		c.add(areaJetStream, "account", OK, "", "%d streams, %d consumers, %s stored%s", a.Streams, a.Consumers, size(a.Stored), most(a.MaxStored))
	}
	return true
}

func most(limit int64) string {
	if limit < 0 {
		return ""
	}
	return " of " + size(limit)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
}

// unfit reports an error of the bus; it knows what to do about an UnfitError.
func (c *checker) unfit(area, subject string, err error) {
	if u, ok := errors.AsType[*bus.UnfitError](err); ok {
		c.add(area, subject, Failure, u.Hint, "%s: %s", u.Object, u.Problem)
		return
	}
	c.add(area, subject, Failure, "does the server answer, and has JetStream a leader (nats server report jetstream)?", "%v", err)
}
