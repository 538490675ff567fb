package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// Times of asking the provider for a group's terminals.
const (
	// askPause is how long after an answer, good or bad, the same group is not asked again.
	askPause = 5 * time.Second
	// askTimeout bounds one listing, all its pages included.
	askTimeout = 15 * time.Second
	// maxListAge is how old a list gets before its use asks for a new one in
	// the background: a terminal may have moved to another group.
	maxListAge = 10 * time.Minute
)

// listFunc asks the provider; (*multisafepay.Client).Terminals is one.
type listFunc = func(ctx context.Context, key multisafepay.Secret) ([]multisafepay.Terminal, error)

// listing is what the provider says of one group's terminals.
type listing struct {
	group Group
	list  listFunc

	mu sync.Mutex
	// terminals of the last good answer; nil before the first.
	terminals map[string]struct{}
	// answered is when the last answer came, good or bad; err is nil for a good one.
	answered time.Time
	err      error
	// fresh is when the last good answer came.
	fresh time.Time
	// asking is true while an answer is being waited for.
	asking bool
}

// view is what a listing knows of one terminal.
type view struct {
	// found: the last good answer holds the terminal.
	found bool
	// old: that answer should be renewed.
	old bool
	// asking: another answer is on its way.
	asking bool
	// err is what was wrong with the last answer, nil if nothing.
	err error
}

// look tells what is known of a terminal.
func (l *listing) look(terminal string) view {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.terminals[terminal]
	return view{found: found, old: time.Since(l.fresh) > maxListAge, asking: l.asking, err: l.err}
}

// ask starts a listing unless one is on its way or the last answer is younger
// than askPause. The listing goes on when the caller leaves: others wait for it
// too. It ends by askTimeout or with the directory, and tells news.
func (l *listing) ask(d *Directory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking || !l.answered.IsZero() && time.Since(l.answered) < askPause {
		return
	}
	l.asking = true
	started := d.spawn(func() {
		ctx, cancel := context.WithTimeout(d.life, askTimeout)
		defer cancel()
		terminals, err := l.list(ctx, l.group.Key)
		l.take(terminals, err)
		d.news.tell()
	})
	if !started {
		l.asking, l.err = false, errClosed
	}
}

// errClosed is the answer after Close.
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
	l.terminals = make(map[string]struct{}, len(terminals))
	for _, t := range terminals {
		l.terminals[t.ID] = struct{}{}
	}
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
