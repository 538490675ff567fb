package simulator

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

// afterwards are the actions on a completed payment, and what becomes of it.
var afterwards = map[Action]string{ActReverse: statusReversed, ActRefund: "refunded", ActChargeback: "chargeback"}

// actStepUp begins another transaction with the same card, as a step of a
// scenario alone.
const actStepUp Action = "step_up"

// statusActions begin with this: the provider gives the order a status.
const statusActions = "status:"

func statusAction(status string) Action { return Action(statusActions + status) }

// Actions lists every action.
func Actions() []Action {
	return []Action{ActTap, ActInsert, ActPIN, ActApprove, ActDecline, ActCancel, ActWalkAway, ActReverse, ActRefund, ActChargeback}
}

// Mode says who acts on a terminal.
type Mode string

// The modes of a terminal.
const (
	// Auto lets a virtual customer follow the order's scenario.
	Auto Mode = "auto"
	// Manual waits for somebody to act.
	Manual Mode = "manual"
)

// Screen is what a terminal shows.
type Screen string

// The screens of a terminal.
const (
	ScreenIdle       Screen = "idle"
	ScreenAmountDue  Screen = "amount_due"
	ScreenPIN        Screen = "pin"
	ScreenProcessing Screen = "processing"
	ScreenApproved   Screen = "approved"
	ScreenDeclined   Screen = "declined"
	ScreenCancelled  Screen = "cancelled"
	ScreenReversed   Screen = "reversed"
)

// Customer is who stands at a terminal.
type Customer string

// The customers of a payment that is open.
const (
	// CustomerHand is somebody who acts by hand.
	CustomerHand Customer = "hand"
	// CustomerVirtual acts by scenario.
	CustomerVirtual Customer = "virtual"
	// CustomerLeft has walked away: the inactivity time runs on.
	CustomerLeft Customer = "left"
)
