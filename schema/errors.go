package schema

import "fmt"

// Header names of an error reply, as the NATS micro framework defines them.
const (
	HeaderErrorCode = "Nats-Service-Error-Code"
	HeaderError     = "Nats-Service-Error"
)

// Code names the reason of an error reply.
type Code string

// Every code that a command can be answered with.
const (
	// InvalidRequest: malformed JSON, unknown or missing field, value out of
	// range; or, of list, an answer that is longer than the server's max_payload.
	InvalidRequest Code = "invalid_request"
	// UnknownTerminal: no terminal group's key serves the terminal, or it is not
	// clear which one does.
	UnknownTerminal Code = "unknown_terminal"
	// NotFound: cancel, get or receipt of an order that is not known on the terminal.
	NotFound Code = "not_found"
	// TerminalBusy: another order's payment is open on the terminal.
	TerminalBusy Code = "terminal_busy"
	// OrderConflict: the order exists on the terminal with other content.
	OrderConflict Code = "order_conflict"
	// ProviderRejected: the provider said no. Of a start nothing is left open;
	// after a cancel the payment is as it was.
	ProviderRejected Code = "provider_rejected"
	// ProviderError: the key is refused or the error makes no sense; nothing was
	// created or cancelled.
	ProviderError Code = "provider_error"
	// ProviderUnavailable: the provider cannot be reached or fails. Of a start it
	// is known that nothing was created; a cancel may be asked for again.
	ProviderUnavailable Code = "provider_unavailable"
	// ShuttingDown: the replica is draining. It says nothing of the order; another
	// replica answers the same request.
	ShuttingDown Code = "shutting_down"
	// OutcomeUnknown: it is not known in time. Of a start, whether the order
	// exists: it is followed, and status events tell. Of a cancel, whether it was
	// cancelled. Of get and list, that JetStream did not answer.
	OutcomeUnknown Code = "outcome_unknown"
)

// Codes lists every code, in the order of their constants.
func Codes() []Code {
	return []Code{
		InvalidRequest, UnknownTerminal, NotFound, TerminalBusy, OrderConflict,
		ProviderRejected, ProviderError, ProviderUnavailable, ShuttingDown, OutcomeUnknown,
	}
}

// Number is the value of HeaderErrorCode that goes with the code; it follows
// the HTTP status codes. It is 500 for a code that is not in Codes.
func (c Code) Number() int {
	switch c {
	case InvalidRequest:
		return 400
	case UnknownTerminal, NotFound:
		return 404
	case TerminalBusy, OrderConflict:
		return 409
	case ProviderRejected:
		return 422
	case ProviderError:
		return 502
	case ProviderUnavailable, ShuttingDown:
		return 503
	case OutcomeUnknown:
		return 504
	}
	return 500
}

// Retryable tells whether the same request may simply be sent again.
func (c Code) Retryable() bool {
	switch c {
	case TerminalBusy, ProviderUnavailable, ShuttingDown, OutcomeUnknown:
		return true
	}
	return false
}

// Error is the content of an error reply. It is a Go error too, so that a
// client can return what it decoded.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
	// Provider is what the provider answered, when it did.
	Provider *ProviderAnswer `json:"provider,omitempty"`
}

// ProviderAnswer is the part of the provider's error that may be shown.
type ProviderAnswer struct {
	HTTPStatus int    `json:"http_status"`
	ErrorCode  int    `json:"error_code"`
	ErrorInfo  string `json:"error_info"`
}

// ErrorReply is the body of an error reply.
type ErrorReply struct {
	Error Error `json:"error"`
}

// NewError returns the error of a code; retryable follows from the code.
func NewError(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Retryable: code.Retryable()}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
