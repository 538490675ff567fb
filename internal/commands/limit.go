package commands

import (
	"sync"

	"golang.org/x/sync/semaphore"
)

// limits bound the requests of one command.
type limits struct {
	// total is how many may be at work, each how many of one terminal.
	total, each int
	room        *semaphore.Weighted

	mu       sync.Mutex
	terminal map[string]int
}

func newLimits(total, each int) *limits {
	return &limits{total: total, each: each, room: semaphore.NewWeighted(int64(total)), terminal: map[string]int{}}
}

// enterTerminal admits a request of a terminal. It never waits. leave may be
// called more than once.
func (l *limits) enterTerminal(terminal string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal[terminal] == l.each {
		return nil, false
	}
	l.terminal[terminal]++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.terminal[terminal]--; l.terminal[terminal] == 0 {
			delete(l.terminal, terminal)
		}
	}), true
}
