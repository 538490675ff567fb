package commands

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// starts answers starts.
type starts struct {
	Options
	// joins has the repeated starts of one order wait together.
	joins singleflight.Group
	// stopping ends when the service stops.
	stopping context.Context
}

// requester is who sent a start.
type requester struct {
	inbox string
	// age is how old the request may be.
	age time.Duration
	// queued is called when the session is in the queue.
	queued func()
}

// starting is a start under way.
type starting struct {
	board.Ref
	session payment.Session
	from    requester
}

// verdict is what one try to queue a session came to: the requester is answered
// with reply or failure; or the session is queued; or another try is made.
type verdict struct {
	reply   *schema.StartReply
	failure *schema.Error
	// queued is the session's sequence in the queue: whoever follows it answers.
	queued uint64
	// freed is the order that is over and about to free the terminal.
	freed string
	// joined is set when the session of an earlier request was waited for, doubtful
	// when it is not known whether this one was queued.
	joined, doubtful bool
	// err is an error of the bus that may pass.
	err error
}

// start locks the terminal and queues the session. Both results are nil if whoever
// follows the session has answered the requester.
func (s *starts) start(ctx context.Context, r schema.StartRequest, from requester) (*schema.StartReply, *schema.Error) {
	r = complete(r)
	left := s.StartDeadline - from.age
	st := starting{Ref: board.Ref{Terminal: r.TerminalID, Order: r.OrderID}, from: from, session: payment.Session{
		Request: r, Hash: contentHash(r), Nonce: rand.Text(), Reply: from.inbox, Trace: tracing.Fields(ctx), Deadline: s.Bus.Now().Add(left),
	}}
	if left <= 0 {
		ctx, cancel := context.WithTimeout(ctx, s.RequestTimeout)
		defer cancel()
		v := s.instead(ctx, st, requestTooOld.answer())
		return v.reply, v.failure
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	group, err := s.Groups.Lookup(ctx, st.Terminal)
	if err != nil {
		v := s.instead(ctx, st, lookupFailure(st.Terminal, err))
		return v.reply, v.failure
	}
	st.session.Group = group.ID
	return s.queue(ctx, st)
}

// queue tries until the session is queued, or the requester can be answered.
func (s *starts) queue(ctx context.Context, st starting) (*schema.StartReply, *schema.Error) {
	pause := newPause()
	certain, freed := true, "" // that nothing came of it so far; who is about to free the terminal
	for ctx.Err() == nil {
		v := s.try(ctx, st, certain)
		switch {
		case v.queued > 0:
			return nil, s.awaitOwner(ctx, st, v.queued)
		case v.reply != nil || v.failure != nil:
			return v.reply, v.failure
		case v.err != nil:
			s.Log.Warn("Could not queue a start yet; trying again", zap.Error(v.err))
		}
		certain = certain && !v.doubtful && !v.joined
		if v.freed != "" {
			freed = v.freed
		}
		if !v.joined { // that took its time
			sleep(ctx, pause.NextBackOff())
		}
	}
	if certain && freed != "" && errors.Is(ctx.Err(), context.DeadlineExceeded) { // and not a stop
		return nil, terminalNotFreed.answer(st.Terminal, freed)
	}
	return nil, startUnknown.answer()
}

// try makes one try to queue the session. certain is false if an earlier one may
// have succeeded.
func (s *starts) try(ctx context.Context, st starting, certain bool) verdict {
	seq, err := s.Bus.Enqueue(ctx, st.session)
	switch {
	case err == nil:
		return verdict{queued: seq}
	case errors.Is(err, bus.ErrConflict):
		return s.look(ctx, st)
	case refused(err):
		s.Log.Error("NATS refuses to store a session", zap.String(telemetry.KeyTerminal, st.Terminal), zap.Error(err))
		if !certain {
			return s.instead(ctx, st, startUnknown.answer())
		}
		return s.instead(ctx, st, queueRefuses.answer())
	}
	return verdict{doubtful: !errors.Is(err, bus.ErrBusy), err: err}
}

// look judges a start by what is stored: about its order, and by the session that
// locks the terminal.
func (s *starts) look(ctx context.Context, st starting) verdict {
	queued, err := s.Bus.Queued(ctx, st.Terminal)
	newer := errors.Is(err, bus.ErrNewer)
	if err != nil && !newer && !errors.Is(err, bus.ErrNotFound) {
		return verdict{err: err}
	}
	if queued.Seq > 0 && queued.Session.Nonce == st.session.Nonce {
		return verdict{queued: queued.Seq} // an earlier try, whose answer was lost
	}
	own := queued
	if queued.Session.Order() != st.Order {
		own = bus.Delivery{}
	}
	v, at := s.judge(ctx, st, own)
	switch {
	case at == pending && v.err == nil:
		return s.join(st, own)
	case at == absent && v.err == nil && newer:
		return verdict{failure: terminalTaken.answer(st.Terminal)}
	case at == absent && v.err == nil && queued.Seq > 0:
		return s.busy(ctx, st.Terminal, queued)
	}
	return v
}

// judge reads the log of a start's own order.
func (s *starts) judge(ctx context.Context, st starting, queued bus.Delivery) (verdict, standing) {
	log, err := s.Bus.ReadLog(ctx, st.Terminal, st.Order, false)
	if err != nil {
		return verdict{err: err}, absent
	}
	at := standingOf(log, queued, st.session.Hash)
	switch at {
	case exists:
		reply := s.startReply(st.Ref, log)
		return verdict{reply: &reply}, at
	case differs:
		return verdict{failure: orderConflict.answer(st.Order)}, at
	case ended:
		if log.Claim.Session.Hash == st.session.Hash && log.Claim.Answer != nil {
			return verdict{failure: log.Claim.Answer}, at
		}
		return verdict{freed: st.Order}, at
	case absent, pending:
	}
	return verdict{}, at
}

// busy refuses a start while another order's payment is open. One that is over is
// about to be unlocked.
func (s *starts) busy(ctx context.Context, terminal string, queued bus.Delivery) verdict {
	if e, ok := s.Board.Get(board.Ref{Terminal: terminal, Order: queued.Session.Order()}); ok && e.Last.Final {
		return verdict{freed: queued.Session.Order()}
	}
	log, err := s.Bus.ReadLog(ctx, terminal, queued.Session.Order(), false)
	switch {
	case err != nil:
		return verdict{err: err}
	case holds(log, queued):
		return verdict{failure: terminalBusy.answer(terminal, queued.Session.Order())}
	}
	return verdict{freed: queued.Session.Order()}
}

// instead answers a start that cannot be carried out from what is stored about its
// order. failure says that nothing was created: it counts only if nothing is stored.
func (s *starts) instead(ctx context.Context, st starting, failure *schema.Error) verdict {
	for {
		v := s.look(ctx, st)
		switch {
		case v.queued > 0, v.reply != nil, v.failure != nil && v.failure.Code != schema.TerminalBusy:
			return v
		case ctx.Err() != nil:
			return verdict{failure: startUnknown.answer()}
		case v.err == nil && !v.joined: // the terminal is free, or another order's
			return verdict{failure: failure}
		case !v.joined:
			sleep(ctx, lastPause)
		}
	}
}

// startReply is the answer to a repeated start of an order that exists.
func (s *starts) startReply(ref board.Ref, log payment.Log) schema.StartReply {
	subject, _ := s.Space.Of(ref.Terminal, ref.Order, subjects.Status) // the ids were checked
	known := board.EntryOf(ref, log).Session()
	return schema.StartReply{OrderID: ref.Order, TerminalID: ref.Terminal, SessionID: known.SessionID, Status: known.Status, StatusSubject: subject}
}

// complete fills in what is left out, so that the same order asked for in other
// words is the same request.
func complete(r schema.StartRequest) schema.StartRequest {
	if r.Description == "" {
		r.Description = r.OrderID
	}
	if r.Customer != nil && *r.Customer == (schema.Customer{}) {
		r.Customer = nil
	}
	if r.CustomInfo != nil && *r.CustomInfo == (schema.CustomInfo{}) {
		r.CustomInfo = nil
	}
	return r
}

// contentHash tells one request from another with the same order id.
func contentHash(r schema.StartRequest) string {
	body, err := json.Marshal(r)
	if err != nil {
		return "" // a struct of strings and integers can always be written
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
