package bus

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// Server describes the server of the connection.
type Server struct {
	// Address without credentials; Version and Cluster as the server reports them.
	// Cluster is empty for a single server.
	Address, Version, Cluster string
	// TLS is true if the connection is encrypted, Local if it does not leave the
	// machine.
	TLS, Local bool
	// Authenticated is true if the server asks for credentials.
	Authenticated bool
	// MaxPayload is the longest message it takes, in bytes.
	MaxPayload int64
	// RoundTrip is the shortest of roundTrips measurements.
	RoundTrip time.Duration
	// Known is how many servers the client knows of.
	Known int
}

// roundTrips is how often Server measures the round trip.
const roundTrips = 5

// Server looks at the connection. It fails if there is none.
func (b *Bus) Server() (Server, error) {
	s := Server{
		Address:       b.ServerHost(),
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

// isLocal reports whether an address, with or without scheme and port, is on this
// machine.
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

// Account is what JetStream allows the account of the connection, and how much of
// it is in use. A limit of -1 is none.
type Account struct {
	Streams, MaxStreams     int
	Consumers, MaxConsumers int
	// Stored and MaxStored are bytes of file storage.
	Stored, MaxStored int64
	// MaxStreamStored is the most that one stream may store, in bytes; -1 and 0
	// are none.
	MaxStreamStored int64
	// BytesRequired is true if every stream must have a size limit. Those of the
	// bridge have none.
	BytesRequired bool
	// MaxAckPending is how many unacknowledged deliveries a consumer may have.
	MaxAckPending int
}

// Account asks JetStream what the account may do. Its errors are those of
// Ensure: *UnfitError if waiting does not help.
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
