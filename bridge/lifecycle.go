package bridge

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/telemetry"
)

// lifecycle stops the parts of a daemon in the reverse order of their start.
type lifecycle struct {
	log *zap.Logger
	// fail ends the daemon with the error of a part that stopped by itself.
	fail  func(error)
	mu    sync.Mutex
	parts []*part
}

// part is something that runs until it is stopped.
type part struct {
	name string
	stop func()
	once sync.Once
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
	l.add(p)
	return p
}

// onStop adds something that is only stopped.
func (l *lifecycle) onStop(name string, stop func()) {
	p := &part{name: name, done: make(chan struct{})}
	p.stop = func() {
		stop()
		close(p.done)
	}
	l.add(p)
}

func (l *lifecycle) add(p *part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts = append(l.parts, p)
}

// end stops a part and waits for it, at most until ctx is over.
func (p *part) end(ctx context.Context) {
	p.once.Do(p.stop)
	select {
	case <-p.done:
	case <-ctx.Done():
	}
}

// stop stops everything, the last part first.
func (l *lifecycle) stop() {
	l.mu.Lock()
	parts := slices.Clone(l.parts)
	l.mu.Unlock()
	for _, p := range slices.Backward(parts) {
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
