package bridge

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// Cancel puts a cancel to the provider and leaves a note for whoever follows
// the session. An order that is over is left as it is.
func (r *Replica) Cancel(ctx context.Context, request schema.OrderRequest) (*schema.CancelReply, *schema.Error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.RequestTimeout)
	defer cancel()
	reply := func(status string) (*schema.CancelReply, *schema.Error) {
		return &schema.CancelReply{OrderID: request.OrderID, TerminalID: request.TerminalID, Status: shownStatus(status)}, nil
	}
	for {
		order, failure := r.find(ctx, request)
		switch {
		case failure != nil:
			return nil, failure
		case order.final:
			return reply(order.status)
		}
		group, err := r.Groups.Keep(ctx, request.TerminalID, order.record.record.Group)
		switch {
		case err != nil:
			return nil, lookupError(request.TerminalID, err)
		case !order.known:
			return nil, schema.NewError(schema.NotFound, "order %s is not known on terminal %s", request.OrderID, request.TerminalID)
		case order.creating: // it may be at the provider in a moment, or never
			r.waitForTerminal(ctx, request.TerminalID, time.Second)
			if ctx.Err() != nil {
				return nil, schema.NewError(schema.OutcomeUnknown, "order %s is still being created; cancel it again", request.OrderID)
			}
			continue
		}
		status, failure := r.cancelAtProvider(ctx, group.Key, request.OrderID)
		if failure != nil {
			return nil, failure
		}
		r.leaveNote(ctx, request)
		return reply(status)
	}
}

// found is what the bus knows of an order.
type found struct {
	known    bool
	creating bool
	final    bool
	status   string
	last     bus.Status
	record   held
	queued   bus.Session
}

// find looks an order up: its last status, the terminal's record, the queue.
func (r *Replica) find(ctx context.Context, request schema.OrderRequest) (found, *schema.Error) {
	f, err := persist(ctx, r, func(ctx context.Context) (found, error) {
		var f found
		last, err := r.Journal.Last(ctx, request.TerminalID, request.OrderID)
		switch {
		case err == nil:
			f.known, f.last, f.status, f.final = true, last, last.Event.Status, last.Event.Final
		case !errors.Is(err, bus.ErrNotFound):
			return f, err
		}
		there, err := r.readRecord(ctx, request.TerminalID)
		if err != nil {
			return f, err
		}
		if there.record.Order == request.OrderID && there.record.Phase != bus.Refused {
			f.known, f.record = true, there
			f.creating = there.record.Phase == bus.Creating && !f.last.Event.Final && f.last.Seq == 0
		}
		if f.known {
			return f, nil
		}
		queued, _, err := r.Queue.Queued(ctx, request.TerminalID)
		switch {
		case err == nil && queued.Order() == request.OrderID && there.record.Phase != bus.Refused:
			f.known, f.creating, f.queued = true, true, queued
		case err != nil && !errors.Is(err, bus.ErrNotFound):
			return f, err
		}
		return f, nil
	})
	if err != nil {
		r.Log.Warn("An order could not be looked up", zap.Error(err))
		return f, schema.NewError(schema.OutcomeUnknown, "JetStream did not answer in time; send the same request again")
	}
	return f, nil
}

// cancelAtProvider cancels an order and returns the status it has then. When
// the provider refuses, or the answer is lost, the order is asked for: it may be
// over already.
func (r *Replica) cancelAtProvider(ctx context.Context, key redact.Secret, order string) (string, *schema.Error) {
	status, err := r.Provider.Cancel(ctx, key, order)
	if err == nil && status != "" {
		return status, nil
	}
	there, asked := r.Provider.Get(ctx, key, order)
	if asked == nil && (err == nil || schema.IsFinal(there.Status)) {
		return there.Status, nil
	}
	failure, ok := errors.AsType[*multisafepay.Error](err)
	if !ok {
		return "", schema.NewError(schema.OutcomeUnknown, "the provider's answer to the cancel was lost; cancel again")
	}
	r.Log.Warn("The provider did not cancel the order", zap.Error(failure))
	switch failure.Kind {
	case multisafepay.KindRejected, multisafepay.KindNotFound, multisafepay.KindUsed:
		return "", withProvider(schema.NewError(schema.ProviderRejected, "the provider refused to cancel the order"), failure)
	case multisafepay.KindKey:
		return "", withProvider(schema.NewError(schema.ProviderError, "the provider refuses the key of this terminal's group; nothing was cancelled"), failure)
	case multisafepay.KindNonsense:
		return "", withProvider(schema.NewError(schema.ProviderError, "the provider's error makes no sense; nothing was cancelled"), failure)
	case multisafepay.KindUnreachable, multisafepay.KindLimited, multisafepay.KindUnavailable:
		return "", withProvider(schema.NewError(schema.ProviderUnavailable, "the provider cannot be reached or fails; the order is as it was when it was last asked for"), failure)
	}
	return "", withProvider(schema.NewError(schema.OutcomeUnknown, "the provider's answer to the cancel was lost; cancel again"), failure)
}

// leaveNote tells whoever follows the session to ask for the order soon. It is
// a hint: without it the order's stream, or the next reconcile, tells.
func (r *Replica) leaveNote(ctx context.Context, request schema.OrderRequest) {
	for range 3 {
		there, err := r.readRecord(ctx, request.TerminalID)
		if err != nil || there.record.Order != request.OrderID {
			return
		}
		there.record.CancelAskedAt = r.Clock.Now()
		if _, err = r.claimRecord(ctx, request.TerminalID, there); !errors.Is(err, bus.ErrConflict) {
			return
		}
	}
}
