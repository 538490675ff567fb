package client

import (
	"crypto/sha256"
)

// ledgerSize bounds how many orders a ledger knows in each of its generations.
const ledgerSize = 20_000

// ledger knows the last sequence that was shown of each order, so that nothing
// is shown twice or backwards. It forgets the orders that were quiet longest.
type ledger struct {
	// fromStart: an order that is not known yet begins with sequence 1.
	fromStart bool
	// young orders were touched since the last turn, old ones before it.
	young, old map[string]uint64
}

// verdict on a sequence number.
type verdict int

const (
	inOrder verdict = iota // to be shown
	repeat                 // shown already
	gap                    // to be shown, but something before it is missing
)

// judge tells what a sequence number of an order is, and the last one before.
// It changes nothing.
func (l *ledger) judge(order string, sequence uint64) (v verdict, last uint64) {
	last, known := l.last(order)
	switch {
	case known && sequence <= last:
		return repeat, last
	case known && sequence > last+1, !known && l.fromStart && sequence > 1:
		return gap, last
	}
	return inOrder, last
}

func (l *ledger) last(order string) (sequence uint64, known bool) {
	if sequence, known = l.young[order]; known {
		return sequence, true
	}
	sequence, known = l.old[order]
	return sequence, known
}

// enter notes that a sequence number of an order was shown.
func (l *ledger) enter(order string, sequence uint64) {
	if len(l.young) >= ledgerSize {
		l.old, l.young = l.young, nil
	}
	if l.young == nil {
		l.young = make(map[string]uint64)
	}
	l.young[order] = sequence
}

// orderKey names an order in the ledger.
func orderKey(terminal, order string) string { return terminal + " " + order }

// contentKey names a message that has no sequence, by what it says.
func contentKey(data []byte) string {
	sum := sha256.Sum256(data)
	return "content " + string(sum[:])
}
