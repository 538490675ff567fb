// Package alarm is timers under a lock.
package alarm

import (
	"sync"
	"time"
)

// Set are timers whose functions run with a lock held, and never after they
// were stopped.
type Set struct {
	mu  *sync.Mutex     // held while a function runs, and by who calls a method
	run *sync.WaitGroup // counts the alarms that are set or at work
	set map[*Alarm]struct{}
}

// Alarm is one timer. The lock of its alarms guards it.
type Alarm struct {
	timer *time.Timer
	off   bool
}

// NewSet returns no timers yet.
func NewSet(mu *sync.Mutex, run *sync.WaitGroup) Set {
	return Set{mu: mu, run: run, set: map[*Alarm]struct{}{}}
}

// After runs f after d. The simulator must not be closed.
func (as *Set) After(d time.Duration, f func()) *Alarm {
	a := &Alarm{}
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

// Stop keeps a from going off; a may be nil.
func (as *Set) Stop(a *Alarm) {
	if a == nil || a.off {
		return
	}
	a.off = true
	delete(as.set, a)
	if a.timer.Stop() {
		as.run.Done()
	}
}

// StopAll keeps every alarm from going off.
func (as *Set) StopAll() {
	for a := range as.set {
		as.Stop(a)
	}
}
