package commands

import "sync"

// limits bound the requests of one command.
type limits struct {
	// total is how many may be at work, each how many of one terminal.
	total, each int

	mu       sync.Mutex
	busy     int
	terminal map[string]int
}

func newLimits(total, each int) *limits {
	return &limits{total: total, each: each, terminal: map[string]int{}}
}

// enter admits a request. It never waits.
func (l *limits) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == l.total {
		return false
	}
	l.busy++
	return true
}

func (l *limits) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
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
