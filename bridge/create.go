package bridge

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// finding is what one call to the provider told about whether an order exists.
type finding int

const (
	// exists: the order is at the provider, and it is this session's.
	exists finding = iota
	// absent: the order is not there, and this call did not change that.
	absent
	// doubtful: it may be there; the provider must be asked.
	doubtful
	// refused: a definite no.
	refused
)

// judgeCreate says what the outcome of a create means. tried: an earlier create
// of this session may have reached the provider, so that "already used" may mean
// this session's own order. answer is what to tell the requester if it ends here.
func judgeCreate(err error, tried bool) (f finding, answer *schema.Error) {
	if err == nil {
		return exists, nil
	}
	failure, ok := errors.AsType[*multisafepay.Error](err)
	if !ok {
		return doubtful, unavailable(nil)
	}
	switch failure.Kind {
	case multisafepay.KindUnreachable, multisafepay.KindLimited:
		return absent, unavailable(failure)
	case multisafepay.KindUsed:
		if tried {
			return doubtful, rejected(failure)
		}
		return refused, rejected(failure)
	case multisafepay.KindRejected, multisafepay.KindNotFound:
		return refused, rejected(failure)
	case multisafepay.KindKey:
		return refused, withProvider(schema.NewError(schema.ProviderError, "the provider refuses the key of this terminal's group; nothing was created"), failure)
	case multisafepay.KindNonsense:
		return refused, withProvider(schema.NewError(schema.ProviderError, "the provider's error makes no sense; nothing was created"), failure)
	}
	return doubtful, unavailable(failure) // lost, timed out, 5xx, cut by us
}

// judgeAsk says what the provider's answer about an order means for a session
// that may have created it.
func judgeAsk(o multisafepay.OrderState, err error, want schema.StartRequest) (f finding, answer *schema.Error) {
	if err != nil {
		failure, ok := errors.AsType[*multisafepay.Error](err)
		if ok && failure.Kind == multisafepay.KindNotFound {
			return absent, nil
		}
		return doubtful, nil
	}
	if o.Amount != 0 && o.Amount != want.Amount || o.Currency != "" && !strings.EqualFold(o.Currency, want.Currency) ||
		o.TerminalID != "" && o.TerminalID != want.TerminalID {
		return refused, schema.NewError(schema.ProviderRejected, "the provider knows order %s from elsewhere, with another amount, currency or terminal", want.OrderID)
	}
	return exists, nil
}

func rejected(failure *multisafepay.Error) *schema.Error {
	return withProvider(schema.NewError(schema.ProviderRejected, "the provider refused the order; nothing is left open"), failure)
}

func unavailable(failure *multisafepay.Error) *schema.Error {
	return withProvider(schema.NewError(schema.ProviderUnavailable, "the provider cannot be reached or fails; nothing was created"), failure)
}

// withProvider adds what the provider answered, if it did.
func withProvider(e *schema.Error, failure *multisafepay.Error) *schema.Error {
	if failure != nil && failure.Status > 0 {
		e.Provider = &schema.ProviderAnswer{HTTPStatus: failure.Status, ErrorCode: failure.Code, ErrorInfo: failure.Info}
	}
	return e
}

// creation is what is known while the order is being made.
type creation struct {
	// doubt: a create may have reached the provider without our knowing what
	// came of it. The provider is asked before it is told again.
	doubt bool
	// ever: a create was sent at some time, so "already used" may be this
	// session's own order.
	ever bool
	// until: before then "not found" may only mean "not yet", because a create
	// that we stopped waiting for may still be under way.
	until time.Time
	// again is when a create that was given up may be repeated, if the order is not
	// there then.
	again time.Time
	// heard is when the provider was asked that answered "not found" last.
	heard time.Time
	// wait before the next create; told when it was the provider who said so.
	wait time.Duration
	told bool
	// answer to give if it ends now: nothing was created.
	answer *schema.Error
	// giveUpAt is when a provider that only fails, and does not say when to come
	// back, is given up: a till should know within seconds.
	giveUpAt time.Time
}

// failurePatience is how long creating is tried again at a provider that cannot
// be reached or fails, within the start deadline. The requester may ask again.
const failurePatience = 3 * time.Second

// createLimit is for how many REQUEST_TIMEOUTs after it was sent a create may
// still reach the provider: the bridge gives it up after one, a network or a
// gateway that holds it later.
const createLimit = 2

// tired reports whether a provider that only fails is to be given up.
func (c *creation) tired(now time.Time) bool {
	return !c.told && !c.giveUpAt.IsZero() && now.Add(c.wait).After(c.giveUpAt)
}

