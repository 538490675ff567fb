package follower

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// logLane reads and writes the logs of orders. One goroutine publishes: it may
// wait for the connection, and nothing else waits for it.
type logLane struct {
	OrderLog
	writes writes

	mu    sync.Mutex
	queue []*write
	wake  chan struct{} // has a value when the queue may have something
}

func newLogLane(log OrderLog) *logLane { return &logLane{OrderLog: log, wake: make(chan struct{}, 1)} }

// write is one message for an order's log. It is published until it is stored or
// refused by the fence. A try whose answer was lost is unknown: the next one is
// refused if it was stored, and the log tells.
type write struct {
	ctx     context.Context //nolint:containedctx // ends when the payment is left
	publish func(ctx context.Context, done bus.Published)
	// done gets the outcome; nil if ctx was over first.
	done func(payment.Event)
	// failing is set once a try has failed.
	failing bool
	pause   *backoff.ExponentialBackOff // nil before the first failure: most messages are stored at once
}

// add has a message published.
func (l *logLane) add(w *write) {
	l.mu.Lock()
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run publishes what is there until ctx is over.
func (l *logLane) run(ctx context.Context) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, w := range queue {
			if w.ctx.Err() != nil {
				l.end(w, nil)
				continue
			}
			w.publish(w.ctx, func(seq uint64, err error) { l.published(w, seq, err) })
		}
	}
}

// published takes the outcome of one try.
func (l *logLane) published(w *write, seq uint64, err error) {
	switch {
	case err == nil:
		l.writes.answered()
		l.end(w, payment.Stored{Seq: seq})
		return
	case errors.Is(err, bus.ErrConflict): // JetStream works
		l.writes.answered()
		l.end(w, payment.Refused{})
		return
	case w.ctx.Err() != nil:
		l.end(w, nil)
		return
	case !errors.Is(err, bus.ErrBusy):
		l.writes.failed(!w.failing, err)
		w.failing = true
	}
	if w.pause == nil {
		w.pause = retries(retryFirst, retryLast)
	}
	time.AfterFunc(w.pause.NextBackOff(), func() { l.add(w) })
}

func (l *logLane) end(w *write, event payment.Event) {
	if w.failing {
		l.writes.ended()
	}
	w.done(event)
}

// read reads an order's log until it is there; nil when ctx is over first.
func (l *logLane) read(ctx context.Context, ref Ref) payment.Event {
	log, err := backoff.RetryWithData(func() (payment.Log, error) {
		return l.ReadLog(ctx, ref.Terminal, ref.Order, true)
	}, backoff.WithContext(retries(retryFirst, retryLast), ctx))
	if err != nil {
		return nil
	}
	return payment.LogRead{Log: log}
}

// unlock takes a session out of the queue until that is confirmed; nil when ctx
// is over first.
func unlock(ctx context.Context, queue Queue, place payment.Place) payment.Event {
	err := backoff.Retry(func() error {
		if place.Delivered > 0 && queue.Ack(ctx, place.Handle) == nil {
			return nil
		}
		return queue.DeleteSession(ctx, place.Seq) // without a delivery, or when its ack is not confirmed
	}, backoff.WithContext(retries(retryFirst, retryLast), ctx))
	if err != nil {
		return nil
	}
	return payment.Unlocked{}
}
