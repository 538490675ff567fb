package simulator

import (
	"sync"
	"time"
)

// alarms are timers whose functions run with a lock held, and never after they
// were stopped.
type alarms struct {
	mu  *sync.Mutex     // held while a function runs, and by who calls a method
	run *sync.WaitGroup // counts the alarms that are set or at work
	set map[*alarm]struct{}
}

// alarm is one timer. The lock of its alarms guards it.
type alarm struct {
	timer *time.Timer
	off   bool
}

func newAlarms(mu *sync.Mutex, run *sync.WaitGroup) alarms {
	return alarms{mu: mu, run: run, set: map[*alarm]struct{}{}}
}

// after runs f after d. The simulator must not be closed.
func (as *alarms) after(d time.Duration, f func()) *alarm {
	a := &alarm{}
	as.set[a] = struct{}{}
	as.run.Add(1)
	a.timer = time.AfterFunc(d, func() {
		defer as.run.Done()
		as.mu.Lock()
		defer as.mu.Unlock()
		if a.off {
			return
		}
		a.off = true
		delete(as.set, a)
		f()
	})
	return a
}

// stop keeps a from going off; a may be nil.
func (as *alarms) stop(a *alarm) {
	if a == nil || a.off {
		return
	}
	a.off = true
	delete(as.set, a)
	if a.timer.Stop() {
		as.run.Done()
	}
}

// stopAll keeps every alarm from going off.
func (as *alarms) stopAll() {
	for a := range as.set {
		as.stop(a)
	}
}
