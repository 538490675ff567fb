package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

// patience is how long a test waits for what must happen; much less is needed.
const patience = 30 * time.Second

// bundle is a bus on a server of its own, and a client beside it.
type bundle struct {
	*bus.Bus
	t   testing.TB
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

// setup connects to a server at url; "" is one of the test's own.
func setup(t testing.TB, url string, change ...func(*bus.Options)) *bundle {
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
func ready(t testing.TB, url string, change ...func(*bus.Options)) *bundle {
	t.Helper()
	b := setup(t, url, change...)
	b.ensure()
	return b
}

// clustered is ready on a cluster of three servers.
func clustered(t testing.TB, change ...func(*bus.Options)) *bundle {
	t.Helper()
	copies := func(o *bus.Options) { o.Replicas = 3 }
	return ready(t, natstest.RunCluster(t, 3).URL(), append([]func(*bus.Options){copies}, change...)...)
}

// both runs a test on one server and on a cluster of three.
func both(t *testing.T, test func(t *testing.T, b *bundle)) {
	t.Helper()
	t.Parallel()
	t.Run("one server", func(t *testing.T) { t.Parallel(); test(t, ready(t, "")) })
	t.Run("cluster", func(t *testing.T) { t.Parallel(); test(t, clustered(t)) })
}

// AppendClaim, AppendStatus and AppendInvalid are those of the bus; they wait for
// the outcome.
func (b *bundle) AppendClaim(ctx context.Context, terminal, order string, c payment.Claim, expect uint64) (uint64, error) {
	return bus.Wait(ctx, func(done bus.Published) { b.Bus.AppendClaim(ctx, terminal, order, c, expect, done) })
}

func (b *bundle) AppendStatus(ctx context.Context, s payment.Status, expect uint64) (uint64, error) {
	return appendStatus(ctx, b.Bus, s, expect)
}

func (b *bundle) AppendInvalid(ctx context.Context, e schema.InvalidEvent, expect uint64) (uint64, error) {
	return bus.Wait(ctx, func(done bus.Published) { b.Bus.AppendInvalid(ctx, e, expect, done) })
}

func appendStatus(ctx context.Context, b *bus.Bus, s payment.Status, expect uint64) (uint64, error) {
	return bus.Wait(ctx, func(done bus.Published) { b.AppendStatus(ctx, s, expect, done) })
}

// ensure makes the objects.
func (b *bundle) ensure() (made bus.Made) {
	b.t.Helper()
	made, err := ensure(b.t.Context(), b.Bus)
	if err != nil {
		b.t.Fatal(err)
	}
	return made
}

// ensure makes the objects. In a cluster that has just begun, or on a busy
// machine, it may take more than one call.
func ensure(ctx context.Context, b *bus.Bus) (made bus.Made, err error) {
	for deadline := time.Now().Add(patience); ; {
		m, err := b.Ensure(ctx)
		made.Statuses, made.Sessions = made.Statuses || m.Statuses, made.Sessions || m.Sessions
		if err == nil || time.Now().After(deadline) {
			return made, err
		}
	}
}

// another makes one more connection, as another replica has it.
func (b *bundle) another(change ...func(*bus.Options)) *bus.Bus {
	b.t.Helper()
	connected := make(chan struct{}, 8)
	o := bus.Options{
		URLs: b.url, Name: b.t.Name(), Space: subjects.Default(), Replicas: 1,
		StatusMaxAge: 4 * time.Hour, ClaimTTL: 2 * time.Hour, ReplicaTTL: 2 * time.Second,
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
	receive(b.t, connected)
	return c
}

// link is a connection that tells when it is connected, and when it is lost.
type link struct {
	*bus.Bus
	connected chan string
	lost      chan error
}

// connect opens a connection with the least of options.
func connect(t testing.TB, o bus.Options) link {
	t.Helper()
	l := link{connected: make(chan string, 8), lost: make(chan error, 8)}
	o.Space, o.Replicas, o.StatusMaxAge, o.ClaimTTL, o.ReplicaTTL = subjects.Default(), 1, time.Hour, time.Minute, time.Second
	o.Events.Connected = func(server string) { l.connected <- server }
	o.Events.Disconnected = func(err error) { l.lost <- err }
	var err error
	if l.Bus, err = bus.Connect(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return l
}

// receive waits for a value.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// until waits for something that has no event.
func until(t testing.TB, happened func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !happened(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

// must returns a value, or ends the test with the error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func status(order, name string, sequence uint64) payment.Status {
	return payment.Status{
		Event: schema.StatusEvent{
			TerminalID: "T1", OrderID: order, Status: name, Sequence: sequence, Source: schema.SourceStream,
			Amount: 5, Currency: "EUR", ObservedAt: time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC),
		},
		Hash: "hash", Group: "group", Replica: "replica", Epoch: 3,
		StartedAt: time.Date(2026, 11, 23, 11, 59, 0, 7, time.UTC),
	}
}

func session(terminal, order string) payment.Session {
	return payment.Session{
		Request: schema.StartRequest{TerminalID: terminal, OrderID: order, Amount: 5, Currency: "EUR"},
		Hash:    "hash", Nonce: terminal + "/" + order, Group: "group", Reply: "_INBOX.x",
		Trace: map[string]string{"traceparent": "00-1-2-01"},
	}
}

func claim(terminal, order string, epoch uint64) payment.Claim {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return payment.Claim{
		Replica: "a", Owner: "ID", Epoch: epoch, Phase: payment.ClaimOpen, SessionID: "session", Sealed: []byte{1, 2}, QueueSeq: 7,
		Session: payment.Session{
			Group: "group", Request: session(terminal, order).Request, Hash: "hash", Nonce: "nonce", StartedAt: at, Deadline: at,
		},
		UpdatedAt: at,
	}
}
