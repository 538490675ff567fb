package till

import "github.com/posbridge/bridge/schema"

// Outcome is how a payment ended, as far as it is known.
type Outcome int

// The outcomes.
const (
	// OutcomeUnknown: unresolved, still open, or nobody could tell.
	OutcomeUnknown Outcome = iota
	// OutcomePaid: the customer has paid.
	OutcomePaid
	// OutcomeNotPaid: cancelled, expired, void, not created, or the money went back.
	OutcomeNotPaid
)

// mood of a status: how good the news is.
type mood int

const (
	plain mood = iota
	good
	warning
	bad
)

// meaning is what a status says to the person at the till.
type meaning struct {
	schema.Verdict
	// outcome of a payment whose final event has this status.
	outcome Outcome
	mood    mood
}

// meaningOf explains a status. The provider may know new ones: they are shown
// as they are.
func meaningOf(status string, final bool) meaning {
	v, _ := schema.VerdictOn(status, final)
	m := meaning{Verdict: v}
	switch v.Outcome {
	case schema.Paid:
		m.outcome, m.mood = OutcomePaid, good
	case schema.Unpaid, schema.Returned:
		m.outcome, m.mood = OutcomeNotPaid, bad
	case schema.Unsettled:
		m.mood = warning
	}
	switch status {
	case "declined", "partial_refunded":
		m.mood = warning
	case schema.StatusUnresolved:
		m.mood = bad
	}
	return m
}
