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
		c.add(areaJetStream, "account", Failure, "remove max_bytes_required from this account", "every stream must have a limit in bytes, but the bridge's streams have none")
	case a.MaxStreamStored > 0:
		c.add(areaJetStream, "account", Failure, raise+" for one stream", "a stream may store at most %d bytes, but the bridge's streams have no limit", a.MaxStreamStored)
	case a.MaxStored >= 0 && a.Stored >= a.MaxStored/10*9:
		c.add(areaJetStream, "account", Warning, raise+" for file storage, or lower BRIDGE_STATUS_MAX_AGE", "%d of %d bytes are in use: when they are full, no payment can be started", a.Stored, a.MaxStored)
	case a.MaxStreams >= 0 && a.Streams+streams > a.MaxStreams:
		c.add(areaJetStream, "account", Warning, raise+" for streams if the bridge must still create some", "%d of %d streams are in use, the bridge needs %d", a.Streams, a.MaxStreams, streams)
	case a.MaxConsumers >= 0 && a.Consumers+consumers > a.MaxConsumers:
		c.add(areaJetStream, "account", Warning, raise+" for consumers: the bridge needs one, and one more for each replica", "%d of %d consumers are in use", a.Consumers, a.MaxConsumers)
	case a.MaxAckPending > 0:
		c.add(areaJetStream, "account", Failure, "remove max_ack_pending from the account", "a consumer may have at most %d unacknowledged messages: no more payments can be open", a.MaxAckPending)
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
	c.add(area, subject, Failure, "check that the server answers and that JetStream has a leader (nats server report jetstream)", "%v", err)
}
