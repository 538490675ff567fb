package client

import (
	"errors"
	"fmt"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Error is an error reply of the bridge. Compare it with the Err… variables, one for
// each code:
//
//	errors.Is(err, client.ErrTerminalBusy)
type Error struct {
	// Command that was asked. What the code means, and what to do about it, is
	// schema.AdviceOn(Command, Reply.Code).
	Command subjects.Command
	// Reply has the code, the reason in words, and the provider's answer if there was
	// one.
	Reply schema.Error
	// Subject that was asked; empty if the request was refused before it was sent.
	Subject string
	// Body is the reply as it came.
	Body []byte
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s%s: %q", beginning(e.Reply.Code), e.Reply.Code, e.Reply.Message)
	if p := e.Reply.Provider; p != nil && p.ErrorInfo != "" {
		text += fmt.Sprintf("; the provider said %q", p.ErrorInfo)
	}
	return text
}

// beginning says what kind of answer a code is. An unknown outcome is no refusal:
// whoever reads that it was one may charge again.
func beginning(c schema.Code) string {
	if c == schema.OutcomeUnknown {
		return "not known to the bridge: "
	}
	return "refused by the bridge: "
}

// Is makes errors.Is(err, ErrTerminalBusy) and its like work.
func (e *Error) Is(target error) bool {
	code, ok := target.(codeError)
	return ok && schema.Code(code) == e.Reply.Code
}

// codeError is what the Err… variables of codes are.
type codeError schema.Code

func (c codeError) Error() string { return beginning(schema.Code(c)) + string(c) }

// One error for each code of the bridge, for errors.Is. What each means, and what to do
// about it, depends on the command: schema.AdviceOn says it.
var (
	ErrInvalidRequest      error = codeError(schema.InvalidRequest)
	ErrUnknownTerminal     error = codeError(schema.UnknownTerminal)
	ErrNotFound            error = codeError(schema.NotFound)
	ErrTerminalBusy        error = codeError(schema.TerminalBusy)
	ErrOrderConflict       error = codeError(schema.OrderConflict)
	ErrProviderRejected    error = codeError(schema.ProviderRejected)
	ErrProviderError       error = codeError(schema.ProviderError)
	ErrProviderUnavailable error = codeError(schema.ProviderUnavailable)
	ErrShuttingDown        error = codeError(schema.ShuttingDown)
	ErrOutcomeUnknown      error = codeError(schema.OutcomeUnknown)
)

// ErrCode is the error of a code, for errors.Is with a code that has no variable here.
func ErrCode(code schema.Code) error { return codeError(code) }

var (
	// ErrNoBridge says that nobody serves the subject: the request reached no one.
	ErrNoBridge = errors.New("no bridge is serving this subject")
	// ErrNoReply says that the request was sent and no reply came in time. What became
	// of it is not known.
	ErrNoReply = errors.New("the bridge did not answer in time")
	// ErrAway says that the connection to NATS was away; nothing was sent.
	ErrAway = errors.New("the connection to NATS is away")
	// ErrClosed says that the connection is gone for good: it was closed, or the server
	// refused the credentials when it was made again.
	ErrClosed = errors.New("the connection to NATS is closed")
	// ErrLeft says that the payment is no longer followed: Close was called.
	ErrLeft = errors.New("the payment is no longer followed")
	// ErrBadReply says that a reply came that is not one of the bridge's. What became
	// of the request is not known.
	ErrBadReply = errors.New("the reply is not one of the bridge's; does something else serve this subject?")
	// ErrNoStream says that the status stream is not there, that JetStream is off, or
	// that this account does not reach it.
	ErrNoStream = errors.New("the status stream is not there")
)

// DeniedError says that the NATS user lacks a right.
type DeniedError struct {
	// Subject that it may not publish or subscribe to.
	Subject string
	// Subscribe is true when the right to subscribe is missing.
	Subscribe bool
}

func (e *DeniedError) Error() string {
	if e.Subscribe {
		return fmt.Sprintf("this NATS user may not subscribe to %q", e.Subject)
	}
	return fmt.Sprintf("this NATS user may not publish to %q", e.Subject)
}
