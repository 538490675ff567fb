package follower

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
)

// providerLane asks the provider what payments want to know, and tells it what
// they want to happen.
type providerLane struct {
	Provider
	groups  Groups
	clock   Clock
	rules   *payment.Rules
	budgets *budgets
	report  *reporter
	// notificationURL is for orders whose request names none.
	notificationURL string
}

// errNoKey: no group's key serves the session any more.
var errNoKey = errors.New("no terminal group serves this session")

// key is that of the group that the session was stored with, from first to last.
func (l *providerLane) key(ctx context.Context, s payment.Session) (redact.Secret, error) {
	if group, ok := l.groups.ByID(s.Group); ok {
		return group.Key, nil
	}
	group, err := l.groups.Lookup(ctx, s.Terminal())
	if err != nil {
		return redact.Secret{}, errNoKey
	}
	return group.Key, nil
}

// create puts the order to the provider, once.
func (l *providerLane) create(ctx context.Context, s payment.Session, e payment.Create) payment.Event {
	if !sleep(ctx, e.After) {
		return nil
	}
	key, err := l.key(ctx, s)
	if err != nil {
		return payment.Posted{Outcome: payment.NotSent, Reason: err.Error()}
	}
	order := s.Request
	order.NotificationURL = cmp.Or(order.NotificationURL, l.notificationURL)
	created, err := l.Create(ctx, key, order, l.local(e.NotAfter))
	if err != nil {
		l.obey(s.Group, err)
		return payment.Posted{Outcome: outcomeOf(err), RetryAfter: failureOf(err).RetryAfter, Reason: err.Error(), Provider: failureOf(err).Answer()}
	}
	posted := payment.Posted{Outcome: payment.Done, SessionID: created.SessionID}
	if posted.Sealed, err = seal(key, sealedFor(s), created.Stream); err != nil {
		l.report.failed("Could not store the address of the event stream; polling the order instead", refOf(s), err)
	}
	return posted
}

// obey pauses the questions of a group if the provider wants not to be called for a
// while. Creates and cancels go on.
func (l *providerLane) obey(group string, err error) {
	if wait := failureOf(err).RetryAfter; wait > 0 {
		l.budgets.of(group).failed(questions, wait)
	}
}

// local is a time of the NATS server's clock by this machine's.
func (l *providerLane) local(t time.Time) time.Time { return time.Now().Add(t.Sub(l.clock.Now())) }

// cancel asks the provider to cancel the order, once.
func (l *providerLane) cancel(ctx context.Context, s payment.Session) payment.Event {
	key, err := l.key(ctx, s)
	if err != nil {
		return payment.Cancelled{Outcome: payment.NotSent}
	}
	status, err := l.Cancel(ctx, key, s.Order())
	if err != nil {
		l.obey(s.Group, err)
		l.report.failed("The provider did not cancel an order", refOf(s), err)
	}
	return payment.Cancelled{Outcome: outcomeOf(err), Status: status, Provider: failureOf(err).Answer()}
}

// question is a question of one payment, until it has a definite answer.
type question struct {
	session payment.Session
	// sealed is the order's event stream, empty without one.
	sealed []byte
	// after is a pause before the first call; granted is set when its turn has come.
	after   time.Duration
	granted bool
	// moment is the payment's; every call brings back the one at which it was sent.
	moment *atomic.Pointer[payment.Moment]
}

// ask asks the provider for the order until there is a definite answer; nil when
// ctx is over first.
func (l *providerLane) ask(ctx context.Context, q question) payment.Event {
	s := q.session
	pause := retries(l.rules.BackoffInitial, l.rules.BackoffMax)
	budget := l.budgets.of(s.Group)
	for wait, granted := q.after, q.granted; ; granted = false {
		if !sleep(ctx, wait) || !granted && budget.wait(ctx, questions) != nil {
			return nil
		}
		key, err := l.key(ctx, s)
		sent, moment := l.clock.Now(), *q.moment.Load()
		var state multisafepay.OrderState
		if err == nil {
			state, err = l.Get(ctx, key, s.Order())
		}
		if ctx.Err() != nil {
			return nil
		}
		if answer, ok := answeredOf(state, err); ok {
			answer.SentAt, answer.Asked = sent, moment
			budget.succeeded(questions)
			if !answer.Exists { // the payment judges what others bring
				l.report.Metrics.Reconciled(telemetry.ReconcileNoNews)
			}
			if stream, err := unseal(key, sealedFor(s), q.sealed); err == nil && stream.Token.In(answer.Transaction) {
				answer.Transaction = "" // the client knows the keys, not the token of this order
			}
			return answer
		}
		budget.failed(questions, failureOf(err).RetryAfter)
		l.report.Metrics.Reconciled(telemetry.ReconcileFailed)
		wait = max(failureOf(err).RetryAfter, pause.NextBackOff())
	}
}

// answeredOf is the definite answer that a call brought; ok is false for none.
func answeredOf(state multisafepay.OrderState, err error) (payment.Answered, bool) {
	if failureOf(err).Kind == multisafepay.KindNotFound {
		return payment.Answered{}, true
	}
	if err != nil || state.Status == "" {
		return payment.Answered{}, false
	}
	return payment.Answered{
		Exists: true, Status: state.Status, Financial: state.FinancialStatus, Transaction: state.TransactionID,
		Terminal: state.TerminalID, Currency: state.Currency, Amount: state.Amount, Created: state.Created, CreatedAbout: state.CreatedAbout,
	}, true
}

// outcomeOf says what an error of the provider's means for what it was asked to do.
func outcomeOf(err error) payment.Outcome {
	if err == nil {
		return payment.Done
	}
	failure := failureOf(err)
	outcome, certain := outcomes[failure.Kind]
	if !certain || failure.Kind == multisafepay.KindCancelled && failure.Sent {
		return payment.Doubtful
	}
	return outcome
}

// outcomes are those of failures that leave no doubt.
var outcomes = map[multisafepay.Kind]payment.Outcome{
	multisafepay.KindTooLate:     payment.TooLate,
	multisafepay.KindUnreachable: payment.NotSent,
	multisafepay.KindLimited:     payment.Limited,
	multisafepay.KindUsed:        payment.Used,
	multisafepay.KindRejected:    payment.Rejected,
	multisafepay.KindNotFound:    payment.Rejected,
	multisafepay.KindKey:         payment.KeyRefused,
	multisafepay.KindNonsense:    payment.Nonsense,
	multisafepay.KindCancelled:   payment.NotSent,
}

// failureOf is a failure of the provider's client, zero of any other error.
func failureOf(err error) *multisafepay.Error {
	if failure, ok := errors.AsType[*multisafepay.Error](err); ok {
		return failure
	}
	return &multisafepay.Error{}
}
