package board

import (
	"time"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// Ref names one order.
type Ref struct {
	Terminal string `json:"terminal"`
	Order    string `json:"order"`
}

// Entry is what the board knows of one order.
type Entry struct {
	Ref
	// Claim is the last one, without what only its owner needs; Epoch is 0 if none
	// was seen.
	Claim Claim
	// Last is the last status event; Sequence is 0 if none was seen.
	Last schema.StatusEvent
	// Replica published Last, for the order that was accepted at StartedAt.
	Replica   string
	StartedAt time.Time
	// Seq is the sequence of the last message that was seen, StatusSeq that of Last.
	Seq, StatusSeq uint64
}

// Claim is the part of a claim that the board keeps.
type Claim struct {
	// Owner is the owner's process, Replica its name for people.
	Owner, Replica string
	Epoch          uint64
	Phase          payment.ClaimPhase
	// QueueSeq is the session's sequence in the queue.
	QueueSeq             uint64
	SessionID, Group     string
	Amount               int64
	Currency             string
	StartedAt, UpdatedAt time.Time
}

// EntryOf is what a log says of an order.
func EntryOf(ref Ref, log payment.Log) Entry {
	e := Entry{Ref: ref}
	e.know(log.Claim, log.Newest())
	return e
}

// know takes over what a claim and a status say; either may be nil.
func (e *Entry) know(c *payment.Claim, s *payment.Status) {
	if c != nil {
		e.Claim = Claim{
			Owner: c.Owner, Replica: c.Replica, Epoch: c.Epoch, Phase: c.Phase, QueueSeq: c.QueueSeq,
			SessionID: c.SessionID, Group: c.Session.Group, Amount: c.Session.Request.Amount, Currency: c.Session.Request.Currency, StartedAt: c.Session.StartedAt, UpdatedAt: c.UpdatedAt,
		}
	}
	if s != nil {
		e.Last, e.Replica, e.StartedAt, e.StatusSeq = s.Event, s.Replica, s.StartedAt, s.Seq
	}
}

// Open reports whether the payment holds its terminal.
func (e Entry) Open() bool {
	return !e.Last.Final && e.Claim.Phase != payment.ClaimClosed && (e.Claim.Epoch > 0 || e.Last.Sequence > 0)
}

// Started is when the start request was accepted.
func (e Entry) Started() time.Time {
	if e.StartedAt.IsZero() {
		return e.Claim.StartedAt
	}
	return e.StartedAt
}

// Changed is when the last thing that the board knows of the order happened.
func (e Entry) Changed() time.Time {
	if e.Claim.UpdatedAt.After(e.Last.ObservedAt) {
		return e.Claim.UpdatedAt
	}
	return e.Last.ObservedAt
}

// Session is the entry as get and list show it: what the claim says, and what the
// last status says, which wins. Both may be missing.
func (e Entry) Session() schema.Session {
	c, last := e.Claim, e.Last
	s := schema.Session{
		OrderID: e.Order, TerminalID: e.Terminal, SessionID: c.SessionID, Status: schema.StatusCreated, Active: !last.Final,
		Amount: c.Amount, Currency: c.Currency, Replica: c.Replica, StartedAt: c.StartedAt, UpdatedAt: c.UpdatedAt,
	}
	if last.Sequence == 0 {
		return s
	}
	if last.SessionID != "" {
		s.SessionID = last.SessionID
	}
	if s.Replica == "" {
		s.Replica = e.Replica
	}
	s.Status, s.FinancialStatus, s.TransactionID = last.Status, last.FinancialStatus, last.TransactionID
	s.Final, s.Sequence, s.Amount, s.AmountCharged, s.Currency = last.Final, last.Sequence, last.Amount, last.AmountCharged, last.Currency
	s.StartedAt, s.UpdatedAt = e.StartedAt, last.ObservedAt
	return s
}
