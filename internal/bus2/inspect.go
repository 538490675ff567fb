package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Server is what a connection tells of the server at its other end.
type Server struct {
	// Address without credentials; Name, Version and Cluster as the server says.
	// Cluster is empty when the server is in none.
	Address, Name, Version, Cluster string
	// TLS is true when the connection is encrypted; Local when it does not leave
	// the machine.
	TLS, Local bool
	// Authenticated is true when the server asks who is there.
	Authenticated bool
	// MaxPayload is the longest message it takes, in bytes.
	MaxPayload int64
	// RoundTrip is the shortest of some.
	RoundTrip time.Duration
	// Known is how many servers the client knows of.
	Known int
}

// roundTrips is how often the way to the server and back is measured.
const roundTrips = 5

// Server looks at the connection. It fails when there is none.
func (b *Bus) Server() (Server, error) {
	s := Server{
		Address:       b.ServerHost(),
		Name:          b.conn.ConnectedServerName(),
		Version:       b.conn.ConnectedServerVersion(),
		Cluster:       b.conn.ConnectedClusterName(),
		Authenticated: b.conn.AuthRequired(),
		MaxPayload:    b.conn.MaxPayload(),
		Known:         max(len(b.conn.Servers()), len(b.conn.DiscoveredServers())),
	}
	_, err := b.conn.TLSConnectionState()
	s.TLS = err == nil
	s.Local = isLocal(s.Address)
	for range roundTrips {
		took, err := b.conn.RTT()
		if err != nil {
			return s, fmt.Errorf("measure the round trip: %w", err)
		}
		if s.RoundTrip == 0 || took < s.RoundTrip {
			s.RoundTrip = took
		}
	}
	return s, nil
}

// isLocal tells of an address, with or without scheme and port, whether it is
// this machine's own.
func isLocal(address string) bool {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip := net.ParseIP(address)
	return address == "localhost" || ip != nil && ip.IsLoopback()
}

// Account is what JetStream allows the account of the connection, and what of
// that is in use. A limit of -1 is none.
type Account struct {
	Streams, MaxStreams     int
	Consumers, MaxConsumers int
	// Stored and MaxStored are bytes of file storage.
	Stored, MaxStored int64
	// MaxStreamStored is the most that one stream may store, in bytes; -1 and 0
	// are none.
	MaxStreamStored int64
	// BytesRequired is true when every stream must say how much it may store,
	// which those of the bridge do not.
	BytesRequired bool
	// MaxAckPending is the most that a consumer may have out at once.
	MaxAckPending int
}

// Account asks JetStream what the account may do. Its errors are those of
// Ensure: *UnfitError when waiting does not help.
func (b *Bus) Account(ctx context.Context) (Account, error) {
	if err := b.ensureJetStream(ctx); err != nil {
		return Account{}, err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	info, err := b.js.AccountInfo(ctx)
	if err != nil {
		return Account{}, b.explain("ask for JetStream", err)
	}
	tier := info.Tier
	if t, ok := info.Tiers[fmt.Sprintf("R%d", b.opts.Replicas)]; ok {
		tier = t
	}
	return Account{
		Streams: tier.Streams, MaxStreams: orNone(tier.Limits.MaxStreams),
		Consumers: tier.Consumers, MaxConsumers: orNone(tier.Limits.MaxConsumers),
		Stored: int64(tier.Store), MaxStored: tier.Limits.MaxStore,
		MaxStreamStored: tier.Limits.StoreMaxStreamBytes,
		BytesRequired:   tier.Limits.MaxBytesRequired,
		MaxAckPending:   orNone(tier.Limits.MaxAckPending),
	}, nil
}

func orNone(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}

// Object is a stream or a consumer that the bridge needs, as it is.
type Object struct {
	// Name with its kind, as "stream POS_STATUS".
	Name string
	// Exists is false when the bridge would make it at its start.
	Exists bool
	// Unfit is why the bridge cannot use it as it is, or cannot make it, an
	// *UnfitError; nil when it can, as far as is known.
	Unfit error
	// Differs lists what is otherwise than this configuration would make it.
	Differs []Difference
	// Copies is how many replicas it has, Away how many of those are not there or
	// lag.
	Copies, Away int
	// Messages and Bytes in a stream; for the consumer Messages are those that
	// nobody was handed yet.
	Messages, Bytes uint64
	// Handed and Waiting are the consumer's: sessions that replicas have, and
	// replicas that ask for one.
	Handed, Waiting int
	// Time is the server's clock at Asked, by ours; zero when it does not exist.
	Time, Asked time.Time
}

// Inspect looks at every object that Ensure would make or check, and changes
// nothing. It fails when JetStream does not answer; what is wrong with an
// object stands in it.
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

// overlap looks for a stream that takes subjects of one that must be made. That
// needs a right that the bridge itself can do without: nil when it is not there.
func (b *Bus) overlap(ctx context.Context, want jetstream.StreamConfig) error {
	if may, err := b.May(ctx, Right{Subject: b.apiSubject("STREAM.NAMES")}); err != nil || !may {
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
				"stream " + want.Name, fmt.Sprintf("it cannot be made: stream %s takes %s", other, subject),
				"remove that subject from the other stream, or set BRIDGE_SUBJECT_PREFIX to a prefix that no other stream takes",
			}
		}
	}
	return nil
}

// away counts the copies that are not there or not up to date.
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
	const later = "every replica sets it when it starts: give all of them the same settings"
	if info.Config.AckWait != b.opts.ReplicaTTL {
		o.Differs = append(o.Differs, Difference{fmt.Sprintf("waits %s for a silent replica, BRIDGE_REPLICA_TTL says %s", info.Config.AckWait, b.opts.ReplicaTTL), later})
	}
	wrong := wrongSettings(info.Config)
	if info.Config.MaxAckPending > 0 {
		wrong = append(wrong, fmt.Sprintf("max ack pending %d", info.Config.MaxAckPending))
	}
	if len(wrong) > 0 {
		o.Differs = append(o.Differs, Difference{"is limited (" + strings.Join(wrong, ", ") + "): sessions would lie unattended", later})
	}
	return o, nil
}
