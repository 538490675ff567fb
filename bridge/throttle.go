package bridge

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/telemetry"
)

// throttleInterval is how often a failure that repeats is written.
const throttleInterval = 30 * time.Second

// throttle writes the first of a row of failures, repeats at most every
// throttleInterval, and the recovery of what was written once.
type throttle struct {
	log *zap.Logger

	mu      sync.Mutex
	since   time.Time
	written time.Time
	told    bool
	repeats int
}

func (t *throttle) failed(msg string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.written) < throttleInterval {
		t.repeats++
		return
	}
	t.log.Warn(msg, zap.Error(err), zap.Int(telemetry.KeyRepeats, t.repeats))
	t.written, t.told, t.repeats = now, true, 0
}

func (t *throttle) recovered(msg string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told {
		t.log.Info(msg, zap.Duration(telemetry.KeyElapsed, time.Since(t.since)))
	}
	t.since, t.told = time.Time{}, false
}
