package bus

import (
	"strconv"
	"sync"
	"time"
)

// callLimit bounds one publish or one request.
const callLimit = 2 * time.Second

// Published is called once with the outcome of a publish, from any goroutine: the
// sequence of the message, or an error of this package. It must return at once.
type Published func(seq uint64, err error)

// publishes are the messages on their way to a stream. All acknowledgements come
// to one subscription, so that a publish costs no goroutine and no subscription.
type publishes struct {
	inbox   string // subject of the acknowledgements, without the last token
	mu      sync.Mutex
	last    uint64
	waiting map[string]*underWay // by the last token
}

// underWay is a message that waits for its acknowledgement.
type underWay struct {
	op, subject string
	expect      uint64
	done        Published
	late        *time.Timer
}

// add notes a message and returns the token of its acknowledgement. late is called
// if nothing takes it within callLimit.
func (p *publishes) add(w *underWay, late func()) (token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	token = strconv.FormatUint(p.last, 36)
	w.late = time.AfterFunc(callLimit, func() {
		if p.take(token) != nil {
			late()
		}
	})
	if p.waiting == nil {
		p.waiting = map[string]*underWay{}
	}
	p.waiting[token] = w
	return token
}

// take returns the message that waits for an acknowledgement, nil if none does.
func (p *publishes) take(token string) *underWay {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waiting[token]
	if w != nil {
		w.late.Stop()
		delete(p.waiting, token)
	}
	return w
}
