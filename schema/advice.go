package schema

import "github.com/posbridge/bridge/subjects"

// Next is what a requester does next after an error reply. Error.Retryable is true for
// three of them: the same request is safe to send again, but that alone does not end
// the matter.
type Next string

// What a requester can do next.
const (
	// Again: send the same request again at once.
	Again Next = "again"
	// Later: send the same request again after a pause, or when its reason is gone.
	Later Next = "later"
	// Follow: a payment is open, or may be. Follow the order's status events until one
	// is final before anything else is charged.
	Follow Next = "follow"
	// Change: the same request fails again until it, or what it depends on, is changed.
	Change Next = "change"
)

// Advice is what an error code means after one command.
type Advice struct {
	Next Next
	// Means says what is true of the payment.
	Means string
	// Do says what to do, in words for a till's programmer and for a person.
	Do string
}

// Texts that more than one command needs.
const (
	correct      = "Correct the value that the message names."
	lookAtIDs    = "Check the terminal's id and the order's id. Look an old order up at MultiSafepay."
	lookAtKey    = "Whoever runs the bridge checks the terminal group's key (pos-bridge check)."
	otherReplica = "Send it again at once: another replica answers it."
	stillOpen    = "Nothing was cancelled: the payment is as it was, and can still be paid."
	awaitEnd     = "Follow the order until a status is final, and do not charge again before. "
	notKnown     = "he bridge does not know the order at this terminal: it was never started there, nothing was created, or it is older than BRIDGE_STATUS_MAX_AGE."
	unknownOrder = "T" + notKnown
	unread       = "The bridge could not read its own records in time. This says nothing about a payment."
	noReceipt    = "There is no receipt now. The payment is as it was."
	inAMoment    = "Send it again in a moment."
	oneStops     = "One replica stops, and could not answer in time. "
)

// advices has every code that each command is answered with.
var advices = map[subjects.Command]map[Code]Advice{
	subjects.Start: {
		InvalidRequest:  {Change, "This request started nothing.", correct},
		UnknownTerminal: {Change, "This request started nothing.", "Check the terminal's id. One of the bridge's terminal groups must serve it."},
		TerminalBusy: {
			Later, "This request started nothing. Another payment is open on the terminal; the message names its order.",
			"Wait until that payment is over, or cancel it. Then send the request again.",
		},
		OrderConflict: {
			Change, "This request started nothing. The order exists with other content, and may be open or paid.",
			"Look at that order before you charge again. Only another sale gets a new order id.",
		},
		ProviderRejected: {
			Change, "MultiSafepay refused the order. This request left nothing open.",
			"Correct what MultiSafepay names, and start it under a new order id. If MultiSafepay knows the order from elsewhere, look it up there first: it may be paid.",
		},
		ProviderError:       {Change, "Nothing was created.", lookAtKey + " Then send the request again."},
		ProviderUnavailable: {Later, "Nothing was created.", inAMoment},
		ShuttingDown:        {Again, oneStops + "The payment may begin all the same.", otherReplica},
		OutcomeUnknown: {
			Follow, "It is not known yet whether the order exists. It may be paid.",
			awaitEnd + "The same request, under the same order id, may be sent again: it never makes a second payment.",
		},
	},
	subjects.Cancel: {
		InvalidRequest:  {Change, stillOpen, correct},
		UnknownTerminal: {Change, "Nothing was cancelled. None of the bridge's terminal groups serves the terminal.", lookAtIDs},
		NotFound:        {Change, "Nothing was cancelled. " + unknownOrder, lookAtIDs},
		ProviderRejected: {
			Follow, "MultiSafepay refused to cancel. The payment is still open, and can still be paid.",
			awaitEnd + "It can be cancelled on the terminal.",
		},
		ProviderError:       {Follow, stillOpen, awaitEnd + lookAtKey},
		ProviderUnavailable: {Later, stillOpen, inAMoment + " Do not charge again before a status is final."},
		ShuttingDown:        {Again, oneStops + "The payment may be cancelled or open.", otherReplica},
		OutcomeUnknown: {
			Follow, "It is not known whether the order was cancelled. It may still be paid.",
			awaitEnd + "To cancel again is safe.",
		},
	},
	subjects.Get: {
		InvalidRequest: {Change, "Nothing was looked up.", correct},
		NotFound:       {Change, unknownOrder, lookAtIDs},
		ShuttingDown:   {Again, oneStops + "This says nothing about a payment.", otherReplica},
		OutcomeUnknown: {Later, unread, inAMoment},
	},
	subjects.Receipt: {
		InvalidRequest:      {Change, "Nothing was looked up.", correct},
		UnknownTerminal:     {Change, noReceipt + " None of the bridge's terminal groups serves the terminal.", lookAtIDs},
		NotFound:            {Change, "MultiSafepay has no receipt of the order, or t" + notKnown, lookAtIDs},
		ProviderRejected:    {Change, noReceipt + " MultiSafepay refused to give one.", "Look the order up at MultiSafepay."},
		ProviderError:       {Change, noReceipt, lookAtKey},
		ProviderUnavailable: {Later, noReceipt, inAMoment},
		ShuttingDown:        {Again, oneStops + "The payment is as it was.", otherReplica},
		OutcomeUnknown:      {Later, unread, inAMoment},
	},
	subjects.List: {
		InvalidRequest: {Change, "Nothing was listed.", "Correct what the message names. If the answer is too long for NATS, ask for single orders."},
		ShuttingDown:   {Again, oneStops + "This says nothing about a payment.", otherReplica},
		OutcomeUnknown: {Later, unread, inAMoment},
	},
}

// AdviceOn is what an error code means after a command. ok is false for a code that
// this version does not answer the command with: then nothing is known of a payment.
func AdviceOn(command subjects.Command, code Code) (advice Advice, ok bool) {
	advice, ok = advices[command][code]
	if !ok {
		advice = Advice{Follow, "This version does not know the answer. It says nothing about a payment.", awaitEnd}
	}
	return advice, ok
}
