package commands

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

// patience bounds every wait of a test, also on a busy machine.
const patience = 30 * time.Second

// scene is a command service on a nats-server of its own. The test plays the
// replica that follows the payments.
type scene struct {
	*testing.T
	bus     *bus.Bus
	client  *nats.Conn
	service *Service
	board   *board.Board
	opts    Options
	// stop ends the service and waits until it has ended.
	stop func()
}

func setup(t *testing.T, change ...func(*Options)) *scene {
	t.Helper()
	server := natstest.Run(t)
	s := &scene{T: t, bus: connect(t, server.URL()), client: natstest.Connect(t, server.URL())}
	if _, err := s.bus.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	metrics := telemetry.NewMetrics("", "", "")
	s.board = board.New(board.Options{
		Feed: s.bus, Horizon: 2 * time.Hour, Metrics: metrics, Log: zap.NewNop(), Changed: func(string) {}, Claimed: func(board.Ref, *payment.Claim) {},
	})
	s.opts = Options{
		Bus: s.bus, Board: s.board, Owner: &owner{}, Groups: groups{}, Provider: receipts{}, Space: subjects.Default(),
		Replica: "replica", Version: "v1.2.3", StartDeadline: patience, RequestTimeout: patience / 3, Metrics: metrics, Log: zap.NewNop(),
	}
	for _, c := range change {
		c(&s.opts)
	}
	s.service = New(s.bus.Conn(), s.opts)
	ctx, end := context.WithCancel(context.Background())
	life, stop := context.WithCancel(ctx)
	var running, serving sync.WaitGroup
	complete, ready := make(chan struct{}), make(chan struct{})
	running.Go(func() { s.board.Run(ctx, func() { close(complete) }) })
	serving.Go(func() {
		if err := s.service.Run(life, func() { close(ready) }); err != nil {
			t.Error(err)
		}
	})
	s.stop = func() {
		stop()
		serving.Wait()
	}
	t.Cleanup(func() {
		s.stop()
		end()
		running.Wait()
	})
	<-complete
	<-ready
	return s
}

