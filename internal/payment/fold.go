package payment

import (
	"cmp"
	"time"

	"github.com/posbridge/bridge/schema"
)

// State is what the last stored status says, with the newest ids. The zero State is an
// order without a status: its Sequence is 0.
type State struct {
	schema.StatusEvent
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
// finality and sequence is here. next is the state after it. news is true if that is an
// event to store; the fields that name the order are left to the caller.
func Fold(s State, amount int64, o Observation) (next State, news bool) {
	charged := chargedBy(s, amount, o)
	if !isNews(s, o) && (charged == s.AmountCharged || o.Status != s.Status) {
		if o.Status == s.Status { // the newest ids are known all the same
			s.TransactionID, s.FinancialStatus = cmp.Or(o.Transaction, s.TransactionID), cmp.Or(o.Financial, s.FinancialStatus)
		}
		s.SessionID = cmp.Or(s.SessionID, o.SessionID)
		return s, false
	}
	next = State{EndedAt: s.EndedAt, StatusEvent: schema.StatusEvent{
		SessionID:       cmp.Or(o.SessionID, s.SessionID),
		TransactionID:   cmp.Or(o.Transaction, s.TransactionID),
		Status:          o.Status,
		FinancialStatus: o.Financial,
		PreviousStatus:  s.Status,
		Final:           s.Final || schema.IsFinal(o.Status),
		Sequence:        s.Sequence + 1,
		Source:          o.Source,
		Amount:          amount,
		AmountCharged:   charged,
		Reason:          o.Reason,
		ObservedAt:      o.At.UTC().Round(0),
	}}
	if o.Source == schema.SourceBridge {
		next.FinancialStatus = s.FinancialStatus
	}
	if next.Final && !s.Final {
		next.EndedAt = next.ObservedAt
	}
	return next, true
}

// chargedBy is the amount to report after an observation. Only a payment that
// was made has been charged: an open order repeats the requested amount, and a
// refund may report another one.
func chargedBy(s State, amount int64, o Observation) int64 {
	if o.Status == "completed" && o.Charged != 0 && o.Charged != amount {
		return o.Charged
	}
	return s.AmountCharged
}

// isNews reports whether an observation is a change of the status.
func isNews(s State, o Observation) bool {
	switch {
	case s.Status == schema.StatusUnresolved, s.Status == schema.StatusNotCreated:
		return false // nothing follows
	case o.Status == s.Status:
		// The customer tried again, and was declined again.
		return o.Status == "declined" && o.Transaction != "" && s.TransactionID != "" && o.Transaction != s.TransactionID
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
	s := State{StatusEvent: e.Event, EndedAt: before.EndedAt}
	s.SessionID = cmp.Or(s.SessionID, before.SessionID)
	if s.Final && !before.Final {
		s.EndedAt = s.ObservedAt
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
