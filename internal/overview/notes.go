package overview

import (
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/payment"
)

// Bounds of what is remembered: of how many orders, and how much of each.
const (
	maxNotedOrders = 6000
	maxNotes       = 40
)

// Noted is something that this replica did, or met, in the course of a payment.
type Noted struct {
	payment.Note
	At time.Time
	// Count is how often it happened in a row, the last time at Until.
	Count int
	Until time.Time
}

// Notes remembers what happened to the orders that this replica follows or has
// followed lately. It forgets the orders that it has not heard of for longest.
type Notes struct {
	mu     sync.Mutex
	orders *lru.Cache[board.Ref, []Noted]
}

// NewNotes returns an empty Notes.
func NewNotes() *Notes {
	orders, _ := lru.New[board.Ref, []Noted](maxNotedOrders) // fails only for a size that is not positive
	return &Notes{orders: orders}
}

// Noted remembers a note. What happens again and again is counted.
func (n *Notes) Noted(terminal, order string, note payment.Note, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ref := board.Ref{Terminal: terminal, Order: order}
	notes, _ := n.orders.Get(ref)
	for i := len(notes) - 1; i >= max(0, len(notes)-2); i-- { // two things may take turns
		if last := &notes[i]; note.Kind != payment.NoteStatus && last.Kind == note.Kind && last.Text == note.Text {
			last.Count++
			last.Until = at
			return
		}
	}
	if len(notes) == maxNotes {
		notes = slices.Delete(notes, maxNotes/2, maxNotes/2+1) // the beginning and the end tell most
	}
	n.orders.Add(ref, append(notes, Noted{Note: note, At: at, Count: 1}))
}

// Of returns what is remembered of an order, by time.
func (n *Notes) Of(ref board.Ref) []Noted {
	n.mu.Lock()
	defer n.mu.Unlock()
	notes, _ := n.orders.Peek(ref)
	return slices.Clone(notes)
}

// streamEnd begins the text of a note about a connection that has ended; the
// reason of the provider package follows.
const streamEnd = "event stream: "

// stream says how the event stream of an order is, as far as this replica knows:
// connected, reconnecting, polling, or empty.
func stream(notes []Noted) string {
	for _, n := range slices.Backward(notes) {
		switch {
		case n.Kind == payment.NoteStream && strings.HasSuffix(n.Text, "connected"):
			return "connected"
		case n.Kind == payment.NoteStream:
			return "polling"
		case n.Kind == payment.NoteTrouble && strings.HasPrefix(n.Text, streamEnd):
			return "reconnecting"
		}
	}
	return ""
}
