package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// listFunc asks the provider; (*multisafepay.Client).Terminals is one.
type listFunc = func(ctx context.Context, key redact.Secret) ([]multisafepay.Terminal, error)

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
	// asking is true while an answer is being waited for, since began.
	asking bool
	began  time.Time
}

// standing is what all listings together know of one terminal.
type standing struct {
	// holders are the groups whose last good answer holds it, one of each key: with
	// the same key it does not matter which.
	holders []Group
	// old are the listings whose last good answer should be renewed.
	old []*listing
	// asking: an answer of some group is on its way.
	asking bool
	// unheard is how much longer to wait for the first answer of a group, and
	// renewing for the next one of a holder; 0 and less is not at all.
	unheard, renewing time.Duration
	// failure is what was wrong with the last answer of the first group that could
	// not be asked, nil if none.
	failure error
}

// look gathers what is known of a terminal.
func (t *table) look(terminal string) standing {
	var s standing
	for _, l := range t.asked {
		l.mu.Lock()
		_, holds := l.terminals[terminal]
		left := patience
		if l.asking {
			s.asking = true
			left -= time.Since(l.began)
		}
		switch {
		case holds:
			if !slices.ContainsFunc(s.holders, func(g Group) bool { return g.Key.Equal(l.group.Key) }) {
				s.holders = append(s.holders, l.group)
			}
			if l.asking {
				s.renewing = max(s.renewing, left)
			}
		case l.answered.IsZero() && l.err == nil:
			s.unheard = max(s.unheard, left)
		case s.failure == nil:
			s.failure = l.err
		}
		if time.Since(l.fresh) > maxListAge {
			s.old = append(s.old, l)
		}
		l.mu.Unlock()
	}
	return s
}

// ask starts a listing unless one is on its way or the last answer is younger
// than pause. The listing goes on when the caller leaves: others wait for it
// too. It ends by askTimeout or with the directory, and tells news.
func (l *listing) ask(d *Directory, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking || !l.answered.IsZero() && time.Since(l.answered) < pause {
		return
	}
	l.asking, l.began = true, time.Now()
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
