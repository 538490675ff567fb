package follower

import (
	"context"
	"errors"

	"github.com/cenkalti/backoff/v4"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// logLane reads and writes the logs of orders.
type logLane struct {
	OrderLog
	writes writes
}

// store publishes one message until it is stored or refused by the fence. A
// try whose answer was lost is unknown: the next one is refused if it was stored,
// and the log tells.
func (l *logLane) store(ctx context.Context, publish func(context.Context) (uint64, error)) payment.Event {
	attempt := l.writes.begin()
	defer attempt.end()
	var pause *backoff.ExponentialBackOff // most messages are stored at once
	for {
		seq, err := publish(ctx)
		switch {
		case err == nil:
			attempt.answered()
			return payment.Stored{Seq: seq}
		case errors.Is(err, bus.ErrConflict): // JetStream works
			attempt.answered()
			return payment.Refused{}
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, bus.ErrBusy):
			attempt.failed(err)
		}
		if pause == nil {
			pause = retries(retryFirst, retryLast)
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return nil
		}
	}
}

// read reads an order's log until it is there; nil when ctx is over first.
func (l *logLane) read(ctx context.Context, ref Ref) payment.Event {
	pause := retries(retryFirst, retryLast)
	for {
		log, err := l.ReadLog(ctx, ref.Terminal, ref.Order, true)
		if err == nil {
			return payment.LogRead{Log: logOf(log)}
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return nil
		}
	}
}

// unlock takes a session out of the queue until that is confirmed; nil when ctx
// is over first.
func unlock(ctx context.Context, queue Queue, place payment.Place) payment.Event {
	pause := retries(retryFirst, retryLast)
	for {
		err := bus.ErrHandle
		if place.Delivered > 0 {
			err = queue.Ack(ctx, place.Handle)
		}
		if err != nil { // without a delivery, or when its ack is not confirmed
			err = queue.DeleteSession(ctx, place.Seq)
		}
		if err == nil {
			return payment.Unlocked{}
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return nil
		}
	}
}
