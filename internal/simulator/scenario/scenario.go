// Package scenario is what virtual customers and the issuers of their cards do.
package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Scenario names what the virtual customer and the card's issuer do.
type Scenario string

// The scenarios. See scenarios for what each does.
const (
	Approve                Scenario = "approve"
	SoftDeclineThenApprove Scenario = "soft_decline_then_approve"
	DeclineThenCancel      Scenario = "decline_then_cancel"
	CancelOnTerminal       Scenario = "cancel_on_terminal"
	WalkAway               Scenario = "walk_away"
	ReverseAfterCompletion Scenario = "reverse_after_completion"
	WaitForHand            Scenario = "wait"

	ApproveWithTip            Scenario = "approve_with_tip"
	ApproveInPart             Scenario = "approve_in_part"
	StepUpThenApprove         Scenario = "step_up_then_approve"
	ReserveThenComplete       Scenario = "reserve_then_complete"
	Expire                    Scenario = "expire"
	Void                      Scenario = "void"
	ApproveAfterCancel        Scenario = "approve_after_cancel"
	RefundAfterCompletion     Scenario = "refund_after_completion"
	ChargebackAfterCompletion Scenario = "chargeback_after_completion"
)

// Info describes a scenario to people and programs.
type Info struct {
	Name Scenario `json:"name"`
	// Amount is the ending that selects it: the last four digits of an amount
	// in the currency's smallest unit.
	Amount string `json:"amount_ending"`
	// Statuses as the event stream shows them.
	Statuses []string `json:"statuses"`
	// Does says what happens, in a sentence.
	Does string `json:"does"`

	// Steps of the virtual customer.
	Steps []Action `json:"-"`
	// Charge makes the amount that is paid of the one that was asked for; nil
	// leaves it.
	Charge func(int64) int64 `json:"-"`
}

// scenarios in the order in which they are shown. The endings all begin with
// 77, so that everyday test amounts hit none of them by accident; the other two
// digits are the card industry's response codes where one fits.
var scenarios = []Info{
	{
		Approve, "7700",
		[]string{"initialized", "completed"},
		"The customer taps a card and the payment is approved. This is also what happens with every other amount.",
		[]Action{ActTap, ActApprove},
		nil,
	},
	{
		SoftDeclineThenApprove, "7765",
		[]string{"initialized", "declined", "initialized", "completed"},
		"The issuer wants a PIN (soft decline); the customer inserts the card, enters it, and is approved.",
		[]Action{ActTap, ActDecline, ActTap, ActApprove},
		nil,
	},
	{
		DeclineThenCancel, "7705",
		[]string{"initialized", "declined", "cancelled"},
		"The card is declined and the customer gives up on the terminal.",
		[]Action{ActTap, ActDecline, ActCancel},
		nil,
	},
	{
		CancelOnTerminal, "7717",
		[]string{"cancelled"},
		"The customer cancels on the terminal without showing a card.",
		[]Action{ActCancel},
		nil,
	},
	{
		WalkAway, "7768",
		[]string{"cancelled"},
		"Nobody touches the terminal; the payment is cancelled when the inactivity time is over.",
		nil, nil,
	},
	{
		ReverseAfterCompletion, "7721",
		[]string{"initialized", "completed", "reversed"},
		"The payment is approved and reversed one step later.",
		[]Action{ActTap, ActApprove, ActReverse},
		nil,
	},
	{
		ApproveWithTip, "7704",
		[]string{"initialized", "completed"},
		"The customer adds a tip of 20 %: the order's amount grows, and the receipt shows the tip.",
		[]Action{ActTap, ActApprove},
		WithTip,
	},
	{
		ApproveInPart, "7710",
		[]string{"initialized", "completed"},
		"The issuer approves half of the amount.",
		[]Action{ActTap, ActApprove},
		Half,
	},
	{
		StepUpThenApprove, "7702",
		[]string{"initialized", "declined", "initialized", "completed"},
		"A soft decline; the second try is another transaction.",
		[]Action{ActTap, ActDecline, ActStepUp, ActApprove},
		nil,
	},
	{
		ReserveThenComplete, "7706",
		[]string{"initialized", "reserved", "completed"},
		"The amount is reserved first.",
		[]Action{ActTap, statusAction("reserved"), ActApprove},
		nil,
	},
	{
		Expire, "7754",
		[]string{"expired"},
		"The payment expires.",
		[]Action{statusAction("expired")},
		nil,
	},
	{
		Void, "7720",
		[]string{"initialized", "void"},
		"The payment is void, which the provider's general table uses for cancelled payments.",
		[]Action{ActTap, statusAction("void")},
		nil,
	},
	{
		ApproveAfterCancel, "7711",
		[]string{"cancelled", "completed"},
		"The payment is cancelled, but approved one step later.",
		[]Action{ActCancel, statusAction(StatusCompleted)},
		nil,
	},
	{
		RefundAfterCompletion, "7712",
		[]string{"initialized", "completed", "refunded"},
		"The payment is approved and refunded one step later.",
		[]Action{ActTap, ActApprove, statusAction("refunded")},
		nil,
	},
	{
		ChargebackAfterCompletion, "7775",
		[]string{"initialized", "completed", "chargeback"},
		"The payment is approved and charged back one step later.",
		[]Action{ActTap, ActApprove, statusAction("chargeback")},
		nil,
	},
	{
		WaitForHand, "7799",
		nil,
		"The terminal waits for you, see the actions below. If nobody acts, the payment is cancelled as with walk_away.",
		nil, nil,
	},
}

