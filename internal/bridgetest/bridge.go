// Package bridgetest gives tests of the commands on the bus a bridge to talk to:
// a NATS micro service with the bridge's subjects and its status stream, whose
// answers and events the test decides.
package bridgetest

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Limit bounds every wait of a test.
const Limit = 20 * time.Second

// ErrNoReply as a handler's error: the request is left without a reply.
var ErrNoReply = errors.New("no reply")

// Handlers answer the commands. A *schema.Error becomes an error reply, any
// other reply is sent as JSON. A nil handler answers not_found, or no sessions.
// They run in goroutines of their own.
type Handlers struct {
	Start   func(schema.StartRequest) (any, error)
	Cancel  func(schema.OrderRequest) (any, error)
	Get     func(schema.OrderRequest) (any, error)
	Receipt func(schema.OrderRequest) (any, error)
	List    func() (any, error)
}

// Bridge is a stand-in for the daemon.
type Bridge struct {
	Space subjects.Space

	t    testing.TB
	conn *nats.Conn
	js   jetstream.JetStream

	service micro.Service

	tasks    sync.WaitGroup // handlers at work
	mu       sync.Mutex
	handlers Handlers
	over     bool // the test has ended: no further handlers
}

// Options change what Run makes.
type Options struct {
	// NoStream: the status stream is not there.
	NoStream bool
	// Silent: the stream does not republish, so that a test can decide which
	// stored events live subscribers see, with Store and Tell.
	Silent bool
	// Prefix of the subjects; "pos" if empty.
	Prefix string
	// Connect is added to the connection's options.
	Connect []nats.Option
}

// Run serves the bridge's commands at url until the test ends.
func Run(t testing.TB, url string, handlers Handlers, options Options) *Bridge {
	t.Helper()
	prefix := options.Prefix
	if prefix == "" {
		prefix = subjects.DefaultPrefix
	}
	space, err := subjects.New(prefix)
	if err != nil {
		t.Fatalf("make subjects: %v", err)
	}
	b := &Bridge{Space: space, t: t, conn: natstest.Connect(t, url, options.Connect...), handlers: handlers}
	if b.js, err = jetstream.New(b.conn); err != nil {
		t.Fatalf("use JetStream: %v", err)
	}
	if !options.NoStream {
		b.MakeStream(options.Silent)
	}
	b.serve()
	return b
}

// MakeStream makes the status stream as the daemon does.
func (b *Bridge) MakeStream(silent bool) {
	b.t.Helper()
	stored := b.Space.Prefix() + ".{{wildcard(1)}}.{{wildcard(2)}}.status"
	config := jetstream.StreamConfig{
		Name:             b.Space.StatusStream(),
		Subjects:         []string{b.Space.All(subjects.Journal), b.Space.All(subjects.Invalid), b.Space.All(subjects.Claim)},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: b.Space.All(subjects.Journal), Destination: stored},
		Storage:          jetstream.FileStorage,
		AllowDirect:      true,
	}
	if !silent {
		config.RePublish = &jetstream.RePublish{Source: b.Space.All(subjects.Status), Destination: stored}
	}
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	if _, err := b.js.CreateStream(ctx, config); err != nil {
		b.t.Fatalf("make status stream: %v", err)
	}
}

// Handle changes the answers.
func (b *Bridge) Handle(change func(*Handlers)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.handlers)
}

func (b *Bridge) answers() Handlers {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.handlers
}

func (b *Bridge) serve() {
	b.t.Helper()
	service, err := micro.AddService(b.conn, micro.Config{Name: "pos-bridge", Version: "0.0.0"})
	if err != nil {
		b.t.Fatalf("serve commands: %v", err)
	}
	b.t.Cleanup(func() {
		_ = service.Stop() // the connection may be gone
		b.mu.Lock()
		b.over = true
		b.mu.Unlock()
		b.tasks.Wait()
	})
	endpoints := map[subjects.Command]func([]byte) (any, error){
		subjects.Start: func(data []byte) (any, error) {
			return call(data, b.answers().Start)
		},
		subjects.Cancel: func(data []byte) (any, error) {
			return call(data, b.answers().Cancel)
		},
		subjects.Get: func(data []byte) (any, error) {
			return call(data, b.answers().Get)
		},
		subjects.Receipt: func(data []byte) (any, error) {
			return call(data, b.answers().Receipt)
		},
		subjects.List: func([]byte) (any, error) {
			if list := b.answers().List; list != nil {
				return list()
			}
			return schema.ListReply{Sessions: []schema.Session{}}, nil
		},
	}
	for command, handle := range endpoints {
		for name, subject := range map[string]string{
			string(command):               b.Space.Command(command),
			string(command) + "-terminal": b.Space.AllTerminalCommands(command),
		} {
			if err := service.AddEndpoint(name, b.respond(handle), micro.WithEndpointSubject(subject)); err != nil {
				b.t.Fatalf("serve %s: %v", subject, err)
			}
		}
	}
	b.service = service
	if err := b.conn.Flush(); err != nil {
		b.t.Fatalf("serve commands: %v", err)
	}
}

// Stop stops to serve commands: whoever asks afterwards finds nobody.
func (b *Bridge) Stop() {
	if err := b.service.Stop(); err != nil {
		b.t.Errorf("stop commands: %v", err)
	}
	if err := b.conn.Flush(); err != nil {
		b.t.Errorf("stop commands: %v", err)
	}
}

