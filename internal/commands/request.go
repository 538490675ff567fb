package commands

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// command is one command as NATS sees it.
type command struct {
	name                       subjects.Command
	requestSchema, replySchema string
	limits                     *limits
	// handle carries a request out. Without a reply and a failure somebody else
	// answers the requester.
	handle func(context.Context, request) (reply any, failure *schema.Error)
}

// request is one request.
type request struct {
	micro.Request
	command *command
	began   time.Time
	// age is how old the request may be, after this process stood still.
	age time.Duration
}

// commands lists the commands. A start is at work until its order exists, and a
// cancel or a receipt until the provider has answered.
func (s *Service) commands() []*command {
	return []*command{
		{subjects.Start, "start-request", "start-reply", newLimits(8192, 64), s.onStart},
		{subjects.Cancel, "cancel-request", "cancel-reply", newLimits(1024, 8), s.onOrder(schema.DecodeOrder, s.orders.cancel)},
		{subjects.Get, "get-request", "session", newLimits(4096, 256), s.onOrder(schema.DecodeOrder, s.orders.get)},
		{subjects.List, "list-request", "list-reply", newLimits(64, 0), s.onList},
		{subjects.Receipt, "receipt-request", "receipt-reply", newLimits(512, 8), s.onOrder(schema.DecodeReceipt, s.orders.receipt)},
	}
}

// accept takes a request from the framework. It does not wait.
func (s *Service) accept(c *command, r micro.Request) {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	if terminal, scoped, _ := s.opts.Space.CommandTerminal(r.Subject()); scoped && s.opts.Bus.Nested(terminal) {
		return // the other bridge answers
	}
	q := request{Request: r, command: c, began: time.Now()}
	q.age = s.still.age(q.began)
	switch {
	case !s.opts.Bus.IsInbox(r.Reply()):
		s.opts.Log.Warn("Ignored a request whose reply subject is not an inbox", zap.String(telemetry.KeyCommand, string(c.name)))
	case s.refusing.Err() != nil:
		s.answer(q, nil, stopping.answer())
	case !c.limits.room.TryAcquire(1):
		s.answer(q, nil, tooMany.answer())
	default:
		s.work.Go(func() {
			defer c.limits.room.Release(1)
			reply, failure := s.carryOut(q)
			if reply != nil || failure != nil {
				s.answer(q, reply, failure)
			}
		})
	}
}

// carryOut runs the command. A command that panics fails alone.
func (s *Service) carryOut(q request) (reply any, failure *schema.Error) {
	ctx, span := s.opts.Tracer.Start(tracing.Extract(s.refusing, q.Headers()), "command "+string(q.command.name), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	defer func() {
		if cause := recover(); cause != nil {
			s.opts.Log.Error("A command failed in the bridge's own code", zap.String(telemetry.KeyCommand, string(q.command.name)),
				zap.Any(telemetry.KeyReason, cause), zap.ByteString(telemetry.KeyStack, debug.Stack()))
			reply, failure = nil, commandFailed.answer()
		}
	}()
	reply, failure = q.command.handle(ctx, q)
	if failure != nil && failure.Code == schema.OutcomeUnknown && s.refusing.Err() != nil {
		failure = stopping.answer() // it was cut short by the stop
	}
	return reply, failure
}

func (s *Service) onStart(ctx context.Context, q request) (any, *schema.Error) {
	r, err := schema.DecodeStart(q.Data())
	if failure := s.check(q, err, &r.TerminalID, func() error { return r.Check() }); failure != nil {
		return nil, failure
	}
	leave, ok := q.command.limits.enterTerminal(r.TerminalID)
	if !ok {
		return nil, tooMany.answer()
	}
	defer leave()
	reply, failure := s.starts.start(ctx, r, requester{inbox: q.Reply(), age: q.age, queued: leave})
	if reply == nil {
		return nil, failure
	}
	return *reply, nil
}

func (s *Service) onList(ctx context.Context, q request) (any, *schema.Error) {
	if _, err := schema.DecodeList(q.Data()); err != nil {
		return nil, invalid(err)
	}
	return s.orders.list(ctx)
}

// onOrder handles a command that names an order.
func (s *Service) onOrder(
	decode func([]byte) (schema.OrderRequest, error), handle func(context.Context, board.Ref) (any, *schema.Error),
) func(context.Context, request) (any, *schema.Error) {
	return func(ctx context.Context, q request) (any, *schema.Error) {
		r, err := decode(q.Data())
		failure := s.check(q, err, &r.TerminalID, func() error { return r.Check() })
		if failure != nil {
			return nil, failure
		}
		leave, ok := q.command.limits.enterTerminal(r.TerminalID)
		if !ok {
			return nil, tooMany.answer()
		}
		defer leave()
		ctx, cancel := context.WithTimeout(ctx, 2*s.opts.RequestTimeout)
		defer cancel()
		return handle(ctx, board.Ref{Terminal: r.TerminalID, Order: r.OrderID})
	}
}

// check judges a request that was decoded, or not: its terminal is that of the
// subject, and its values are right.
func (s *Service) check(q request, decoded error, terminal *string, values func() error) *schema.Error {
	if decoded != nil {
		return invalid(decoded)
	}
	bound, scoped, err := s.opts.Space.CommandTerminal(q.Subject())
	switch {
	case err != nil:
		return terminalInSubject.answer()
	case scoped && *terminal == "":
		*terminal = bound
	case scoped && *terminal != bound:
		return terminalDiffers.answer(bound)
	}
	return invalid(values())
}

// invalid is the answer to a request that cannot be decoded, or has wrong values.
func invalid(err error) *schema.Error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*schema.Error](err); ok {
		return failure
	}
	return schema.NewError(schema.InvalidRequest, "%s", err)
}

// answer answers the requester.
func (s *Service) answer(q request, reply any, failure *schema.Error) {
	if failure != nil {
		s.opts.Log.Debug("Refused a command", zap.String(telemetry.KeyCommand, string(q.command.name)),
			zap.String(telemetry.KeyCode, string(failure.Code)), zap.String(telemetry.KeyReason, failure.Message))
		reply = schema.ErrorReply{Error: *failure}
	}
	body, err := json.Marshal(reply)
	if limit := s.conn.MaxPayload(); failure == nil && limit > 0 && int64(len(body)) > limit {
		s.answer(q, nil, answerTooLong.answer(len(body), limit))
		return
	}
	code := ""
	if failure != nil {
		code = string(failure.Code)
	}
	s.opts.Metrics.CommandAnswered(string(q.command.name), code, time.Since(q.began))
	if err == nil {
		err = s.opts.Bus.Reply(q.Reply(), failure, body)
	}
	if err != nil {
		s.opts.Log.Warn("Could not answer a requester", zap.String(telemetry.KeyCommand, string(q.command.name)), zap.Error(err))
	}
}
