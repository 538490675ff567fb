package bus_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/subjects"
)

// A name server that does not answer holds up neither the start nor the end for longer
// than a server of NATS that does not answer.
func TestNameServerIsSilent(t *testing.T) { //nolint:paralleltest // it replaces the resolver of the process
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // nothing was written
	usual := net.DefaultResolver
	defer func() { net.DefaultResolver = usual }()
	over, end := context.WithCancel(t.Context())
	defer end() // lets no lookup outlive the test
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{Resolver: usual}).DialContext(ctx, "udp", silent.LocalAddr().String()) // not the one that is replaced
		if err == nil {
			context.AfterFunc(over, func() { _ = conn.Close() })
		}
		return conn, err
	}}
	began := time.Now()
	b, err := bus.Connect(bus.Options{
		URLs: "nats://nats.example:4222", Space: subjects.Default(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Close(t.Context())
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
