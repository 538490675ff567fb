package follower

import (
	"context"
	"errors"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// routePause is the time between two looks for the owner of a payment, while it
// moves from one replica to another.
const routePause = 100 * time.Millisecond

// ErrNotKnown says that nobody follows the order and that nothing of it is stored.
var ErrNotKnown = errors.New("the order is not known")

// Cancel has the owner of a payment, wherever it is, cancel the order. The
// status is the one that the payment has then, or that is published for it.
func (f *Follower) Cancel(ctx context.Context, terminal, order string) (status string, failure *schema.Error) {
	answer, err := f.route(ctx, Ref{Terminal: terminal, Order: order}, opCancel)
	switch {
	case errors.Is(err, ErrNotKnown):
		return "", schema.NewError(schema.NotFound, "order %s is not known on terminal %s", order, terminal)
	case err != nil:
		return "", schema.NewError(schema.OutcomeUnknown, "it is not known in time whether the order was cancelled; cancel it again")
	}
	return answer.Status, answer.Failure
}

// Look has the provider asked for the order, and returns when what it answered
// is stored. ErrNotKnown: there is no such order.
func (f *Follower) Look(ctx context.Context, terminal, order string) error {
	_, err := f.route(ctx, Ref{Terminal: terminal, Order: order}, opLook)
	return err
}

// News is the newest transaction and financial status of a payment that some
// replica follows. ok is false when the owner does not answer in time.
func (f *Follower) News(ctx context.Context, ref Ref, owner string) (transaction, financial string, ok bool) {
	if owner == f.opts.Rules.Self {
		a, ok := inLoop(ctx, f, func(answer func(replicaAnswer)) { f.answerIn(replicaQuestion{Op: opNews, Ref: ref}, answer) })
		return a.Transaction, a.Financial, ok && !a.Elsewhere
	}
	a, err := f.asker.ask(ctx, owner, replicaQuestion{Op: opNews, Ref: ref})
	return a.Transaction, a.Financial, err == nil && !a.Elsewhere
}

// route brings a wish to whoever follows the payment, until somebody has
// answered. An order that is over and that nobody follows is taken up here.
func (f *Follower) route(ctx context.Context, ref Ref, op string) (replicaAnswer, error) {
	for {
		answer, err := f.here(ctx, ref, op, false)
		if err != nil || !answer.Elsewhere {
			return answer, err
		}
		log, err := f.opts.Bus.ReadLog(ctx, ref.Terminal, ref.Order, false)
		if err == nil {
			answer, err = f.there(ctx, ref, op, log)
		}
		if errors.Is(err, ErrNotKnown) || err == nil && !answer.Elsewhere {
			return answer, err
		}
		if !sleep(ctx, routePause) {
			return replicaAnswer{}, ctx.Err()
		}
	}
}

// here asks this replica. With find it takes the order up if nobody does.
func (f *Follower) here(ctx context.Context, ref Ref, op string, find bool) (replicaAnswer, error) {
	a, ok := inLoop(ctx, f, func(answer func(replicaAnswer)) {
		if find {
			f.find(ref)
		}
		f.answerIn(replicaQuestion{Op: op, Ref: ref}, answer)
	})
	switch {
	case ok:
		return a, nil
	case ctx.Err() != nil:
		return replicaAnswer{}, ctx.Err()
	}
	return replicaAnswer{}, errStopped
}

// there asks the owner that the log names.
func (f *Follower) there(ctx context.Context, ref Ref, op string, log payment.Log) (replicaAnswer, error) {
	newest := log.Newest()
	switch {
	case log.Over() && op == opCancel:
		return replicaAnswer{Status: newest.Event.Status}, nil
	case log.Claim == nil && newest == nil || log.Claim != nil && log.Claim.Phase == payment.ClaimClosed:
		if _, err := f.opts.Bus.Queued(ctx, ref.Terminal); errors.Is(err, bus.ErrNotFound) {
			return replicaAnswer{}, ErrNotKnown
		}
		return replicaAnswer{Elsewhere: true}, nil // not claimed yet
	case log.Claim != nil && log.Claim.Owner != f.opts.Rules.Self:
		answer, err := f.asker.ask(ctx, log.Claim.Owner, replicaQuestion{Op: op, Ref: ref})
		if err == nil && !answer.Elsewhere || err != nil && !errors.Is(err, bus.ErrNoResponders) {
			return answer, err
		}
	}
	if mine := log.Claim != nil && log.Claim.Owner == f.opts.Rules.Self; !mine && !log.Over() {
		return replicaAnswer{Elsewhere: true}, nil // another replica takes it over in a moment
	}
	return f.here(ctx, ref, op, true)
}