func call[R any](data []byte, handle func(R) (any, error)) (any, error) {
	var request R
	if err := json.Unmarshal(data, &request); err != nil {
		return nil, schema.NewError(schema.InvalidRequest, "malformed JSON")
	}
	if handle == nil {
		return nil, schema.NewError(schema.NotFound, "the order is not known")
	}
	return handle(request)
}

// respond answers in a goroutine of its own, with plain messages: a micro request
// may not be answered after its handler has returned (the framework reads the
// request then, and that is a data race).
func (b *Bridge) respond(handle func([]byte) (any, error)) micro.HandlerFunc {
	return func(request micro.Request) {
		data, to := request.Data(), request.Reply()
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.over {
			return
		}
		b.tasks.Go(func() {
			reply, err := handle(data)
			msg := nats.NewMsg(to)
			switch refused, ok := errors.AsType[*schema.Error](err); {
			case errors.Is(err, ErrNoReply):
				return
			case ok:
				msg.Header.Set(schema.HeaderErrorCode, strconv.Itoa(refused.Code.Number()))
				msg.Header.Set(schema.HeaderError, printable(refused.Message))
				msg.Data = encode(b.t, schema.ErrorReply{Error: *refused})
			case err != nil:
				b.t.Errorf("answer: %v", err)
				return
			default:
				raw, ok := reply.([]byte)
				if !ok {
					raw = encode(b.t, reply)
				}
				msg.Data = raw
			}
			if err := b.conn.PublishMsg(msg); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				b.t.Errorf("answer: %v", err)
			}
		})
	}
}

// printable is a message as a header can carry it.
func printable(message string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, message)
}

// Event makes a status event.
func Event(terminal, order string, sequence uint64, status string) schema.StatusEvent {
	return schema.StatusEvent{
		OrderID:         order,
		TerminalID:      terminal,
		SessionID:       "session-1",
		TransactionID:   "4051823",
		Status:          status,
		FinancialStatus: status,
		Final:           schema.IsFinal(status),
		Sequence:        sequence,
		Source:          schema.SourceStream,
		Amount:          1250,
		Currency:        "EUR",
		ObservedAt:      time.Now().UTC(),
	}
}

// Session makes what get answers about an event's order.
func Session(e schema.StatusEvent) schema.Session {
	return schema.Session{
		OrderID: e.OrderID, TerminalID: e.TerminalID, SessionID: e.SessionID,
		Status: e.Status, FinancialStatus: e.FinancialStatus, TransactionID: e.TransactionID,
		Final: e.Final, Sequence: e.Sequence, Active: !e.Final,
		Amount: e.Amount, Currency: e.Currency, Replica: "replica-1",
		StartedAt: e.ObservedAt, UpdatedAt: e.ObservedAt,
	}
}

// Store puts events into the stream; live subscribers see them if the stream
// republishes.
func (b *Bridge) Store(events ...schema.StatusEvent) {
	b.t.Helper()
	for _, e := range events {
		b.store(e, subjects.Journal)
	}
}

// StoreInvalid publishes an event that could not be understood.
func (b *Bridge) StoreInvalid(e schema.InvalidEvent) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(e.TerminalID, e.OrderID, subjects.Invalid), Data: encode(b.t, e)}); err != nil {
		b.t.Errorf("store invalid event: %v", err)
	}
}

func (b *Bridge) store(e schema.StatusEvent, kind subjects.Kind) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	msg := &nats.Msg{Subject: b.subject(e.TerminalID, e.OrderID, kind), Data: encode(b.t, e), Header: nats.Header{}}
	msg.Header.Set(nats.MsgIdHdr, e.TerminalID+"."+subjects.OrderToken(e.OrderID)+"."+strconv.FormatUint(e.Sequence, 10))
	if _, err := b.js.PublishMsg(ctx, msg); err != nil {
		b.t.Errorf("store status event: %v", err)
	}
}

// StoreClaim puts a record of the bridge's own into the stream.
func (b *Bridge) StoreClaim(terminal, order string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	if _, err := b.js.Publish(ctx, b.subject(terminal, order, subjects.Claim), []byte(`{"v":1}`)); err != nil {
		b.t.Errorf("store claim: %v", err)
	}
}

// Tell shows events to live subscribers alone.
func (b *Bridge) Tell(events ...schema.StatusEvent) {
	b.t.Helper()
	for _, e := range events {
		b.TellRaw(b.subject(e.TerminalID, e.OrderID, subjects.Status), encode(b.t, e))
	}
}

// TellRaw publishes any message.
func (b *Bridge) TellRaw(subject string, data []byte) {
	b.t.Helper()
	if err := b.conn.Publish(subject, data); err != nil {
		b.t.Errorf("publish %s: %v", subject, err)
	}
	if err := b.conn.Flush(); err != nil {
		b.t.Errorf("publish %s: %v", subject, err)
	}
}

func (b *Bridge) subject(terminal, order string, kind subjects.Kind) string {
	b.t.Helper()
	subject, err := b.Space.Of(terminal, order, kind)
	if err != nil {
		b.t.Errorf("make subject: %v", err)
	}
	return subject
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Errorf("write message: %v", err)
	}
	return data
}