func connect(t *testing.T, url string) *bus.Bus {
	t.Helper()
	connected := make(chan struct{}, 8)
	b, err := bus.Connect(bus.Options{
		URLs: url, Space: subjects.Default(), Replicas: 1, StatusMaxAge: 4 * time.Hour, ClaimTTL: 2 * time.Hour, ReplicaTTL: 2 * time.Second,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	<-connected
	return b
}

// reply is an answer to a command, or none yet.
type reply struct {
	*testing.T
	sub *nats.Subscription
}

// send sends a command and does not wait for the answer.
func (s *scene) send(subject, body string) reply {
	s.Helper()
	inbox := s.client.NewInbox()
	sub, err := s.client.SubscribeSync(inbox)
	if err == nil {
		err = s.client.PublishRequest(subject, inbox, []byte(body))
	}
	if err != nil {
		s.Fatal(err)
	}
	return reply{s.T, sub}
}

func (r reply) receive(v any) (code schema.Code) {
	r.Helper()
	msg, err := r.sub.NextMsg(patience)
	if err != nil {
		r.Fatalf("no answer: %v", err)
	}
	if msg.Header.Get(schema.HeaderErrorCode) == "" {
		if err := json.Unmarshal(msg.Data, v); err != nil {
			r.Fatalf("%v in %s", err, msg.Data)
		}
		return ""
	}
	var e schema.ErrorReply
	if err := json.Unmarshal(msg.Data, &e); err != nil || e.Error.Message != msg.Header.Get(schema.HeaderError) {
		r.Fatalf("%v in %s with %v", err, msg.Data, msg.Header)
	}
	if out, ok := v.(*schema.Error); ok {
		*out = e.Error
	}
	return e.Error.Code
}

// started wants a reply to a start.
func (r reply) started() (got schema.StartReply) {
	r.Helper()
	if code := r.receive(&got); code != "" {
		r.Fatalf("got %s", code)
	}
	return got
}

// failed wants an error.
func (r reply) failed(want schema.Code) (got schema.Error) {
	r.Helper()
	if code := r.receive(&got); code != want {
		r.Fatalf("got %q, want %s: %s", code, want, got.Message)
	}
	return got
}

// silent wants that nothing has come so far.
func (r reply) silent() {
	r.Helper()
	if n, _, err := r.sub.Pending(); n > 0 || err != nil {
		r.Errorf("got an answer too early, or %v", err)
	}
}

const orderA = `{"terminal_id":"T1","order_id":"A","amount":1250,"currency":"EUR"}`

// start sends a start of 12.50 euros.
func (s *scene) start(terminal, order string) reply {
	s.Helper()
	return s.send("pos.payment.start", `{"terminal_id":"`+terminal+`","order_id":"`+order+`","amount":1250,"currency":"EUR"}`)
}

// queued waits for the session of an order in the queue.
func (s *scene) queued(terminal, order string) bus.Delivery {
	s.Helper()
	for {
		d, err := s.bus.Queued(s.Context(), terminal)
		switch {
		case err == nil && d.Session.Order() == order:
			return d
		case err != nil && !errors.Is(err, bus.ErrNotFound):
			s.Fatal(err)
		}
	}
}

// claim stores a claim of a session as its follower would.
func (s *scene) claim(d bus.Delivery, phase payment.ClaimPhase, change ...func(*payment.Claim)) payment.Claim {
	s.Helper()
	log := s.log(d.Session.Terminal(), d.Session.Order())
	c := payment.Claim{
		Owner: "process", Replica: "follower", Epoch: 1, Phase: phase, Session: d.Session, QueueSeq: d.Seq, SessionID: "session", UpdatedAt: s.bus.Now(),
	}
	c.Session.StartedAt = d.StoredAt
	for _, f := range change {
		f(&c)
	}
	if _, err := bus.Wait(s.Context(), func(done bus.Published) {
		s.bus.AppendClaim(s.Context(), d.Session.Terminal(), d.Session.Order(), c, log.Last, done)
	}); err != nil {
		s.Fatal(err)
	}
	return c
}

// publish stores a status.
func (s *scene) publish(d bus.Delivery, status string, sequence uint64, change ...func(*payment.Status)) {
	s.Helper()
	log := s.log(d.Session.Terminal(), d.Session.Order())
	e := payment.Status{
		Event: schema.StatusEvent{
			TerminalID: d.Session.Terminal(), OrderID: d.Session.Order(), SessionID: "session", Status: status, TransactionID: "4711", FinancialStatus: "initialized",
			Sequence: sequence, Final: schema.IsFinal(status), Source: schema.SourceStream, Amount: 1250, Currency: "EUR", ObservedAt: s.bus.Now(),
		},
		Hash: d.Session.Hash, Group: d.Session.Group, Replica: "follower", Epoch: 1, StartedAt: d.StoredAt,
	}
	for _, f := range change {
		f(&e)
	}
	seq, err := bus.Wait(s.Context(), func(done bus.Published) { s.bus.AppendStatus(s.Context(), e, log.Last, done) })
	if err == nil {
		err = s.board.Synced(s.Context(), seq)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) log(terminal, order string) payment.Log {
	s.Helper()
	log, err := s.bus.ReadLog(s.Context(), terminal, order, true)
	if err != nil {
		s.Fatal(err)
	}
	return log
}

func (s *scene) unlock(d bus.Delivery) {
	s.Helper()
	if err := s.bus.DeleteSession(s.Context(), d.Seq); err != nil {
		s.Fatal(err)
	}
}

// open plays a payment whose order exists.
func (s *scene) open(terminal, order string) bus.Delivery {
	s.Helper()
	s.start(terminal, order)
	d := s.queued(terminal, order)
	s.claim(d, payment.ClaimOpen)
	return d
}

// over plays a payment that is over, and unlocked.
func (s *scene) over(terminal, order, status string) bus.Delivery {
	s.Helper()
	d := s.open(terminal, order)
	s.publish(d, status, 1)
	s.unlock(d)
	return d
}

// oddBus forces what is rare.
type oddBus struct {
	*bus.Bus
	enqueue func(context.Context, payment.Session) (uint64, error)
	fast    func(ctx context.Context, terminal, order string, all bool) (payment.Log, error)
	lastSeq func(context.Context) (uint64, error)
}

func (b oddBus) Enqueue(ctx context.Context, s payment.Session) (uint64, error) {
	if b.enqueue == nil {
		return b.Bus.Enqueue(ctx, s)
	}
	return b.enqueue(ctx, s)
}

func (b oddBus) ReadLogFast(ctx context.Context, terminal, order string, all bool) (payment.Log, error) {
	if b.fast == nil {
		return b.Bus.ReadLogFast(ctx, terminal, order, all)
	}
	return b.fast(ctx, terminal, order, all)
}

func (b oddBus) LastSeq(ctx context.Context) (uint64, error) {
	if b.lastSeq == nil {
		return b.Bus.LastSeq(ctx)
	}
	return b.lastSeq(ctx)
}

// owner is who follows the payments.
type owner struct {
	cancel func(ctx context.Context, terminal, order string) (string, *schema.Error)
	look   func() error
	news   func() (string, string, bool)
	looks  atomic.Int32
}

func (o *owner) Cancel(ctx context.Context, terminal, order string) (string, *schema.Error) {
	return o.cancel(ctx, terminal, order)
}

func (o *owner) Look(context.Context, string, string) error {
	o.looks.Add(1)
	if o.look == nil {
		return errors.New("nobody looks")
	}
	return o.look()
}

func (o *owner) News(context.Context, board.Ref, string) (string, string, bool) {
	if o.news == nil {
		return "", "", false
	}
	return o.news()
}

// groups serve all terminals but "none" and those that fail.
type groups struct{ fail error }

func (g groups) Lookup(_ context.Context, terminal string) (terminalgroups.Group, error) {
	switch {
	case terminal == "none":
		return terminalgroups.Group{}, terminalgroups.ErrUnknownTerminal
	case g.fail != nil:
		return terminalgroups.Group{}, g.fail
	}
	return terminalgroups.Group{ID: "g", Key: redact.NewSecret("key-g")}, nil
}

func (g groups) Terminals() map[string]string { return map[string]string{"T2": "g", "T1": "g"} }

func (g groups) ByID(id string) (terminalgroups.Group, bool) {
	return terminalgroups.Group{ID: id, Key: redact.NewSecret("key-" + id)}, id != ""
}

// receipts are the provider's.
type receipts struct{ fail error }

func (r receipts) Receipt(_ context.Context, key redact.Secret, order string) (schema.Receipt, error) {
	return schema.Receipt{Merchant: schema.ReceiptMerchant{Name: order + " with " + key.Reveal()}}, r.fail
}
