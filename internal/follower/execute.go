package follower

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// execute starts one effect. It runs in the loop and never waits.
func (f *Follower) execute(a *actor, effect payment.Effect, at time.Time) {
	switch e := effect.(type) {
	case payment.ReadLog:
		f.run(a, func(ctx context.Context) payment.Event { return f.log.read(ctx, a.ref) })
	case payment.StoreClaim:
		f.store(a, func(ctx context.Context, done bus.Published) {
			f.opts.Bus.AppendClaim(ctx, a.ref.Terminal, a.ref.Order, e.Claim, e.Expect, done)
		})
	case payment.StoreStatus:
		f.store(a, func(ctx context.Context, done bus.Published) {
			e.Status.Trace = tracing.Fields(ctx)
			f.opts.Bus.AppendStatus(ctx, e.Status, e.Expect, done)
		})
	case payment.StoreInvalid:
		f.store(a, func(ctx context.Context, done bus.Published) { f.opts.Bus.AppendInvalid(ctx, e.Event, e.Expect, done) })
	case payment.Unlock:
		f.run(a, func(ctx context.Context) payment.Event { return unlock(ctx, f.opts.Bus, e.Place) })
	case payment.GiveBack:
		f.giveBack(e.Handle)
	case payment.AskOwner:
		f.run(a, func(ctx context.Context) payment.Event { return f.askOwner(ctx, a.ref, e) })
	case payment.AnswerStart:
		f.answerStart(a, e, at)
	case payment.Respond:
		f.waiters.respond(e)
	case payment.Note:
		f.report.note(a.ref, e, at)
	case payment.Leave:
		if e.Why == payment.LeaveDone {
			f.failures.over(a.ref)
		}
		f.report.left(a.ref, e.Why)
		f.forget(a)
	default:
		f.executeAtProvider(a, effect)
	}
}

// executeAtProvider starts an effect that concerns the provider.
func (f *Follower) executeAtProvider(a *actor, effect payment.Effect) {
	session := a.payment.Session
	switch e := effect.(type) {
	case payment.Create:
		f.run(a, func(ctx context.Context) payment.Event { return f.provider.create(ctx, session, e) })
	case payment.Cancel:
		f.run(a, func(ctx context.Context) payment.Event { return f.provider.cancel(ctx, session) })
	case payment.Ask:
		f.ask(a, session, e)
	case payment.OpenStream:
		f.openStream(a, session, e)
	case payment.CloseStream:
		if a.stopStream != nil {
			a.stopStream()
			a.stopStream = nil
		}
	}
}

// run does something beside the loop and brings the outcome back; nil is none.
func (f *Follower) run(a *actor, do func(context.Context) payment.Event) {
	f.beside(a, func() {
		if event := do(a.ctx); event != nil {
			f.back(a, event)
		}
	})
}

// store publishes a message to the payment's log and brings the outcome back.
func (f *Follower) store(a *actor, publish func(context.Context, bus.Published)) {
	f.report.Metrics.AddPendingPublishes(1)
	f.log.add(&write{
		ctx: a.ctx,
		publish: func(ctx context.Context, done bus.Published) {
			if !f.contained(a, func() { publish(ctx, done) }) {
				done(0, errPanicked)
			}
		},
		done: func(event payment.Event) {
			f.report.Metrics.AddPendingPublishes(-1)
			if event != nil {
				f.back(a, event)
			}
		},
	})
}

// beside runs something of a payment beside the loop.
func (f *Follower) beside(a *actor, do func()) {
	f.wg.Go(func() { f.contained(a, do) })
}

// errPanicked: what was to be stored could not even be written down.
var errPanicked = errors.New("the payment has failed")

// contained does something for a payment and reports whether it came to its end.
// If it panics, the payment ends alone.
func (f *Follower) contained(a *actor, do func()) (done bool) {
	defer func() {
		if cause := recover(); cause != nil {
			stack := debug.Stack()
			f.post(func() { f.failed(a, cause, stack) })
		}
	}()
	do()
	return true
}

