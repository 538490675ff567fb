package follower

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// streamReader keeps one connection to an event stream after the other.
type streamReader struct {
	lane    *providerLane
	session payment.Session
	lastID  string
	// room has a token for every event that is read and not stored yet.
	room chan<- struct{}
	// tell brings an input to the payment.
	tell func(payment.Event)
	// pause paces the connections; opened is when the present one was open.
	pause *backoff.ExponentialBackOff
	// advised is how long the server wants a new connection to wait.
	advised time.Duration
	opened  time.Time
	// refusedSince is when the server began to refuse the token; zero while it takes it.
	refusedSince time.Time
}

// refusalLimit is how long a token that does not say when it expires is tried again
// while the server refuses it.
const refusalLimit = time.Minute

// run connects again and again: at once after a healthy spell, else with growing
// pauses, and within the group's budget.
func (r *streamReader) run(ctx context.Context, sealed []byte) {
	key, err := r.lane.key(ctx, r.session)
	var stream multisafepay.Stream
	if err == nil {
		stream, err = unseal(key, sealedFor(r.session), sealed)
	}
	if err != nil {
		r.tell(payment.StreamEnded{Lost: true, Reason: "the stored address of the event stream cannot be decrypted, so the bridge polls the provider: " + err.Error()})
		return
	}
	budget := r.lane.budgets.of(r.session.Group)
	for {
		if budget.wait(ctx, streams) != nil {
			return
		}
		err := r.connect(ctx, stream, budget)
		if ctx.Err() != nil {
			return
		}
		lost := r.isLost(err, stream.Expires(), time.Now())
		switch {
		case lost: // that is this order's trouble, not the provider's
		case errors.Is(err, multisafepay.ErrStreamTooLarge):
			r.invalid(payment.StreamInvalid{Reason: "an event was too large to be read"})
		case !errors.Is(err, multisafepay.ErrStreamEnded) || r.opened.IsZero() || time.Since(r.opened) < r.lane.rules.BackoffMax:
			budget.failed(streams, failureOf(err).RetryAfter)
		}
		r.tell(payment.StreamEnded{Lost: lost, Reason: "event stream: " + multisafepay.Reason(err)})
		if lost {
			return
		}
		if !sleep(ctx, max(r.pause.NextBackOff(), failureOf(err).RetryAfter, min(r.advised, r.lane.rules.BackoffMax))) {
			return
		}
		r.lane.report.Metrics.StreamReconnected(multisafepay.Reason(err))
	}
}

// isLost reports whether err, which ended a connection, will end every other one too.
// A gateway may refuse a token for a moment that is good.
func (r *streamReader) isLost(err error, expires, now time.Time) bool {
	switch {
	case errors.Is(err, multisafepay.ErrStreamHost), errors.Is(err, multisafepay.ErrStreamToken):
		return true
	case !errors.Is(err, multisafepay.ErrStreamRefused):
		r.refusedSince = time.Time{}
		return false
	case r.refusedSince.IsZero():
		r.refusedSince = now
	}
	if expires.IsZero() {
		expires = r.refusedSince.Add(refusalLimit)
	}
	return now.After(expires)
}

// connect makes one connection and reads it to its end.
func (r *streamReader) connect(ctx context.Context, stream multisafepay.Stream, budget *budget) error {
	r.opened = time.Time{}
	err := r.lane.Follow(ctx, stream, r.lastID, multisafepay.StreamHandler{
		OrderID: r.session.Order(),
		Opened: func() {
			r.opened = time.Now()
			budget.succeeded(streams)
			r.lane.report.Metrics.AddConnectedStreams(1)
			r.tell(payment.StreamOpened{})
		},
		Event:     func(e multisafepay.StreamEvent) { r.event(ctx, e) },
		Unsettled: func() { r.tell(payment.StreamUnsettled{}) },
		Retry:     func(advised time.Duration) { r.advised = advised },
	})
	if !r.opened.IsZero() {
		r.lane.report.Metrics.AddConnectedStreams(-1)
		if time.Since(r.opened) > r.lane.rules.BackoffMax {
			r.pause.Reset()
		}
	}
	return err
}

// event brings one event to the payment. When too many wait for NATS it waits,
// and with it the provider.
func (r *streamReader) event(ctx context.Context, e multisafepay.StreamEvent) {
	if e.ID != "" {
		r.lastID = e.ID
	}
	switch {
	case e.Invalid != nil:
		r.invalid(payment.StreamInvalid{Reason: e.Invalid.Reason, Type: e.Type, Data: e.Invalid.Data})
	case e.Foreign != "":
		r.lane.report.Metrics.EventForeign()
		r.lane.report.failed("Ignored an event of another order", refOf(r.session), nil)
	case e.Other != "":
		r.lane.report.Metrics.EventOther(e.Other)
		if e.Ask {
			r.tell(payment.StreamUnsettled{})
		}
	case e.Order == nil:
	default:
		r.status(ctx, e)
	}
}

func (r *streamReader) invalid(e payment.StreamInvalid) {
	r.lane.report.Metrics.EventInvalid()
	r.tell(e)
}

func (r *streamReader) status(ctx context.Context, e multisafepay.StreamEvent) {
	select {
	case r.room <- struct{}{}:
	case <-ctx.Done():
		return
	}
	r.tell(payment.StreamEvent{Observation: payment.Observation{
		Source: schema.SourceStream, Status: e.Order.Status, Financial: e.Order.FinancialStatus,
		Transaction: e.Order.TransactionID, SessionID: e.Order.SessionID, EventID: e.ID, Charged: e.Order.Amount, At: r.lane.clock.Now(),
	}})
}
