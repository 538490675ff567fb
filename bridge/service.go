package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// ServiceName is the name of the NATS micro service.
const ServiceName = "pos-bridge"

// queueGroup is shared by all replicas: any one of them answers a command.
const queueGroup = "pos-bridge"

// subscribeLimit is how long NATS may take to confirm the subscriptions.
const subscribeLimit = 2 * time.Second

// Bounds of the commands at work in one replica. Starts may wait for another
// replica's answer and have a bound of their own, so that they never keep a
// cancel waiting.
const (
	maxStarts   = 1024
	maxCommands = 256
)

// service answers the commands.
type service struct {
	*Replica
	conn     *nats.Conn
	micro    micro.Service
	starts   chan struct{}
	commands chan struct{}
	// refusing is closed when no new command is carried out; those that only
	// wait end then.
	refusing context.Context
	refuse   context.CancelFunc
	work     sync.WaitGroup
}

// startService registers the commands on the bus. stopped is called when the
// service ended without being asked to.
func startService(r *Replica, conn *nats.Conn, version string, stopped func()) (*service, error) {
	s := &service{Replica: r, conn: conn, starts: make(chan struct{}, maxStarts), commands: make(chan struct{}, maxCommands)}
	s.refusing, s.refuse = context.WithCancel(r.work)
	m, err := micro.AddService(conn, micro.Config{
		Name:        ServiceName,
		Version:     semver(version),
		Description: "Card payments on SmartPOS terminals",
		QueueGroup:  queueGroup,
		Metadata:    map[string]string{"replica": r.ReplicaID, "subject_prefix": r.Space.Prefix()},
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			r.Log.Warn("The command service met an error", zap.String(telemetry.KeySubject, err.Subject), zap.Error(err))
		},
		DoneHandler: func(micro.Service) { stopped() },
	})
	if err != nil {
		return nil, err
	}
	s.micro = m
	for _, c := range []struct {
		command subjects.Command
		handle  func(context.Context, request)
		bound   chan struct{}
		scoped  bool
		request string
		reply   string
	}{
		{subjects.Start, s.onStart, s.starts, true, "start-request", "start-reply"},
		{subjects.Cancel, s.onCancel, s.commands, true, "cancel-request", "cancel-reply"},
		{subjects.Get, s.onGet, s.commands, true, "get-request", "session"},
		{subjects.List, s.onList, s.commands, false, "list-request", "list-reply"},
	} {
		handler := s.bounded(c.command, c.bound, c.handle)
		metadata := micro.WithEndpointMetadata(map[string]string{
			"request_schema": c.request, "reply_schema": c.reply, "error_schema": "error-reply",
		})
		err := m.AddEndpoint(string(c.command), handler, micro.WithEndpointSubject(r.Space.Command(c.command)), metadata)
		if err == nil && c.scoped {
			err = m.AddEndpoint("terminal-"+string(c.command), handler, micro.WithEndpointSubject(r.Space.AllTerminalCommands(c.command)), metadata)
		}
		if err != nil {
			return nil, errors.Join(err, m.Stop())
		}
	}
	// Commands are served once the server has taken the subscriptions. If it is
	// away just now it takes them on the reconnect, and readiness knows.
	if err := conn.FlushTimeout(subscribeLimit); err != nil {
		r.Log.Warn("The command service is registered with NATS once it is back", zap.Error(err))
	}
	return s, nil
}

