package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
)

// Times of asking the provider for a group's terminals.
const (
	// askPause is how long after an answer, good or bad, the same group is not asked
	// again, however many terminals are asked for that nobody knows. For so long a
	// terminal that was added just now stays unknown.
	askPause = time.Second
	// askTimeout bounds one listing, all its pages included.
	askTimeout = 15 * time.Second
	// maxListAge is how old a list gets before its use asks for a new one in
	// the background: a terminal may have moved to another group.
	maxListAge = 10 * time.Minute
	// renewPause is how long after an answer a group is not asked again in the
	// background: the provider may refuse its key for days.
	renewPause = 30 * time.Second
	// patience is how long a terminal that one group holds waits for what another
	// group says to its being asked for the first time, and a terminal that
	// several hold for what they say now.
	patience = 3 * time.Second
)

// listFunc asks the provider for the terminals that a key sees; group is the id
// of the key's group. (*multisafepay.Client).Terminals is one.
type listFunc = func(ctx context.Context, key redact.Secret, group string) ([]multisafepay.Terminal, error)

// asker runs listings. It owns their goroutines, and tells news of each answer.
type asker struct {
	list listFunc
	news news

	// life ends the listings at work when the asker is closed; work waits for
	// them. mu keeps a listing from starting while work is waited for.
	life   context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

func newAsker(list listFunc) *asker {
	a := &asker{list: list}
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

// close ends the listings at work and waits for them.
func (a *asker) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.end()
	a.work.Wait()
}

// spawn runs f on a goroutine that close waits for; false after close.
func (a *asker) spawn(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.work.Go(f)
	return true
}

// listing is what the provider says of one group's terminals.
type listing struct {
	group Group

	mu sync.Mutex
	// roll is the last good answer; without rows before the first.
	roll roll
	// answered is when the last answer came, good or bad; err is nil for a good one.
	answered time.Time
	err      error
	// fresh is when the last good answer came.
	fresh time.Time
	// asking is true while an answer is being waited for, since began.
	asking bool
	began  time.Time
}

// ask starts a listing unless one is on its way or the last answer is younger
// than pause. The listing goes on when the caller leaves: others wait for it
// too. It ends by askTimeout or with the asker.
func (l *listing) ask(a *asker, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking || !l.answered.IsZero() && time.Since(l.answered) < pause {
		return
	}
	l.asking, l.began = true, time.Now()
	started := a.spawn(func() {
		ctx, cancel := context.WithTimeout(a.life, askTimeout)
		defer cancel()
		terminals, err := a.list(ctx, l.group.Key, l.group.ID)
		l.take(terminals, err)
		a.news.tell()
	})
	if !started {
		l.asking, l.err = false, errClosed
	}
}

// errClosed is the answer after close.
var errClosed = errors.New("terminal directory is closed")

// take keeps an answer. A bad one leaves the last good list in force.
func (l *listing) take(terminals []multisafepay.Terminal, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking = false
	l.answered = time.Now()
	l.err = nil
	if err != nil {
		l.err = fmt.Errorf("list terminals of group %s: %w", l.group.ID, err)
		return
	}
	l.fresh = l.answered
	l.roll = newRoll(terminals)
}

// news wakes everybody who waits for an answer of any group. The zero value is
// ready for use.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed by the next tell.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
