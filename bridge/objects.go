package bridge

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
)

// objectsInterval is how often the JetStream objects are looked at: nothing
// tells of one that was deleted.
const objectsInterval = 3 * time.Second

// waitForObjects waits for NATS and for JetStream, and makes what is missing. It
// fails when waiting does not help, and when ctx is over.
func (d *Daemon) waitForObjects(ctx context.Context) error {
	trouble := &throttle{log: d.log}
	for attempt := 1; ; attempt++ {
		var err error
		if d.bus.Connected() {
			_, err = d.bus.Ensure(ctx)
			unfit, ok := errors.AsType[*bus.UnfitError](err)
			switch {
			case err == nil:
				d.ready.set(condObjects, "")
				d.warnOfDifferences(ctx)
				return nil
			case ok:
				return unfit
			}
			d.ready.set(condObjects, err.Error())
			trouble.failed("The JetStream objects are not there yet; trying again", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.reconnected:
		case <-time.After(time.Second):
		}
	}
}

func (d *Daemon) warnOfDifferences(ctx context.Context) {
	warnings, err := d.bus.Warnings(ctx)
	if err != nil {
		d.log.Warn("The JetStream objects could not be compared with the configuration", zap.Error(err))
	}
	for _, w := range warnings {
		d.log.Warn("A JetStream object differs from the configuration: " + w)
	}
}

// writesFail keeps readiness true to what can be written.
func (d *Daemon) writesFail(err error) {
	if err == nil {
		d.ready.set(condWrites, "")
		d.log.Info("JetStream takes writes again")
		return
	}
	const what = "JetStream takes no writes; is its disk full, or its quorum gone?"
	d.ready.set(condWrites, what+" "+err.Error())
	d.log.Error(what, zap.Error(err))
}

// keepObjects looks at the JetStream objects, keeps readiness true to them and
// makes again what was deleted.
func (d *Daemon) keepObjects(ctx context.Context, replica *Replica) {
	tick := time.NewTicker(objectsInterval)
	defer tick.Stop()
	suspect := ""
	unqueued := false // open sessions have no place in a queue that was made anew
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.reconnected:
			if d.connects.Load() > 1 {
				replica.noteReconnect()
				wake(replica.rewatch) // the old watch may have died with its server, unnoticed
			}
		}
		// Seen twice: a process that was paused finds all of them so at first.
		now := replica.stuck()
		stuck := ""
		if suspect != "" {
			stuck = now
		}
		suspect = now
		replica.writes.lapse()
		if d.ready.set(condStuck, stuck) && stuck != "" {
			d.log.Error("A session is stuck; restart this replica: " + stuck)
		}
		if !d.bus.Connected() {
			continue // readiness knows
		}
		made, err := d.bus.Ensure(ctx)
		if made.Statuses {
			d.log.Error("The status stream was lost with everything in it; open sessions go on in a new one")
		}
		if unqueued = unqueued || made.Sessions; unqueued { // before the records, which tell the place in the queue
			failed := replica.requeue(ctx)
			unqueued = failed != nil
			err = errors.Join(err, failed)
		}
		if made.Records {
			d.log.Warn("The bucket of records was lost; it is written anew")
			wake(replica.rewatch)
			replica.rewrite()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if d.ready.set(condObjects, err.Error()) {
				d.log.Error("JetStream cannot be used just now", zap.Error(err))
			}
		case d.ready.set(condObjects, ""):
			d.log.Info("JetStream can be used again")
		}
	}
}
