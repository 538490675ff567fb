package multisafepay

import (
	"sync"
	"time"
)

// confirmSilence is how long a stream gets at the end of its idle limit to show that
// its bytes came and were only not read yet.
const confirmSilence = 250 * time.Millisecond

// silence calls a function when a read has waited for bytes for the idle limit. A
// process that stood still (SIGSTOP, a machine that was frozen or too busy) finds its
// timer and its bytes at the same moment: then it reads before it judges.
type silence struct {
	idle, confirm time.Duration
	over          func()

	mu    sync.Mutex
	timer *time.Timer
	// began is when the read that waits began, zero while none waits.
	began time.Time
	// asked is when the last part of the limit began, zero before that.
	asked time.Time
}

// newSilence returns a silence that does nothing until a read begins.
func newSilence(idle time.Duration, over func()) *silence {
	s := &silence{idle: idle, confirm: min(confirmSilence, idle/2), over: over}
	s.timer = time.AfterFunc(idle, s.fired)
	s.timer.Stop()
	return s
}

// begin says that a read begins to wait.
func (s *silence) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.asked = time.Now(), time.Time{}
	s.timer.Reset(s.idle - s.confirm)
}

// end says that the read has returned.
func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = time.Time{}
	s.timer.Stop()
}

// fired runs on the timer's goroutine, perhaps for a read that is over.
func (s *silence) fired() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch early := s.idle - s.confirm - now.Sub(s.began); {
	case s.began.IsZero():
	case early > 0:
		s.timer.Reset(early)
	case s.asked.IsZero(), now.Sub(s.asked) > 2*s.confirm: // it may have stood still
		s.asked = now
		s.timer.Reset(s.confirm)
	default:
		s.over()
	}
}
