package commands

import (
	"errors"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// failure is why a command is not carried out, and what the requester is told.
type failure struct {
	code schema.Code
	text string
}

// Every failure of this package. What the provider says to a create or a cancel is
// internal/payment's to judge.
var (
	terminalInSubject = failure{schema.InvalidRequest, "the terminal in the subject must be 1 to 36 characters of A-Z a-z 0-9 _ -"}
	terminalDiffers   = failure{schema.InvalidRequest, "terminal_id must be %s, as in the subject, or left out"}
	answerTooLong     = failure{schema.InvalidRequest, "the answer of %d bytes is longer than the server's max_payload of %d; ask for single orders, or raise it"}
	terminalUnknown   = failure{schema.UnknownTerminal, "no terminal group's key serves terminal %s"}
	terminalRefused   = failure{schema.UnknownTerminal, "%v"}
	groupKeyRefused   = failure{schema.ProviderError, "the provider refuses the key of a terminal group; it is not known whether it serves terminal %s"}
	groupNotFound     = failure{schema.ProviderUnavailable, "the provider could not be asked which terminal group terminal %s belongs to; nothing was created"}
	terminalBusy      = failure{schema.TerminalBusy, "terminal %s is busy with order %s"}
	terminalTaken     = failure{schema.TerminalBusy, "terminal %s is busy with an order that a later release of the bridge has queued"}
	terminalNotFreed  = failure{schema.TerminalBusy, "terminal %s is still being freed by order %s"}
	orderConflict     = failure{schema.OrderConflict, "order %s exists with other content"}
	orderUnknown      = failure{schema.NotFound, "order %s is not known on terminal %s"}
	// The queue is full, or the bridge lacks a right. Nothing is stored, and once an
	// operator has changed that the same request works.
	queueRefuses       = failure{schema.ProviderUnavailable, "NATS refuses to store the session; nothing was created"}
	requestTooOld      = failure{schema.ProviderUnavailable, "the request arrived after BRIDGE_START_DEADLINE, because this replica stood still; nothing was created"}
	startUnknown       = failure{schema.OutcomeUnknown, "it is not known in time whether the order exists; send the same request again"}
	startOverdue       = failure{schema.OutcomeUnknown, "the session is queued, and it is not known in time whether the order exists; its status events will tell"}
	tooMany            = failure{schema.OutcomeUnknown, "this replica has too many requests of this kind at work; send the same request again"}
	busSilent          = failure{schema.OutcomeUnknown, "JetStream did not answer in time; send the same request again"}
	commandFailed      = failure{schema.OutcomeUnknown, "the command failed in the bridge itself; send the same request again"}
	stopping           = failure{schema.ShuttingDown, "this replica is shutting down; send the same request again"}
	receiptMissing     = failure{schema.NotFound, "the provider has no receipt of the order"}
	receiptRefused     = failure{schema.ProviderRejected, "the provider refused to give the receipt"}
	receiptKeyRefused  = failure{schema.ProviderError, "the provider refuses the key of this terminal's group"}
	receiptNonsense    = failure{schema.ProviderError, "the provider's answer makes no sense"}
	receiptUnavailable = failure{schema.ProviderUnavailable, "the provider cannot be reached or fails; the order is as it was"}
)

// answer is the error that a requester gets.
func (f failure) answer(args ...any) *schema.Error { return schema.NewError(f.code, f.text, args...) }

// lookupFailure is the answer when the group of a terminal was not found.
func lookupFailure(terminal string, err error) *schema.Error {
	if shared, ok := errors.AsType[*terminalgroups.SharedError](err); ok {
		return terminalRefused.answer(shared)
	}
	if unserved, ok := errors.AsType[*terminalgroups.UnservedError](err); ok {
		return terminalRefused.answer(unserved)
	}
	if errors.Is(err, terminalgroups.ErrUnknownTerminal) {
		return terminalUnknown.answer(terminal)
	}
	f := groupNotFound
	if e, ok := errors.AsType[*multisafepay.Error](err); ok && e.Kind == multisafepay.KindKey {
		f = groupKeyRefused
	}
	return withProvider(f.answer(terminal), err)
}

// receiptFailures are what the kinds of a provider's error mean for a receipt; all
// others may pass.
var receiptFailures = map[multisafepay.Kind]failure{
	multisafepay.KindNotFound: receiptMissing,
	multisafepay.KindRejected: receiptRefused,
	multisafepay.KindUsed:     receiptRefused,
	multisafepay.KindKey:      receiptKeyRefused,
	multisafepay.KindNonsense: receiptNonsense,
}

// receiptFailure is the answer when the provider gave no receipt.
func receiptFailure(err error) *schema.Error {
	f := receiptUnavailable
	if e, ok := errors.AsType[*multisafepay.Error](err); ok {
		if known, ok := receiptFailures[e.Kind]; ok {
			f = known
		}
	}
	return withProvider(f.answer(), err)
}

// withProvider adds what the provider answered, if it did.
func withProvider(failure *schema.Error, err error) *schema.Error {
	if e, ok := errors.AsType[*multisafepay.Error](err); ok {
		failure.Provider = e.Answer()
	}
	return failure
}

// refused reports whether NATS refused a message for good. Nothing was stored.
func refused(err error) bool {
	_, ok := errors.AsType[*bus.RefusedError](err)
	return ok
}
