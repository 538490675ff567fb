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
	// OutcomeNotPaid: cancelled, expired, void, or the money went back.
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
	text string
	// outcome of a payment whose final event has this status.
	outcome Outcome
	mood    mood
}

var meanings = map[string]meaning{
	schema.StatusCreated:    {"the order is being made, or the terminal asks for the card", OutcomeUnknown, plain},
	"initialized":           {"under way: the card is asked for, or being processed", OutcomeUnknown, plain},
	"declined":              {"declined; the customer may try again on the terminal", OutcomeUnknown, warning},
	"completed":             {"paid", OutcomePaid, good},
	"cancelled":             {"cancelled, nothing was charged", OutcomeNotPaid, bad},
	"expired":               {"expired, nothing was charged", OutcomeNotPaid, bad},
	"void":                  {"void, nothing was charged", OutcomeNotPaid, bad},
	"reversed":              {"reversed, the money goes back to the customer", OutcomeNotPaid, bad},
	"refunded":              {"refunded, the money goes back to the customer", OutcomeNotPaid, bad},
	"partial_refunded":      {"paid, and refunded in part", OutcomePaid, warning},
	"chargeback":            {"charged back, the customer's bank took the money back", OutcomeNotPaid, bad},
	"chargedback":           {"charged back, the customer's bank took the money back", OutcomeNotPaid, bad},
	"shipped":               {"paid and shipped", OutcomePaid, good},
	"reserved":              {"reserved, not captured yet", OutcomeUnknown, warning},
	"uncleared":             {"not cleared yet, MultiSafepay is looking at it", OutcomeUnknown, warning},
	schema.StatusNotCreated: {"nothing was created and nothing charged; start it again as a new order", OutcomeNotPaid, bad},
	schema.StatusUnresolved: {"the bridge gave up: look the order up at MultiSafepay before you charge again", OutcomeUnknown, bad},
}

// meaningOf explains a status. The provider may know new ones: they are shown
// as they are.
func meaningOf(status string, final bool) meaning {
	if m, ok := meanings[status]; ok {
		return m
	}
	if final {
		return meaning{"over, with a status that this version does not know", OutcomeUnknown, warning}
	}
	return meaning{"a status that this version does not know", OutcomeUnknown, plain}
}
