package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Object is the state of a stream or consumer that the bridge needs.
type Object struct {
	// Name with its kind, for example "stream POS_STATUS".
	Name string
	// Exists is false if the bridge would create it at its start.
	Exists bool
	// Unfit is an *UnfitError if the bridge cannot use or create it, as far as is
	// known.
	Unfit error
	// Differs lists the settings that this configuration would choose differently.
	Differs []Difference
	// Copies is how many replicas it has, Away how many of those are away or lag.
	Copies, Away int
	// Messages and Bytes in a stream. For the consumer, Messages are those that were
	// not delivered yet.
	Messages, Bytes uint64
	// Handed and Waiting belong to the consumer: sessions that replicas have, and
	// requests of replicas for sessions.
	Handed, Waiting int
	// Time is the server's clock when ours showed Asked; zero if it does not exist.
	Time, Asked time.Time
}

// Inspect looks at every object that Ensure would create or check, and changes
// nothing. It fails if JetStream does not answer; Object.Unfit is what is wrong with
// an object.
func (b *Bus) Inspect(ctx context.Context) ([]Object, error) {
	var objects []Object
	for _, want := range []jetstream.StreamConfig{b.statusStream(), b.sessionStream()} {
		o, err := b.inspectStream(ctx, want)
		if err != nil {
			return objects, err
		}
		objects = append(objects, o)
	}
	o, err := b.inspectConsumer(ctx)
	if err != nil {
		return objects, err
	}
	return append(objects, o), nil
}

// Warnings lists how the existing objects differ from what this replica would
// create, without being unfit: fewer days, fewer copies. Nothing is changed: an
// operator may have wanted it so.
func (b *Bus) Warnings(ctx context.Context) ([]string, error) {
	objects, err := b.Inspect(ctx)
	var warnings []string
	for _, o := range objects {
		for _, d := range o.Differs {
			warnings = append(warnings, fmt.Sprintf("%s: %s; %s", o.Name, d.Problem, d.Hint))
		}
	}
	return warnings, err
}

func (b *Bus) inspectStream(ctx context.Context, want jetstream.StreamConfig) (Object, error) {
	o := Object{Name: "stream " + want.Name}
	ctx, cancel := limit(ctx)
	defer cancel()
	asked := time.Now()
	s, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		o.Unfit = b.overlap(ctx, want)
		return o, nil
	}
	if err != nil {
		return o, b.explain("look at "+o.Name, err)
	}
	info := s.CachedInfo()
	o.Exists = true
	o.Asked, o.Time = asked.Add(time.Since(asked)/2), info.TimeStamp
	o.Messages, o.Bytes = info.State.Msgs, info.State.Bytes
	o.Copies, o.Away = info.Config.Replicas, away(info.Cluster)
	o.Unfit = b.fits(want, info.Config)
	o.Differs = differences(want, info.Config)
	return o, nil
}

// overlap looks for a stream that takes subjects of one that must be created. This
// needs a right that the bridge itself does not need; without it overlap is nil.
func (b *Bus) overlap(ctx context.Context, want jetstream.StreamConfig) error {
	if may, err := b.May(ctx, b.listStreams()); err != nil || !may {
		return nil
	}
	for _, subject := range want.Subjects {
		names := b.js.StreamNames(ctx, jetstream.WithStreamListSubject(subject))
		other := ""
		for name := range names.Name() {
			other = name
		}
		if other != "" && names.Err() == nil {
			return &UnfitError{
				"stream " + want.Name, fmt.Sprintf("it cannot be created: stream %s takes %s", other, subject),
				"remove that subject from the other stream, or set BRIDGE_SUBJECT_PREFIX to a prefix that no other stream uses",
			}
		}
	}
	return nil
}

// away counts the copies that are offline or lag.
func away(c *jetstream.ClusterInfo) int {
	if c == nil {
		return 0
	}
	n := 0
	for _, peer := range c.Replicas {
		if peer.Offline || !peer.Current {
			n++
		}
	}
	if c.Leader == "" {
		n++
	}
	return n
}

func (b *Bus) inspectConsumer(ctx context.Context) (Object, error) {
	o := Object{Name: "consumer " + consumerName}
	ctx, cancel := limit(ctx)
	defer cancel()
	asked := time.Now()
	c, err := b.js.Consumer(ctx, b.space.SessionStream(), consumerName)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return o, nil
	}
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		o.Exists, o.Unfit = true, b.pushConsumer()
		return o, nil
	}
	if err != nil {
		return o, b.explain("look at "+o.Name, err)
	}
	info := c.CachedInfo()
	o.Exists = true
	o.Asked, o.Time = asked.Add(time.Since(asked)/2), info.TimeStamp
	o.Messages, o.Handed, o.Waiting = info.NumPending, info.NumAckPending, info.NumWaiting
	o.Copies, o.Away = max(1, info.Config.Replicas), away(info.Cluster)
	if info.Cluster != nil {
		o.Copies = len(info.Cluster.Replicas) + 1
	}
	o.Unfit = b.consumerFits(info)
	const later = "every replica sets it when it starts: give all replicas the same settings"
	if info.Config.AckWait != b.opts.ReplicaTTL {
		o.Differs = append(o.Differs, Difference{fmt.Sprintf("waits %s for a silent replica, BRIDGE_REPLICA_TTL says %s", info.Config.AckWait, b.opts.ReplicaTTL), later})
	}
	wrong := wrongSettings(info.Config)
	if info.Config.MaxAckPending > 0 {
		wrong = append(wrong, fmt.Sprintf("max ack pending %d", info.Config.MaxAckPending))
	}
	if len(wrong) > 0 {
		o.Differs = append(o.Differs, Difference{"is limited (" + strings.Join(wrong, ", ") + "): some sessions would not be delivered", later})
	}
	return o, nil
}
