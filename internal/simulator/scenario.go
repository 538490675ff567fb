package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// Scenario names what the virtual customer and the card's issuer do.
type Scenario string

// The scenarios. See Scenarios for what each does.
const (
	Approve                Scenario = "approve"
	SoftDeclineThenApprove Scenario = "soft_decline_then_approve"
	DeclineThenCancel      Scenario = "decline_then_cancel"
	CancelOnTerminal       Scenario = "cancel_on_terminal"
	WalkAway               Scenario = "walk_away"
	ReverseAfterCompletion Scenario = "reverse_after_completion"
	WaitForHand            Scenario = "wait"
)

// ScenarioInfo describes a scenario to people and programs.
type ScenarioInfo struct {
	Name Scenario `json:"name"`
	// Amount is the ending that selects it: the last four digits of an amount
	// in the currency's smallest unit.
	Amount string `json:"amount_ending"`
	// Statuses as the event stream shows them.
	Statuses []string `json:"statuses"`
	// Does says what happens, in a sentence.
	Does string `json:"does"`

	steps []Action
}

// scenarios in the order in which they are shown. The endings all begin with
// 77, so that everyday test amounts hit none of them by accident; the other two
// digits are the card industry's response codes where one fits.
var scenarios = []ScenarioInfo{
	{
		Approve, "7700",
		[]string{"initialized", "completed"},
		"The customer taps a card and the payment is approved. This is also what happens with every other amount.",
		[]Action{ActTap, ActApprove},
	},
	{
		SoftDeclineThenApprove, "7765",
		[]string{"initialized", "declined", "initialized", "completed"},
		"The issuer wants a PIN (soft decline); the customer inserts the card, enters it, and is approved.",
		[]Action{ActTap, ActDecline, ActTap, ActApprove},
	},
	{
		DeclineThenCancel, "7705",
		[]string{"initialized", "declined", "cancelled"},
		"The card is declined and the customer gives up on the terminal.",
		[]Action{ActTap, ActDecline, ActCancel},
	},
	{
		CancelOnTerminal, "7717",
		[]string{"cancelled"},
		"The customer cancels on the terminal without showing a card.",
		[]Action{ActCancel},
	},
	{
		WalkAway, "7768",
		[]string{"cancelled"},
		"Nobody touches the terminal; the payment is cancelled when the inactivity time is over.",
		nil,
	},
	{
		ReverseAfterCompletion, "7721",
		[]string{"initialized", "completed", "reversed"},
		"The payment is approved and reversed one step later.",
		[]Action{ActTap, ActApprove, ActReverse},
	},
	{
		WaitForHand, "7799",
		nil,
		"The terminal waits for a hand, see the actions below. Untouched, it is cancelled like walk_away.",
		nil,
	},
}

// Scenarios lists every scenario in the order in which they are documented.
func Scenarios() []ScenarioInfo { return slices.Clone(scenarios) }

// scenarioPrefix begins a custom_1 that asks for a scenario.
const scenarioPrefix = "scenario:"

func scenarioByName(name Scenario) (ScenarioInfo, error) {
	for _, sc := range scenarios {
		if sc.Name == name {
			return sc, nil
		}
	}
	names := make([]string, len(scenarios))
	for i, sc := range scenarios {
		names[i] = string(sc.Name)
	}
	return ScenarioInfo{}, fmt.Errorf("unknown scenario %.64q: want %s", name, strings.Join(names, ", "))
}

// chooseScenario follows what the order asks for: custom_1, then the amount,
// then what the terminal is set to.
func chooseScenario(custom1 string, amount int64, terminal Scenario) (ScenarioInfo, error) {
	if name, ok := strings.CutPrefix(custom1, scenarioPrefix); ok {
		return scenarioByName(Scenario(strings.TrimSpace(name)))
	}
	ending := fmt.Sprintf("%04d", amount%10_000)
	for _, sc := range scenarios {
		if sc.Amount == ending {
			return sc, nil
		}
	}
	return scenarioByName(terminal)
}
