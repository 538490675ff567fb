package bridge

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// Bounds of what is remembered for those who look.
const (
	// maxActivityOrders is of how many orders, and maxActivities of each.
	maxActivityOrders = 6000
	maxActivities     = 40
)

// activity is one thing that this replica did, or met, in the course of a
// payment. It is for looking; nothing is decided by it.
type activity struct {
	kind activityKind
	at   time.Time
	// text says what happened, in words, without anything from outside as it came.
	text string
	// count is how often it happened in a row, the last time at until.
	count int
	until time.Time
	// sequence and took belong to published.
	sequence uint64
	took     time.Duration
}

type activityKind int

const (
	// did: an ordinary step.
	did activityKind = iota
	// met: something that went wrong on the way.
	met
	// tookOver: the session was another replica's before.
	tookOver
	// published: a status was stored.
	published
)

// activities remembers what happened to the orders that this replica follows or
// has followed lately. The orders that it has not heard of for longest are
// forgotten first.
type activities struct {
	mu     sync.Mutex
	orders map[orderKey]*list.Element
	recent *list.List // of *orderActivities, the latest first
}

// orderKey names an order.
type orderKey struct{ terminal, order string }

type orderActivities struct {
	key     orderKey
	entries []activity
}

func newActivities() *activities {
	return &activities{orders: map[orderKey]*list.Element{}, recent: list.New()}
}

// note remembers what happened. What happens again and again is counted.
func (a *activities) note(terminal, order string, e activity) {
	e.at, e.count = time.Now(), 1
	a.mu.Lock()
	defer a.mu.Unlock()
	key := orderKey{terminal, order}
	element := a.orders[key]
	if element == nil {
		element = a.recent.PushFront(&orderActivities{key: key})
		a.orders[key] = element
		if a.recent.Len() > maxActivityOrders {
			oldest := a.recent.Back()
			delete(a.orders, a.recent.Remove(oldest).(*orderActivities).key)
		}
	}
	a.recent.MoveToFront(element)
	of := element.Value.(*orderActivities)
	for i := len(of.entries) - 1; i >= max(0, len(of.entries)-2); i-- { // two things may take turns
		if last := &of.entries[i]; e.kind != published && last.kind == e.kind && last.text == e.text {
			last.count++
			last.until = e.at
			return
		}
	}
	if len(of.entries) == maxActivities {
		of.entries = slices.Delete(of.entries, maxActivities/2, maxActivities/2+1) // the beginning and the end tell most
	}
	of.entries = append(of.entries, e)
}

// of returns what is remembered of an order, by time.
func (a *activities) of(terminal, order string) []activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	element := a.orders[orderKey{terminal, order}]
	if element == nil {
		return nil
	}
	entries := slices.Clone(element.Value.(*orderActivities).entries)
	slices.SortStableFunc(entries, func(a, b activity) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return entries
}

// noteDid and the others remember a step of the session.
func (s *session) noteDid(text string) {
	s.activities.note(s.terminal, s.order, activity{kind: did, text: text})
}

func (s *session) noteMet(text string) {
	s.activities.note(s.terminal, s.order, activity{kind: met, text: text})
}

func (s *session) noteTookOver(text string) {
	s.activities.note(s.terminal, s.order, activity{kind: tookOver, text: text})
}

// notePublished remembers that a status was stored, and how long after its event
// was read; took is 0 for one that no stream brought.
func (s *session) notePublished(sequence uint64, took time.Duration) {
	s.activities.note(s.terminal, s.order, activity{kind: published, sequence: sequence, took: took})
}

// streamEnd says why a connection to an event stream ended, or did not come to be.
func streamEnd(n streamNews) string {
	switch multisafepay.Reason(n.err) {
	case multisafepay.ReasonEnded:
		return "Event stream ended by the provider; connecting again"
	case multisafepay.ReasonIdle:
		return "Event stream fell silent; connecting again"
	case multisafepay.ReasonRefused:
		return "The provider takes the events token no longer; it is asked instead"
	case multisafepay.ReasonHost:
		return "The event stream is at a host that may not be sent the token; the provider is asked instead"
	case multisafepay.ReasonTooLarge:
		return "An event was too large to be read; connecting again"
	case multisafepay.ReasonStatus, multisafepay.ReasonRedirect, multisafepay.ReasonContentType:
		return "The provider answered with no event stream; connecting again"
	}
	return "Event stream broke off; connecting again"
}
