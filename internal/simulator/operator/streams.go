package operator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/journal"
)

// OpenStreams is the number of event streams that are open now.
func (op *Operator) OpenStreams() int {
	op.s.Lock()
	defer op.s.Unlock()
	return len(op.s.Listeners)
}

// DropStreams cuts the open event streams of an order, or all of them for the
// empty id, and returns how many there were. Clients may connect again at once.
func (op *Operator) DropStreams(orderID string) int {
	op.s.Lock()
	defer op.s.Unlock()
	n := 0
	for l, o := range op.s.Listeners {
		if orderID == "" || o.ID() == orderID {
			l.CutOff()
			n++
		}
	}
	return n
}

// Outage cuts every open event stream and keeps the provider away for d: calls
// and streams are answered with status, or cut for 0. It returns how many streams
// were cut. An outage of no time ends one.
func (op *Operator) Outage(d time.Duration, status int) int {
	dropped := op.DropStreams("")
	op.s.Lock()
	defer op.s.Unlock()
	op.away = outage{until: op.s.Now().Add(d), status: status}
	op.s.Journal.Note(journal.Entry{Kind: journal.KindFault, Text: "the provider is away for " + d.String()})
	return dropped
}

// Away tells whether the provider is away, and how it answers then; 0 cuts the
// connection.
func (op *Operator) Away() (status int, away bool) {
	op.s.Lock()
	defer op.s.Unlock()
	return op.away.status, op.s.Now().Before(op.away.until)
}

// Trapped is how often a client followed the redirect fault to where no client
// should go.
func (op *Operator) Trapped() int {
	op.s.Lock()
	defer op.s.Unlock()
	return op.trapped
}

// Trap writes down who has followed the redirect fault, and with what.
func (op *Operator) Trap(text string) {
	op.s.Lock()
	defer op.s.Unlock()
	op.trapped++
	op.s.Journal.Note(journal.Entry{Kind: journal.KindTrap, Text: text})
}
