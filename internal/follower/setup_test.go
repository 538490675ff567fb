package follower

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// patience bounds every wait of a test, also on a busy machine.
const patience = 60 * time.Second

// scene is a nats-server, a simulated provider, and what comes out on the bus.
type scene struct {
	*testing.T
	ctx   context.Context
	nats  *natsserver.Server
	conn  *nats.Conn
	sim   *simulatortest.Server
	key   redact.Secret
	event chan schema.StatusEvent
	// count of the replicas that were started.
	count int
	// note is called with every note of every replica.
	note func(order string, note payment.Note)
	// deafTo is how many times the queue does not hear that a session is given back.
	deafTo atomic.Int64
	// log is that of the replicas.
	log *zap.Logger
}

func setup(t *testing.T, o simulator.Options) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx, nats: natstest.Run(t), sim: simulatortest.Start(t, o), key: redact.NewSecret("demo-key"), event: make(chan schema.StatusEvent, 1000), log: testLog()}
	s.conn = natstest.Connect(t, s.nats.URL())
	if _, err := s.conn.Subscribe("pos.*.*.status", func(m *nats.Msg) {
		var e schema.StatusEvent
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Errorf("read event: %v", err)
		}
		s.event <- e
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// next waits for the next status of any order.
func (s *scene) next() schema.StatusEvent {
	s.Helper()
	select {
	case e := <-s.event:
		return e
	case <-s.ctx.Done():
		s.Fatal("no further status")
	}
	return schema.StatusEvent{}
}

// until waits for a status.
func (s *scene) until(status string) schema.StatusEvent {
	s.Helper()
	for {
		if e := s.next(); e.Status == status {
			return e
		}
	}
}

// replica is a follower on a connection of its own.
type replica struct {
	*Follower
	bus    *bus.Bus
	orders *orders
	end    context.CancelFunc
	done   chan struct{}
}

// replica starts a follower that ends with the test.
func (s *scene) replica(change ...func(*payment.Rules)) *replica {
	s.Helper()
	s.count++
	rules := payment.Rules{
		Self: fmt.Sprintf("process-%d", s.count), Replica: fmt.Sprintf("replica-%d", s.count),
		ReplicaTTL: 3 * time.Second, RequestTimeout: 2 * time.Second, BackoffInitial: 20 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
		ReconcileInterval: 2 * time.Second, SettleWindow: 200 * time.Millisecond, SessionTimeout: time.Minute, ClaimTTL: 2 * time.Hour,
	}
	for _, c := range change {
		c(&rules)
	}
	connected := make(chan struct{}, 1)
	b, err := bus.Connect(bus.Options{
		URLs: s.nats.URL(), Name: rules.Self, Space: subjects.Default(), Replicas: 1,
		StatusMaxAge: 24 * time.Hour, ClaimTTL: rules.ClaimTTL, ReplicaTTL: rules.ReplicaTTL,
		Events: bus.ConnectionEvents{Connected: func(string) {
			select {
			case connected <- struct{}{}:
			default:
			}
		}},
	})
	if err != nil {
		s.Fatal(err)
	}
	<-connected
	if _, err := b.Ensure(s.ctx); err != nil {
		s.Fatal(err)
	}
	client, err := multisafepay.New(multisafepay.Options{BaseURL: s.sim.APIURL, RequestTimeout: rules.RequestTimeout, IdleTimeout: 5 * time.Second})
	if err != nil {
		s.Fatal(err)
	}
	orders := &orders{note: s.note, changed: make(chan struct{})}
	r := &replica{bus: b, orders: orders, done: make(chan struct{})}
	r.Follower = New(Options{
		Rules: rules, StartDeadline: 5 * time.Second, ProviderRate: 20, Bus: deafBus{b, &s.deafTo}, Provider: client,
		Groups: oneGroup{s.key}, Orders: orders, Observer: orders, Space: subjects.Default(), Swept: func(string) {},
		Metrics: telemetry.NewMetrics("", "", ""), Log: s.log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	saw := func(e bus.Entry) {
		orders.saw(e)
		if e.Claim != nil {
			r.Claimed(Ref{Terminal: e.Terminal, Order: e.Order}, e.Claim)
		}
	}
	work.Go(func() { _ = b.Watch(ctx, time.Time{}, saw, func(uint64) {}) })
	work.Go(func() { _ = b.Deliveries(ctx, r.Deliver, func(error) {}) })
	work.Go(func() { r.Sweep(ctx, nil) })
	work.Go(func() {
		if err := r.Run(ctx); err != nil {
			s.Errorf("run: %v", err)
		}
	})
	var once sync.Once
	r.end = func() {
		once.Do(func() {
			cancel()
			work.Wait()
			client.Close()
			b.Close(context.Background())
			close(r.done)
		})
	}
	s.Cleanup(r.end)
	return r
}

// deafBus loses some of the negative acks, as a queue without a leader does.
type deafBus struct {
	*bus.Bus
	deafTo *atomic.Int64
}

func (b deafBus) Nak(handle string) error {
	if b.deafTo.Add(-1) >= 0 {
		return nil
	}
	return b.Bus.Nak(handle)
}

func testLog() *zap.Logger {
	if os.Getenv("BRIDGE_TEST_LOG") == "" {
		return zap.NewNop()
	}
	c := zap.NewDevelopmentConfig()
	c.Level.SetLevel(zapcore.DebugLevel)
	l, _ := c.Build()
	return l
}

// start queues a session as a command would, and returns the answer's inbox.
func (s *scene) start(b *bus.Bus, terminal, order string, change ...func(*schema.StartRequest)) *nats.Subscription {
	s.Helper()
	inbox := s.conn.NewInbox()
	sub, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.conn.Flush(); err != nil {
		s.Fatal(err)
	}
	r := schema.StartRequest{OrderID: order, TerminalID: terminal, Amount: 1250, Currency: "EUR", Description: order}
	for _, c := range change {
		c(&r)
	}
	if _, err := b.Enqueue(s.ctx, payment.Session{Request: r, Hash: "hash-" + order, Nonce: inbox, Group: "demo", Reply: inbox}); err != nil {
		s.Fatal(err)
	}
	return sub
}

// reply waits for the answer of a start.
func (s *scene) reply(sub *nats.Subscription) (schema.StartReply, *schema.Error) {
	s.Helper()
	msg, err := sub.NextMsgWithContext(s.ctx)
	if err != nil {
		s.Fatalf("no answer: %v", err)
	}
	var failed schema.ErrorReply
	if msg.Header.Get(schema.HeaderErrorCode) != "" {
		if err := json.Unmarshal(msg.Data, &failed); err != nil {
			s.Fatal(err)
		}
		return schema.StartReply{}, &failed.Error
	}
	var reply schema.StartReply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		s.Fatal(err)
	}
	return reply, nil
}

type oneGroup struct{ key redact.Secret }

func (g oneGroup) ByID(id string) (terminalgroups.Group, bool) {
	return terminalgroups.Group{ID: "demo", Key: g.key}, id == "demo"
}

func (g oneGroup) Lookup(context.Context, string) (terminalgroups.Group, error) {
	return terminalgroups.Group{ID: "demo", Key: g.key}, nil
}

// orders is a board for tests.
type orders struct {
	note   func(order string, note payment.Note)
	mu     sync.Mutex
	claims map[Ref]payment.Claim
	final  map[Ref]schema.StatusEvent
	// changed is closed with the next message.
	changed chan struct{}
}

func (o *orders) saw(e bus.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.claims == nil {
		o.claims, o.final = map[Ref]payment.Claim{}, map[Ref]schema.StatusEvent{}
	}
	defer func() {
		close(o.changed)
		o.changed = make(chan struct{})
	}()
	ref := Ref{Terminal: e.Terminal, Order: e.Order}
	if e.Claim != nil {
		o.claims[ref] = *e.Claim
	}
	if e.Status != nil && e.Status.Event.Final {
		o.final[ref] = e.Status.Event
	}
}

func (o *orders) Open() map[Ref]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := map[Ref]string{}
	for ref, c := range o.claims {
		if _, over := o.final[ref]; !over && c.Phase != payment.ClaimClosed {
			open[ref] = c.Owner
		}
	}
	return open
}

func (o *orders) Elsewhere(ref Ref, group string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for other, c := range o.claims {
		if other.Order == ref.Order && other.Terminal != ref.Terminal && c.Phase == payment.ClaimOpen && c.Session.Group == group {
			return true
		}
	}
	return false
}

func (o *orders) Watched(_, _ time.Duration) map[Ref]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	watched := map[Ref]string{}
	for ref, e := range o.final {
		if e.Status == "cancelled" || e.Status == "completed" && e.AmountCharged == 0 {
			watched[ref] = o.claims[ref].Owner
		}
	}
	return watched
}

func (o *orders) Noted(_, order string, note payment.Note, _ time.Time) {
	if o.note != nil {
		o.note(order, note)
	}
}