// stop refuses new commands, ends those that only wait, and waits until all are
// answered or ctx is over.
func (s *service) stop(ctx context.Context) {
	s.refuse()
	if err := s.micro.Stop(); err != nil {
		s.Log.Warn("The command service did not stop cleanly", zap.Error(err))
	}
	answered := make(chan struct{})
	go func() {
		s.work.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
}

var semverForm = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// semver is the version as the micro framework wants it.
func semver(version string) string {
	version = strings.TrimPrefix(version, "v")
	if !semverForm.MatchString(version) {
		return "0.0.0-dev"
	}
	return version
}

// bounded hands each request to a goroutine of a bounded pool: the framework
// itself calls a handler one request after the other. When the pool is full the
// requests wait in the subscription.
func (s *service) bounded(command subjects.Command, bound chan struct{}, handle func(context.Context, request)) micro.Handler {
	free := &hands{}
	return micro.HandlerFunc(func(req micro.Request) {
		if !s.Requesters.IsInbox(req.Reply()) {
			s.Log.Warn("A request asks for its answer on a subject that is no inbox; ignored", zap.String(telemetry.KeyCommand, string(command)))
			return
		}
		sent := free.wait(s.Replica, func() { bound <- struct{}{} })
		s.work.Go(func() {
			defer func() { <-bound }()
			if s.refusing.Err() != nil {
				s.fail(command, req, time.Now(), shuttingDown())
				return
			}
			ctx, span := s.Tracer.Start(tracing.Extract(s.refusing, req.Headers()), "command "+string(command), trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
			handle(ctx, request{req, sent})
		})
	})
}

// request is a command and the earliest time at which it can have been sent.
type request struct {
	micro.Request
	sent time.Time
}

// hands are the free ones of a command's pool. While none is free, requests lie
// in the subscription, and age.
type hands struct {
	mu      sync.Mutex
	blocked stillness
}

// wait waits for a free hand, and returns the earliest time at which the request
// that waits can have been sent.
func (h *hands) wait(r *Replica, take func()) time.Time {
	sent := r.earliest(requestAftermath)
	h.mu.Lock()
	if h.blocked.covers(sent, requestAftermath) {
		sent = h.blocked.from
	}
	h.mu.Unlock()
	began := r.age()
	take()
	if r.age()-began > pulseInterval {
		h.mu.Lock()
		if h.blocked.covers(r.Clock.Now(), requestAftermath) && h.blocked.from.Before(sent) { // of the other subscription
			sent = h.blocked.from
		}
		h.blocked = stillness{from: sent, to: r.Clock.Now()}
		h.mu.Unlock()
	}
	return sent
}

func (s *service) onStart(ctx context.Context, req request) {
	began := time.Now()
	start, err := schema.DecodeStart(req.Data())
	failure := s.bind(req, err, &start.TerminalID)
	if failure == nil {
		failure = checked(start.Check())
	}
	if failure != nil {
		s.fail(subjects.Start, req, began, failure)
		return
	}
	reply, failure := s.Start(ctx, start, Requester{Inbox: req.Reply(), Trace: traceOut(ctx), Sent: req.sent})
	switch {
	case failure != nil:
		s.fail(subjects.Start, req, began, failure)
	case reply != nil:
		s.succeed(subjects.Start, req, began, reply)
	}
}

func (s *service) onCancel(ctx context.Context, req request) {
	onOrder(ctx, s, subjects.Cancel, req, s.Cancel)
}

func (s *service) onGet(ctx context.Context, req request) {
	onOrder(ctx, s, subjects.Get, req, s.Get)
}

func onOrder[T any](ctx context.Context, s *service, command subjects.Command, req micro.Request, handle func(context.Context, schema.OrderRequest) (*T, *schema.Error)) {
	began := time.Now()
	request, err := schema.DecodeOrder(req.Data())
	failure := s.bind(req, err, &request.TerminalID)
	if failure == nil {
		failure = checked(request.Check())
	}
	var reply *T
	if failure == nil {
		reply, failure = handle(ctx, request)
	}
	if failure != nil {
		s.fail(command, req, began, failure)
		return
	}
	s.succeed(command, req, began, reply)
}

func (s *service) onList(ctx context.Context, req request) {
	began := time.Now()
	_, err := schema.DecodeList(req.Data())
	failure := checked(err)
	var reply *schema.ListReply
	if failure == nil {
		reply, failure = s.List(ctx)
	}
	if failure != nil {
		s.fail(subjects.List, req, began, failure)
		return
	}
	s.succeed(subjects.List, req, began, reply)
}

// bind holds the terminal of a request, which could be decoded or not, to that
// of the subject.
func (s *service) bind(req micro.Request, decoded error, terminal *string) *schema.Error {
	if decoded != nil {
		return checked(decoded)
	}
	bound, scoped, err := s.Space.CommandTerminal(req.Subject())
	switch {
	case err != nil:
		return schema.NewError(schema.InvalidRequest, "the terminal in the subject must be 1 to 36 characters of A-Z a-z 0-9 _ -")
	case scoped && *terminal == "":
		*terminal = bound
	case scoped && *terminal != bound:
		return schema.NewError(schema.InvalidRequest, "terminal_id must be %s, as in the subject, or left out", bound)
	}
	return nil
}

// checked turns the error of decoding or checking a message into the error to
// answer. A card number that stands where a field's name should is not shown.
func checked(err error) *schema.Error {
	if err == nil {
		return nil
	}
	failure, ok := errors.AsType[*schema.Error](err)
	if !ok {
		failure = schema.NewError(schema.InvalidRequest, "%s", err)
	}
	failure.Message = cardLike.ReplaceAllString(failure.Message, "[digits]")
	return failure
}

var cardLike = regexp.MustCompile(`[0-9]{12,}`)

func (s *service) succeed(command subjects.Command, req micro.Request, began time.Time, reply any) {
	s.respond(command, "", req, began, nil, reply)
}

func shuttingDown() *schema.Error {
	return schema.NewError(schema.ShuttingDown, "this replica is shutting down; send the same request again")
}

func (s *service) fail(command subjects.Command, req micro.Request, began time.Time, failure *schema.Error) {
	if s.refusing.Err() != nil && failure.Code == schema.OutcomeUnknown { // it was cut short by the drain
		failure = shuttingDown()
	}
	s.Log.Debug("Refused a command", zap.String(telemetry.KeyCommand, string(command)),
		zap.String(telemetry.KeyCode, string(failure.Code)), zap.String(telemetry.KeyReason, failure.Message))
	s.respond(command, string(failure.Code), req, began, errorHeader(failure), schema.ErrorReply{Error: *failure})
}

func (s *service) respond(command subjects.Command, code string, req micro.Request, began time.Time, header map[string]string, body any) {
	data, err := json.Marshal(body)
	if limit := s.conn.MaxPayload(); limit > 0 && int64(len(data)) > limit {
		failure := schema.NewError(schema.InvalidRequest, "the answer of %d bytes is longer than the server's max_payload of %d; ask for single orders, or raise it", len(data), limit)
		code, header = string(failure.Code), errorHeader(failure)
		data, err = json.Marshal(schema.ErrorReply{Error: *failure})
	}
	s.Metrics.CommandAnswered(string(command), code, time.Since(began))
	if err == nil {
		err = s.Requesters.Reply(req.Reply(), header, data)
	}
	if err != nil {
		s.Log.Warn("A requester could not be answered", zap.String(telemetry.KeyCommand, string(command)), zap.Error(err))
	}
}