// ask asks the provider for the order. A routine question waits for its turn
// without a goroutine; if another question is needed meanwhile, it is asked at once.
func (f *Follower) ask(a *actor, s payment.Session, e payment.Ask) {
	budget := f.provider.budgets.of(s.Group)
	switch {
	case a.question != nil && (e.Routine || !budget.leave(a.question)): // one is on its way
	case e.Routine:
		a.question = budget.later(e.First, func() { f.post(func() { f.question(a, s, 0, true) }) })
	default:
		a.question = &ticket{}
		f.question(a, s, e.After, false)
	}
}

// question asks beside the loop.
func (f *Follower) question(a *actor, s payment.Session, after time.Duration, granted bool) {
	if a.over {
		return
	}
	q := question{session: s, sealed: a.payment.Stream.Sealed, after: after, granted: granted, moment: &a.moment}
	f.beside(a, func() {
		answer := f.provider.ask(a.ctx, q)
		f.outcome(func() {
			a.question = nil
			if answer != nil && !a.over {
				f.step(a, f.compared(a, answer))
			}
		})
	})
}

// compared notes on an answer whether another terminal of the group has an order with this
// id. That matters only while it is not known whether this payment created the order.
func (f *Follower) compared(a *actor, event payment.Event) payment.Event {
	answer, ok := event.(payment.Answered)
	if _, creating := a.payment.Phase.(payment.Creating); ok && creating && answer.Exists && !strings.EqualFold(answer.Terminal, a.ref.Terminal) {
		answer.Elsewhere = f.opts.Orders.Elsewhere(a.ref, a.payment.Session.Group)
		return answer
	}
	return event
}

// openStream keeps a connection to the payment's event stream until it is closed.
func (f *Follower) openStream(a *actor, s payment.Session, e payment.OpenStream) {
	if a.stopStream != nil {
		a.stopStream()
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.stopStream = stop
	if a.room == nil {
		a.room = make(chan struct{}, maxUnstored)
	}
	r := &streamReader{
		lane: f.provider, session: s, lastID: e.LastID, room: a.room,
		pause: retries(f.opts.Rules.BackoffInitial, f.opts.Rules.BackoffMax),
		tell:  func(event payment.Event) { f.post(func() { f.streamed(ctx, a, event) }) },
	}
	f.beside(a, func() { r.run(ctx, e.Sealed) })
}

// streamed brings an input of the event stream to its payment, unless the
// connection was closed meanwhile. It runs in the loop.
func (f *Follower) streamed(ctx context.Context, a *actor, event payment.Event) {
	if _, status := event.(payment.StreamEvent); status {
		a.taken++
	}
	if ctx.Err() != nil || a.over {
		a.release()
		return
	}
	f.step(a, event)
}

// giveBack has the queue deliver a session to another replica. If it is lost,
// that happens after BRIDGE_REPLICA_TTL.
func (f *Follower) giveBack(handle string) {
	f.wg.Go(func() { _ = f.opts.Bus.Nak(handle) })
}

// answerStart answers the requester of a start.
func (f *Follower) answerStart(a *actor, e payment.AnswerStart, at time.Time) {
	s := a.payment.Session
	var body any = startReply(f.opts.Space, a.ref, e)
	code := ""
	if e.Failure != nil {
		code, body = string(e.Failure.Code), schema.ErrorReply{Error: *e.Failure}
	}
	f.report.Metrics.CommandAnswered(string(subjects.Start), code, at.Sub(s.StartedAt))
	f.beside(a, func() {
		data, err := json.Marshal(body)
		if err == nil {
			err = f.opts.Bus.Reply(cmp.Or(e.Reply, s.Reply), e.Failure, data)
		}
		if err != nil {
			f.report.failed("Could not answer a requester; the same request gets the same session", a.ref, err)
		}
	})
}

func startReply(space subjects.Space, ref Ref, e payment.AnswerStart) schema.StartReply {
	subject, _ := space.Of(ref.Terminal, ref.Order, subjects.Status) // the ids were checked before the session was queued
	return schema.StartReply{
		OrderID: ref.Order, TerminalID: ref.Terminal, SessionID: e.SessionID,
		Status: cmp.Or(e.Status, schema.StatusCreated), StatusSubject: subject, Created: e.Created,
	}
}
