package console

import (
	"net"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

const (
	// tryRate and tryBurst bound how fast one sender can try tokens.
	tryRate  = 1
	tryBurst = 10
	// proxyShare is how many senders' tries one address may make in total. Behind a
	// proxy many senders have one address, and the header that tells them apart can
	// be made up.
	proxyShare = 20
	// maxSenders bounds how many senders are remembered.
	maxSenders = 4096
)

// tries counts wrong tokens by sender, so that nobody is slowed down by another
// one's guesses.
type tries struct {
	mu      sync.Mutex
	senders map[string]*rate.Limiter
	// rest is for senders that there is no room to remember.
	rest *rate.Limiter
}

func newTries() *tries {
	return &tries{senders: map[string]*rate.Limiter{}, rest: rate.NewLimiter(tryRate, tryBurst)}
}

// exhausted reports whether the sender of a request has tried too many wrong
// tokens and must wait for about a second.
func (t *tries) exhausted(r *http.Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	sender, address := t.of(r)
	return sender.Tokens() < 1 || address.Tokens() < 1
}

// wrong counts a wrong token against the sender of a request.
func (t *tries) wrong(r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sender, address := t.of(r)
	sender.Allow()
	address.Allow()
}

// of returns the limits of a sender and of the address that it has. The caller
// holds mu.
func (t *tries) of(r *http.Request) (sender, address *rate.Limiter) {
	from := network(hostOf(r.RemoteAddr))
	forwarded := r.Header.Get("X-Forwarded-For")
	client := forwarded[strings.LastIndexByte(forwarded, ',')+1:] // what the nearest proxy saw
	return t.limit(from+" for "+network(strings.TrimSpace(client)), 1), t.limit(from, proxyShare)
}

// network is what one person's addresses have in common: all of an IPv4 address,
// and the first 64 bits of an IPv6 address.
func network(address string) string {
	ip := net.ParseIP(address)
	if ip == nil {
		return ""
	}
	if ip.To4() == nil {
		ip = ip.Mask(net.CIDRMask(64, 128))
	}
	return ip.String()
}

func (t *tries) limit(key string, share int) *rate.Limiter {
	if l, ok := t.senders[key]; ok {
		return l
	}
	if len(t.senders) >= maxSenders {
		for k, l := range t.senders {
			if l.Tokens() >= float64(l.Burst()) {
				delete(t.senders, k) // rested: the same as a new one
			}
		}
	}
	if len(t.senders) >= maxSenders {
		return t.rest
	}
	l := rate.NewLimiter(tryRate*rate.Limit(share), tryBurst*share)
	t.senders[key] = l
	return l
}
