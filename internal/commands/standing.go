package commands

import (
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// standing is what an order's log, and its session in the queue, say to a start
// with the order's id.
type standing int

const (
	// absent: there is no such order.
	absent standing = iota
	// exists: the provider has the order; the payment is open or over.
	exists
	// differs: the order is there, with other content.
	differs
	// pending: its session is there, and it is not known what comes of it.
	pending
	// ended: its session ended without an order, and is about to leave the queue.
	ended
)

// standingOf judges by the log of an order, as the stream's leader has it, and by
// the session of the order that was in the queue before the log was read; its Seq
// is 0 if there was none.
func standingOf(log payment.Log, queued bus.Delivery, hash string) standing {
	claim, last := log.Claim, log.Newest()
	closed := claim == nil || claim.Phase == payment.ClaimClosed
	switch {
	case !closed && claim.Session.Hash != hash, closed && last != nil && last.Hash != hash:
		return differs
	case last != nil, !closed && claim.Phase == payment.ClaimOpen:
		return exists
	case !closed:
		return pending
	case queued.Seq == 0:
		return absent
	case claim != nil && claim.QueueSeq >= queued.Seq:
		return ended
	case queued.Session.Hash != hash:
		return differs
	}
	return pending
}

// holds reports whether a queued session still holds its terminal, by the log of
// its order: otherwise it is about to leave the queue.
func holds(log payment.Log, queued bus.Delivery) bool {
	claim := log.Claim
	return !log.Over() && (claim == nil || claim.Phase != payment.ClaimClosed || claim.QueueSeq < queued.Seq)
}
