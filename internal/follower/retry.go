package follower

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Pauses between tries on NATS.
const (
	retryFirst = 20 * time.Millisecond
	retryLast  = time.Second
)

// retries paces what is repeated until it succeeds.
func retries(first, last time.Duration) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(last),
		backoff.WithRandomizationFactor(0.3),
		backoff.WithMultiplier(1.7),
		backoff.WithMaxElapsedTime(0),
	)
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
