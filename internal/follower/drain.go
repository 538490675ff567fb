package follower

import (
	"context"
	"errors"
	"fmt"

	"github.com/posbridge/bridge/internal/payment"
)

// errStopped: the follower has stopped.
var errStopped = errors.New("the replica has stopped")

// Drain hands every payment to the other replicas and waits until that is done
// or ctx is over; then the error says how many are left.
func (f *Follower) Drain(ctx context.Context) error {
	f.post(func() {
		f.draining = true
		for _, a := range f.actors {
			f.step(a, payment.Draining{})
		}
		if len(f.actors) == 0 {
			f.closeDrained()
		}
	})
	select {
	case <-f.drained:
		return nil
	case <-f.work.Done():
		return errStopped
	case <-ctx.Done():
	}
	left, ok := inLoop(context.WithoutCancel(ctx), f, func(answer func(int)) { answer(len(f.actors)) })
	switch {
	case !ok:
		return errStopped
	case left == 0:
		return nil
	}
	return fmt.Errorf("the drain was cut short: %d sessions go on elsewhere once they were silent for BRIDGE_REPLICA_TTL", left)
}

func (f *Follower) closeDrained() {
	select {
	case <-f.drained:
	default:
		close(f.drained)
	}
}
