package orders

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
