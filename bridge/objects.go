package bridge

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
)

// objectsInterval is how often the JetStream objects are looked at: nothing
// reports that one was deleted.
const objectsInterval = 3 * time.Second

// maxSkew is how far the clocks of this machine and of the NATS server may
// differ without a warning.
const maxSkew = time.Second

// waitForObjects waits for NATS and for JetStream, and makes what is missing. It
// fails when waiting does not help, and when ctx is over.
func (l *link) waitForObjects(ctx context.Context) error {
	trouble := &throttle{log: l.log}
	for {
		if l.bus.Connected() {
			_, err := l.bus.Ensure(ctx)
			unfit, ok := errors.AsType[*bus.UnfitError](err)
			switch {
			case err == nil:
				l.ready.set(condObjects, "")
				l.warnOfDifferences(ctx)
				return nil
			case ok:
				return unfit
			}
			l.ready.set(condObjects, err.Error())
			trouble.failed("The JetStream objects are not ready yet; trying again", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.reconnected:
		case <-time.After(time.Second):
		}
	}
}

func (l *link) warnOfDifferences(ctx context.Context) {
	warnings, err := l.bus.Warnings(ctx)
	if err != nil {
		l.log.Warn("Could not compare the JetStream objects with the configuration", zap.Error(err))
	}
	for _, w := range warnings {
		l.log.Warn("A JetStream object differs from the configuration: " + w)
	}
	if skew := l.bus.Skew(); skew.Abs() > maxSkew {
		l.log.Warn("The clocks of this machine and of the NATS server differ; the bridge uses the server's", zap.Duration("skew", skew))
	}
}

// keepObjects looks at the JetStream objects, keeps readiness true to them and
// to what can be stored, and makes again what was deleted: then a sweep is due.
func (l *link) keepObjects(ctx context.Context, unstored func() error, sweep func()) {
	tick := time.NewTicker(objectsInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.reconnected:
		}
		l.noteWrites(unstored())
		if !l.bus.Connected() {
			continue // readiness knows
		}
		made, err := l.bus.Ensure(ctx)
		if made.Statuses {
			l.log.Error("The status stream and its messages were lost; open payments continue in a new stream")
		}
		if made.Sessions {
			l.log.Error("The session queue was lost; open payments are being queued again")
		}
		if made.Reset {
			l.metrics.SweepRepaired("consumer_ahead")
			l.log.Error("The consumer of the session queue was ahead of its stream and did not deliver new sessions; it was reset to the first session")
		}
		if made.Statuses || made.Sessions || made.Reset {
			sweep()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if l.ready.set(condObjects, err.Error()) {
				l.log.Error("JetStream cannot be used", zap.Error(err))
			}
		case l.ready.set(condObjects, ""):
			l.log.Info("JetStream can be used again")
		}
	}
}

// noteWrites keeps readiness true to what can be stored.
func (l *link) noteWrites(err error) {
	const what = "JetStream stores no messages; check its disk and its quorum"
	switch {
	case err == nil:
		if l.ready.set(condWrites, "") {
			l.log.Info("JetStream stores messages again")
		}
	case l.ready.set(condWrites, what+": "+err.Error()):
		l.log.Error(what, zap.Error(err))
	}
}