// All lists every scenario in the order in which they are documented.
func All() []Info { return slices.Clone(scenarios) }

// WithTip is an amount with a tip of 20 %.
func WithTip(amount int64) int64 { return amount + (amount+2)/5 }

// Half is what an issuer approves in part.
func Half(amount int64) int64 { return max(1, amount/2) }

// statusesPrefix begins a custom_1 that lists statuses: a scenario of its own.
const (
	statusesPrefix = "statuses:"
	ownStatuses    = Scenario("statuses")
	maxOwnStatuses = 32
)

// parseStatuses reads a scenario that an order lists itself.
func parseStatuses(list string) (Info, error) {
	sc := Info{Name: ownStatuses}
	for status := range strings.SplitSeq(list, ",") {
		if status = strings.TrimSpace(status); status == "" || len(status) > 64 || len(sc.Steps) == maxOwnStatuses {
			return Info{}, fmt.Errorf("%s%.64q: there must be 1 to %d statuses with commas between", statusesPrefix, list, maxOwnStatuses)
		}
		sc.Steps = append(sc.Steps, statusAction(status))
	}
	return sc, nil
}

// scenarioPrefix begins a custom_1 that asks for a scenario.
const scenarioPrefix = "scenario:"

// ByName returns a scenario, or an error that lists them all.
func ByName(name Scenario) (Info, error) {
	for _, sc := range scenarios {
		if sc.Name == name {
			return sc, nil
		}
	}
	names := make([]string, len(scenarios))
	for i, sc := range scenarios {
		names[i] = string(sc.Name)
	}
	return Info{}, fmt.Errorf("unknown scenario %.64q: it must be %s", name, strings.Join(names, ", "))
}

// Choose follows what the order asks for: custom_1, then the amount,
// then what the terminal is set to.
func Choose(custom1 string, amount int64, terminal Scenario) (Info, error) {
	if list, ok := strings.CutPrefix(custom1, statusesPrefix); ok {
		return parseStatuses(list)
	}
	if name, ok := strings.CutPrefix(custom1, scenarioPrefix); ok {
		return ByName(Scenario(strings.TrimSpace(name)))
	}
	ending := fmt.Sprintf("%04d", amount%10_000)
	for _, sc := range scenarios {
		if sc.Amount == ending {
			return sc, nil
		}
	}
	return ByName(terminal)
}
