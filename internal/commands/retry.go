package commands

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Pauses between two tries.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

func newPause() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstPause), backoff.WithMaxInterval(lastPause), backoff.WithMaxElapsedTime(0))
}

// retry repeats what failed until it succeeds or ctx is over.
func retry[T any](ctx context.Context, do func() (T, error)) (T, error) {
	return backoff.RetryWithData(do, backoff.WithContext(newPause(), ctx))
}

// sleep waits, at most until ctx is over.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
