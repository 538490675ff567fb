package payment

import (
	"cmp"
	"time"

	"github.com/posbridge/bridge/schema"
)

// State is what the last stored status says. The zero State is an order without
// a status.
type State struct {
	Status      string
	Financial   string
	Transaction string
	// SessionID is the provider's, empty while unknown.
	SessionID string
	// Sequence of the last status, 0 when there is none.
	Sequence uint64
	// Final is true from the first final status on.
	Final bool
	// Charged is the amount that differs from the requested one, 0 while none is known.
	Charged int64
	// EndedAt is when the first final status was observed.
	EndedAt time.Time
}

// Observation is one piece of news of an order.
type Observation struct {
	// Source is schema.SourceStream, SourceReconcile or SourceBridge.
	Source      string
	Status      string
	Financial   string
	Transaction string
	// SessionID is empty when the source does not tell it.
	SessionID string
	// EventID is the id of a stream's event, empty when it had none.
	EventID string
	// Charged is the amount that the provider reports; 0 when it reports none.
	Charged int64
	// Reason is in words, for statuses of the bridge's own.
	Reason string
	// At is when it was learnt.
	At time.Time
}

// Fold decides what an observation changes: every rule about repeats, order,
// finality and sequence is here. change is the event to store, nil when the
// observation is no news; next is the state after it. The fields that name the
// order are left to the caller.
func Fold(s State, amount int64, o Observation) (next State, change *schema.StatusEvent) {
	charged := chargedBy(s, amount, o)
	if !isNews(s, o) && (charged == s.Charged || o.Status != s.Status) {
		if o.Status == s.Status { // the newest ids are known all the same
			s.Transaction, s.Financial = cmp.Or(o.Transaction, s.Transaction), cmp.Or(o.Financial, s.Financial)
		}
		s.SessionID = cmp.Or(s.SessionID, o.SessionID)
		return s, nil
	}
	next = State{
		Status:      o.Status,
		Financial:   o.Financial,
		Transaction: cmp.Or(o.Transaction, s.Transaction),
		SessionID:   cmp.Or(o.SessionID, s.SessionID),
		Sequence:    s.Sequence + 1,
		Final:       s.Final || schema.IsFinal(o.Status),
		Charged:     charged,
		EndedAt:     s.EndedAt,
	}
	if o.Source == schema.SourceBridge {
		next.Financial = s.Financial
	}
	if next.Final && !s.Final {
		next.EndedAt = o.At
	}
	return next, &schema.StatusEvent{
		SessionID:       next.SessionID,
		TransactionID:   next.Transaction,
		Status:          next.Status,
		FinancialStatus: next.Financial,
		PreviousStatus:  s.Status,
		Final:           next.Final,
		Sequence:        next.Sequence,
		Source:          o.Source,
		Amount:          amount,
		AmountCharged:   charged,
		Reason:          o.Reason,
		ObservedAt:      o.At.UTC().Round(0),
	}
}

// chargedBy is the amount to report after an observation. Only a payment that
// was made has been charged: an open order repeats the requested amount, and a
// refund may report another one.
func chargedBy(s State, amount int64, o Observation) int64 {
	if o.Status == "completed" && o.Charged != 0 && o.Charged != amount {
		return o.Charged
	}
	return s.Charged
}

// isNews reports whether an observation is a change of the status.
func isNews(s State, o Observation) bool {
	switch {
	case s.Status == schema.StatusUnresolved, s.Status == schema.StatusNotCreated:
		return false // nothing follows
	case o.Status == s.Status:
		// The customer tried again, and was declined again.
		return o.Status == "declined" && o.Transaction != "" && s.Transaction != "" && o.Transaction != s.Transaction
	case !s.Final:
		return true
	case o.Status == "initialized", o.Status == "declined", o.Source == schema.SourceBridge:
		return false // the payment is over
	}
	return !EndsUnpaid(s.Status) || !EndsUnpaid(o.Status)
}

// EndsUnpaid tells the statuses that count as one end: the order was not paid, which the
// provider may still take back.
func EndsUnpaid(status string) bool {
	return status == "cancelled" || status == "void" || status == "expired"
}

// after is the state that a stored status leaves.
func (e Status) after(before State) State {
	s := State{
		Status:      e.Event.Status,
		Financial:   e.Event.FinancialStatus,
		Transaction: e.Event.TransactionID,
		SessionID:   cmp.Or(e.Event.SessionID, before.SessionID),
		Sequence:    e.Event.Sequence,
		Final:       e.Event.Final,
		Charged:     e.Event.AmountCharged,
		EndedAt:     before.EndedAt,
	}
	if s.Final && !before.Final {
		s.EndedAt = e.Event.ObservedAt
	}
	return s
}

// stateOf is the state after all entries of a log.
func stateOf(log Log) State {
	var s State
	for _, e := range log.Statuses {
		s = e.after(s)
	}
	if log.Claim != nil {
		s.SessionID = cmp.Or(s.SessionID, log.Claim.SessionID)
	}
	return s
}