// ensureOrder makes sure that the order exists at the provider exactly once,
// stores what was learnt and answers the requester. It returns with the order
// existing, or with the session over because nothing exists, or, when it stays
// unknown for too long, with giveUp set.
//
// The provider is told only while the start deadline lasts, and asked before it
// is told whenever an earlier create may have reached it.
func (s *session) ensureOrder(ctx context.Context) error {
	switch {
	case s.held.record.Phase == bus.Open:
		if !s.answered { // its follower went away between the order and the answer
			s.answer(true)
		}
		return nil
	case s.state.Sequence > 0: // it has statuses, so it exists
		return s.opened(ctx, multisafepay.Created{SessionID: s.state.SessionID}, terminalgroups.Group{}, false)
	}
	deadline := time.NewTimer(s.until(s.msg.Deadline))
	defer deadline.Stop()
	defer func() { s.deadline = nil }()
	c := creation{doubt: s.tried, ever: s.tried, answer: unavailable(nil)}
	if s.tried {
		c.until = s.msg.Deadline.Add(createLimit * s.RequestTimeout) // the last one may have left just before
	}
	pause := s.backoff()
	for {
		group, err := s.group(ctx)
		switch {
		case err != nil && !c.doubt && errors.Is(err, terminalgroups.ErrUnknownTerminal):
			return s.refuse(ctx, lookupError(s.terminal, err))
		case err != nil:
			c.answer, c.wait = unavailable(nil), pause.NextBackOff()
		case c.doubt:
			asked := s.Clock.Now()
			f, answer := s.ask(ctx, group.Key)
			if f == absent {
				c.heard = asked
			}
			switch {
			case f == exists:
				s.log.Info("The order is at the provider; following it by asking")
				return s.opened(ctx, multisafepay.Created{}, group, false)
			case f == refused:
				return s.refuse(ctx, answer)
			case f == absent && (s.Clock.Now().Before(s.msg.Deadline) && asked.After(c.again) || asked.After(c.until)):
				c.doubt = false
			}
		}
		left := s.until(s.msg.Deadline)
		switch {
		case s.leaving != nil:
			return s.leaving
		case !c.doubt && (left <= 0 || c.wait >= left || c.tired(s.Clock.Now())):
			if c.until.IsZero() || c.heard.After(c.until) {
				return s.refuse(ctx, c.answer)
			}
			c.doubt, c.wait = true, 0 // it was "not found", which may only mean "not yet"
		case !c.doubt && c.wait == 0:
			s.deadline = deadline.C
			sent := s.Clock.Now()
			created, err := during(ctx, s, func(ctx context.Context) (multisafepay.Created, error) {
				return s.Provider.Create(ctx, group.Key, orderOf(s.msg.Request))
			})
			f, answer := judgeCreate(err, c.ever)
			c.ever = c.ever || f == doubtful
			c.answer = answer
			switch f {
			case exists:
				return s.opened(ctx, created, group, true)
			case refused:
				if c.until.IsZero() || c.heard.After(c.until) {
					return s.refuse(ctx, answer)
				}
				f = doubtful // an earlier create may still be under way: only asking tells
			}
			s.noteMet("The provider gave no usable answer to the order")
			if c.giveUpAt.IsZero() {
				c.giveUpAt = s.Clock.Now().Add(failurePatience)
			}
			s.log.Warn("The order could not be created yet", zap.Error(err), zap.Duration(telemetry.KeyElapsed, s.since(sent)))
			c.told = retryAfter(err) > 0
			c.wait = max(retryAfter(err), pause.NextBackOff())
			if f == doubtful {
				c.doubt = true
				late := sent.Add(createLimit * s.RequestTimeout)
				if unanswered(err) && late.After(c.until) { // that of an earlier one may be later
					c.until = late
				}
				if timedOut(err) {
					c.again = late
				}
			}
			continue // ask at once, or see whether the wait fits before the deadline
		}
		s.deadline = nil
		if c.doubt {
			s.deadline = deadline.C
		}
		if s.since(s.msg.StartedAt) > s.SessionTimeout {
			return s.abandon(ctx)
		}
		if s.answered && !s.held.record.Answered { // a successor must not answer again
			if err := s.change(ctx, func(*bus.Record) {}); err != nil {
				return err
			}
		}
		if c.wait == 0 {
			c.wait = pause.NextBackOff()
		}
		if err := s.pause(ctx, min(c.wait, s.until(s.msg.StartedAt.Add(s.SessionTimeout)))); err != nil {
			return err
		}
		c.wait = 0
		if s.isDraining() {
			return s.handOver(ctx)
		}
	}
}

// ask looks at the provider for an order that may have been created.
func (s *session) ask(ctx context.Context, key redact.Secret) (finding, *schema.Error) {
	there, err := during(ctx, s, func(ctx context.Context) (multisafepay.OrderState, error) {
		return s.Provider.Get(ctx, key, s.order)
	})
	f, answer := judgeAsk(there, err, s.msg.Request)
	if f == doubtful {
		s.log.Warn("It is not known yet whether the order exists", zap.Error(err))
	}
	return f, answer
}

