package schema

// Outcome is what a status says about the money.
type Outcome string

// The outcomes.
const (
	// Open: the payment is not over.
	Open Outcome = "open"
	// Paid: the customer has paid.
	Paid Outcome = "paid"
	// Unpaid: nothing was charged.
	Unpaid Outcome = "unpaid"
	// Returned: the customer had paid, and the money goes back.
	Returned Outcome = "returned"
	// Unsettled: nobody can tell yet whether the customer has paid.
	Unsettled Outcome = "unsettled"
)

// Verdict is what a status means and what to do about it.
type Verdict struct {
	Outcome Outcome
	// Means says in words what has happened.
	Means string
	// Do says what to do when this is the newest status of a payment, in an event or
	// in the answer to a start or a get.
	Do string
	// Cancelled says what to do when it is the answer to a cancel.
	Cancelled string
}

// Texts that more than one status needs.
const (
	await      = "Wait for a final status."
	notYet     = "Not cancelled yet: wait for a final status. It may still be paid."
	newOrder   = "To charge again, use a new order id."
	isNothing  = "Nothing is charged. To charge again, use a new order id."
	tooLate    = "Too late: the customer has paid. A refund is made at MultiSafepay."
	itIsOver   = "Too late, but the money goes back to the customer already."
	lookUp     = "Look the order up at MultiSafepay before you charge again."
	mayReverse = "Paid. Wait for BRIDGE_SETTLE_WINDOW before you hand anything over: a reversal can follow at once."
	mayBePaid  = "Not paid. To charge again, use a new order id. An approval that comes too late is published as completed."
)

var verdicts = map[string]Verdict{
	StatusCreated:      {Open, "the order is being made, or the terminal asks for the card", await, notYet},
	"initialized":      {Open, "under way: the card is asked for, or being processed", await, notYet},
	"declined":         {Open, "declined; the customer may try again on the terminal", await, notYet},
	"reserved":         {Unsettled, "reserved, not captured yet", lookUp, lookUp},
	"uncleared":        {Unsettled, "not cleared yet, MultiSafepay is looking at it", lookUp, lookUp},
	"shipped":          {Paid, "paid and shipped", "Paid.", tooLate},
	"completed":        {Paid, "paid", mayReverse, tooLate},
	"cancelled":        {Unpaid, "cancelled, nothing was charged", mayBePaid, isNothing},
	"expired":          {Unpaid, "expired, nothing was charged", mayBePaid, isNothing},
	"void":             {Unpaid, "void, nothing was charged", mayBePaid, isNothing},
	StatusNotCreated:   {Unpaid, "nothing was created and nothing charged; start it again as a new order", newOrder, isNothing},
	StatusUnresolved:   {Unsettled, "the bridge gave up: look the order up at MultiSafepay before you charge again", lookUp, lookUp},
	"reversed":         {Returned, "reversed, the money goes back to the customer", newOrder, itIsOver},
	"refunded":         {Returned, "refunded, the money goes back to the customer", newOrder, itIsOver},
	"partial_refunded": {Paid, "paid, and refunded in part", "Paid in part. What was refunded is to be seen at MultiSafepay.", tooLate},
	"chargeback":       {Returned, "charged back, the customer's bank took the money back", lookUp, itIsOver},
	"chargedback":      {Returned, "charged back, the customer's bank took the money back", lookUp, itIsOver},
}

// VerdictOn is what a status means. final is the event's, or the session's. ok is
// false for a status that this version does not know; the provider may have new ones.
func VerdictOn(status string, final bool) (verdict Verdict, ok bool) {
	if v, ok := verdicts[status]; ok {
		return v, true
	}
	if final {
		return Verdict{Unsettled, "over, with a status that this version does not know", lookUp, lookUp}, false
	}
	return Verdict{Open, "a status that this version does not know", await, notYet}, false
}
