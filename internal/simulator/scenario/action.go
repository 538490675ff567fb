package scenario

// Action is something done at a terminal.
type Action string

// The actions.
const (
	// ActTap holds a card to the terminal: initialized.
	ActTap Action = "tap"
	// ActInsert puts a card in; the terminal asks for the PIN.
	ActInsert Action = "insert"
	// ActPIN enters the PIN: initialized.
	ActPIN Action = "pin"
	// ActApprove is the issuer's yes: completed; with no card shown, a tap comes first.
	ActApprove Action = "approve"
	// ActDecline is the issuer's no: declined; with no card shown, a tap comes first.
	ActDecline Action = "decline"
	// ActCancel is the red button: cancelled.
	ActCancel Action = "cancel"
	// ActWalkAway ends the virtual customer's part; the inactivity time runs on.
	ActWalkAway Action = "walk_away"
	// ActReverse takes the terminal's last completed payment back: reversed.
	ActReverse Action = "reverse"
	// ActRefund gives the money of the terminal's last completed payment back: refunded.
	ActRefund Action = "refund"
	// ActChargeback is the cardholder's bank taking it back: chargeback.
	ActChargeback Action = "chargeback"
)

// Afterwards are the actions on a completed payment, and what becomes of it.
var Afterwards = map[Action]string{ActReverse: StatusReversed, ActRefund: "refunded", ActChargeback: "chargeback"}

// ActStepUp begins another transaction with the same card, as a step of a
// scenario alone.
const ActStepUp Action = "step_up"

// StatusPrefix begin with this: the provider gives the order a status.
const StatusPrefix = "status:"

func statusAction(status string) Action { return Action(StatusPrefix + status) }

// Actions lists every action.
func Actions() []Action {
	return []Action{ActTap, ActInsert, ActPIN, ActApprove, ActDecline, ActCancel, ActWalkAway, ActReverse, ActRefund, ActChargeback}
}