// opened stores that the order exists and what is needed to follow it, and then
// answers: from here on the session survives this replica.
func (s *session) opened(ctx context.Context, created multisafepay.Created, group terminalgroups.Group, made bool) error {
	s.stream = created.Stream
	s.state.SessionID = orElse(created.SessionID, s.state.SessionID)
	s.deadline = nil // the answer is known now, and sent once it is stored
	sealed, err := seal(group.Key, s.sealedFor(), s.stream)
	if err != nil {
		s.log.Warn("The event stream cannot be stored; another replica would have to ask for the order", zap.Error(err))
	}
	err = s.change(ctx, func(r *bus.Record) {
		r.Phase, r.Group, r.Sealed = bus.Open, group.ID, sealed
	})
	if errors.Is(err, errLost) {
		s.withdraw(ctx, made)
	}
	if err != nil {
		return err
	}
	s.Metrics.SessionStarted()
	s.noteDid("The order exists at the provider; the terminal shows it")
	s.log.Info("The order is created", zap.String(telemetry.KeySession, s.state.SessionID))
	s.answer(true)
	return nil
}

// withdraw cancels an order that this replica has just created although the
// session was dropped meanwhile by another: no terminal rings for a till that
// has left. While another replica follows the session nothing is done; nor when
// the order was only found (not made) and the till has started it anew meanwhile.
func (s *session) withdraw(ctx context.Context, made bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.RequestTimeout)
	defer cancel()
	queued, seq, err := s.Queue.Queued(ctx, s.terminal)
	if err == nil && (seq == s.seq || !made && queued.Order() == s.order) || err != nil && !errors.Is(err, bus.ErrNotFound) {
		return
	}
	if _, err := s.Journal.Last(ctx, s.terminal, s.order); !errors.Is(err, bus.ErrNotFound) {
		return // it was followed to its end
	}
	group, err := s.Groups.Lookup(ctx, s.terminal)
	if err == nil {
		_, err = s.Provider.Cancel(ctx, group.Key, s.order)
	}
	s.log.Warn("The order was created after its start had been dropped; cancelled it at the provider", zap.Error(err))
}

// refuse ends a session of which nothing exists at the provider. A requester who
// was told that the outcome is unknown learns from a status event that nothing
// came of it.
func (s *session) refuse(ctx context.Context, answer *schema.Error) error {
	s.deadline = nil
	if s.answered {
		s.log.Info("The outcome was called unknown; nothing came of it", zap.String(telemetry.KeyCode, string(answer.Code)))
		return s.abandon(ctx)
	}
	err := s.change(ctx, func(r *bus.Record) { r.Phase, r.Error = bus.Refused, answer })
	if err != nil {
		return err
	}
	s.noteMet("The start was refused: " + string(answer.Code))
	level := zap.InfoLevel
	if answer.Code == schema.ProviderError {
		level = zap.WarnLevel // a key, or a provider, that is not as it should be: pos-bridge check tells
	}
	s.log.Log(level, "The start was refused", zap.String(telemetry.KeyCode, string(answer.Code)), zap.String(telemetry.KeyReason, answer.Message))
	return s.removeRefused(ctx, answer)
}

// abandon has the session given up as unresolved, if it is still this replica's:
// what only a follower decides is nobody else's to publish.
func (s *session) abandon(ctx context.Context) error {
	if err := s.change(ctx, func(*bus.Record) {}); err != nil {
		return err
	}
	s.giveUp = true
	return nil
}

// orderOf is the order that a start request asks for.
func orderOf(r schema.StartRequest) multisafepay.Order {
	return multisafepay.Order{
		OrderID: r.OrderID, TerminalID: r.TerminalID, Amount: r.Amount, Currency: r.Currency,
		Description: r.Description, NotificationURL: r.NotificationURL, Customer: r.Customer, CustomInfo: r.CustomInfo,
	}
}

// retryAfter is how long the provider wants us to wait, 0 when it did not say.
func retryAfter(err error) time.Duration {
	if failure, ok := errors.AsType[*multisafepay.Error](err); ok {
		return failure.RetryAfter
	}
	return 0
}

// unanswered reports whether a create may still be under way: no complete answer
// came.
func unanswered(err error) bool {
	failure, ok := errors.AsType[*multisafepay.Error](err)
	return !ok || failure.Kind == multisafepay.KindTimeout || failure.Kind == multisafepay.KindLost
}

func timedOut(err error) bool {
	failure, ok := errors.AsType[*multisafepay.Error](err)
	return ok && failure.Kind == multisafepay.KindTimeout
}
