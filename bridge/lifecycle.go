package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/telemetry"
)

// lifecycle stops the parts of a daemon in the reverse order of their start. It belongs
// to the goroutine of Daemon.Run.
type lifecycle struct {
	log *zap.Logger
	// fail ends the daemon with the error of a part that stopped by itself.
	fail  func(error)
	parts []*part
}

// part is something that runs until it is stopped.
type part struct {
	name string
	stop func()
	// done is closed when it has stopped.
	done chan struct{}
}

// run starts a part that runs until its context ends. An error before that ends
// the daemon.
func (l *lifecycle) run(name string, run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			l.fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
	l.parts = append(l.parts, p)
	return p
}

// onStop adds something that is only stopped.
func (l *lifecycle) onStop(name string, stop func()) {
	done := make(chan struct{})
	l.parts = append(l.parts, &part{name: name, done: done, stop: func() {
		stop()
		close(done)
	}})
}

// end stops a part and waits for it, at most until ctx is over. A part that runs may
// be ended more than once.
func (p *part) end(ctx context.Context) {
	p.stop()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
}

// stop stops everything, the last part first.
func (l *lifecycle) stop() {
	for _, p := range slices.Backward(l.parts) {
		began := time.Now()
		p.end(context.Background())
		l.log.Debug("Stopped "+p.name, zap.Duration(telemetry.KeyElapsed, time.Since(began)))
	}
}

// wake leaves a note on a channel unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
