package payment

// ruleSet are rules that are switched off. Tests use it to show that the
// simulation finds what goes wrong without a rule; in production it is empty.
type ruleSet uint16

// The rules that can be switched off.
const (
	ruleFencedAnswers  ruleSet = 1 << iota // R1
	ruleOneRefusal                         // R2
	ruleWait                               // R3
	ruleEmptyLog                           // R4
	ruleClaimLost                          // R6 (d)
	ruleKeepWhatExists                     // R7
	ruleOverlap                            // R12
	ruleSecondLook                         // R17
)
