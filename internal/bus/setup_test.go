package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a bus on a server of its own, and a client beside it.
type bundle struct {
	*bus.Bus
	t   *testing.T
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

// setup connects to a server at url; "" is one of the test's own.
func setup(t *testing.T, url string, change ...func(*bus.Options)) *bundle {
	t.Helper()
	if url == "" {
		url = natstest.Run(t).URL()
	}
	b := &bundle{t: t, url: url, nc: natstest.Connect(t, url)}
	var err error
	if b.js, err = jetstream.New(b.nc); err != nil {
		t.Fatal(err)
	}
	b.Bus = b.another(change...)
	return b
}

// ready is setup with the objects made.
func ready(t *testing.T, url string, change ...func(*bus.Options)) *bundle {
	t.Helper()
	b := setup(t, url, change...)
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// another makes one more connection, as another replica has it.
func (b *bundle) another(change ...func(*bus.Options)) *bus.Bus {
	b.t.Helper()
	connected := make(chan struct{}, 8)
	o := bus.Options{
		URLs: b.url, Name: b.t.Name(), Space: subjects.Default(), Replicas: 1, StatusMaxAge: time.Hour, AckWait: 500 * time.Millisecond,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	}
	for _, f := range change {
		f(&o)
	}
	c, err := bus.Connect(o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close(context.Background()) })
	wait(b.t, connected)
	return c
}

func status(order, name string, sequence uint64) bus.Status {
	return bus.Status{
		Event: schema.StatusEvent{
			TerminalID: "T1", OrderID: order, Status: name, Sequence: sequence, Source: schema.SourceStream,
			Amount: 5, Currency: "EUR", ObservedAt: time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC),
		},
		Hash: "hash", Replica: "replica", StartedAt: time.Date(2026, 11, 23, 11, 59, 0, 7, time.UTC),
	}
}

func session(terminal, order string) bus.Session {
	return bus.Session{Request: schema.StartRequest{TerminalID: terminal, OrderID: order, Amount: 5, Currency: "EUR"}, Nonce: terminal + "/" + order}
}
