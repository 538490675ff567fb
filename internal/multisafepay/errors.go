package multisafepay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// Kind says what a failed call means for the order.
type Kind int

// The kinds of failure. The zero Kind is of no error.
const (
	_ Kind = iota
	// KindUnreachable: nothing was sent for sure (name not found, connection
	// refused, TLS handshake, no connection in time).
	KindUnreachable
	// KindLost: the request was, or may have been, sent and no usable answer
	// came: connection cut, 200 with a broken, oversized or absent body. What it
	// asked for may have happened.
	KindLost
	// KindTimeout is like KindLost, but it was us who stopped waiting
	// (Options.RequestTimeout), or a gateway that did (408, 504).
	KindTimeout
	// KindUnavailable: a complete 5xx answer other than 504.
	KindUnavailable
	// KindLimited: 429; RetryAfter says for how long, if the provider did.
	KindLimited
	// KindRejected: a definite no, with a provider error code or the attributes
	// of a 422.
	KindRejected
	// KindUsed: create only: an order with this id exists already (code 1006).
	KindUsed
	// KindNotFound: get and cancel only: the provider does not know the order.
	KindNotFound
	// KindKey: the API key is refused (401, 403, code 1032).
	KindKey
	// KindNonsense: an answer that makes no sense: 4xx without a provider-shaped
	// body, success:false without a code, a redirect, another order's data.
	KindNonsense
	// KindCancelled: the caller's context ended. Error.Sent tells whether the
	// request may have left before.
	KindCancelled
)

var kindNames = [...]string{
	KindUnreachable: "unreachable",
	KindLost:        "answer lost",
	KindTimeout:     "timed out",
	KindUnavailable: "unavailable",
	KindLimited:     "rate limited",
	KindRejected:    "rejected",
	KindUsed:        "order id already used",
	KindNotFound:    "not found",
	KindKey:         "key refused",
	KindNonsense:    "nonsense answer",
	KindCancelled:   "cancelled",
}

// String names the kind in a word or two.
func (k Kind) String() string {
	if k <= 0 || int(k) >= len(kindNames) {
		return "kind " + strconv.Itoa(int(k))
	}
	return kindNames[k]
}

// maxInfo is the longest Error.Info, in characters.
const maxInfo = 300

// Error is every failure of this package. Its text shows neither URL nor secret.
type Error struct {
	// Op is the operation: create, get, cancel, terminals or stream.
	Op string
	// Kind is what the failure means.
	Kind Kind
	// Status is the HTTP status, 0 when no complete answer came.
	Status int
	// Code is the provider's error code, 0 when it gave none.
	Code int
	// Info is the provider's own explanation, at most 300 characters, with
	// secrets and card numbers removed.
	Info string
	// RetryAfter is how long the provider asked us to wait; 0 when it did not say.
	RetryAfter time.Duration
	// Sent is false only when it is certain that no request left.
	Sent bool
	// Err is the cause, if there is one: for Follow one of the ErrStream
	// sentinels, or what the transport reported. errors.Is works on it.
	Err error

	// reason is the label that Reason returns.
	reason string
}

// Error names operation, kind and what the provider said.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("multisafepay ")
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(e.Kind.String())
	sep := ": "
	if e.Status != 0 {
		fmt.Fprintf(&b, "%sHTTP %d", sep, e.Status)
		sep = ", "
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, "%scode %d", sep, e.Code)
		sep = ", "
	}
	if e.Info != "" {
		fmt.Fprintf(&b, "%s%q", sep, e.Info)
		sep = ", "
	}
	if e.Err != nil {
		b.WriteString(sep)
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// What ends a connection to an event stream. Each comes wrapped in an *Error.
var (
	// ErrStreamRefused: the token is of no use any more (401, 403, 410), or there is none.
	ErrStreamRefused = errors.New("event stream refused the token")
	// ErrStreamHost: the URL is not one that may be sent a token; nothing was sent.
	ErrStreamHost = errors.New("event stream is not on a host that may be sent a token")
	// ErrStreamIdle: no byte came for Options.IdleTimeout.
	ErrStreamIdle = errors.New("event stream went silent")
	// ErrStreamEnded: the server ended the stream in order.
	ErrStreamEnded = errors.New("event stream ended")
	// ErrStreamTooLarge: an event is longer than MaxEventSize.
	ErrStreamTooLarge = errors.New("event too large")
	// ErrStreamAnswer: not an event stream: another status, another content
	// type, a redirect.
	ErrStreamAnswer = errors.New("answer is not an event stream")
)

// Labels that Reason returns.
const (
	ReasonEnded       = "ended"
	ReasonIdle        = "idle"
	ReasonRefused     = "refused"
	ReasonHost        = "host"
	ReasonTooLarge    = "too_large"
	ReasonStatus      = "status"
	ReasonRedirect    = "redirect"
	ReasonContentType = "content_type"
	ReasonTransport   = "transport"
	ReasonCancelled   = "cancelled"
)

// Reason puts an error of Follow in one word, for metrics; it is one of the
// Reason constants, "" for no error.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.reason != "" {
		return e.reason
	}
	switch {
	case errors.Is(err, ErrStreamEnded):
		return ReasonEnded
	case errors.Is(err, ErrStreamIdle):
		return ReasonIdle
	case errors.Is(err, ErrStreamRefused):
		return ReasonRefused
	case errors.Is(err, ErrStreamHost):
		return ReasonHost
	case errors.Is(err, ErrStreamTooLarge):
		return ReasonTooLarge
	case errors.Is(err, ErrStreamAnswer):
		return ReasonStatus
	case errors.Is(err, context.Canceled):
		return ReasonCancelled
	}
	return ReasonTransport
}

// cause is a transport's error made safe to print. The original stays reachable
// for errors.Is, not for printing: it may hold the URL, and with it the key.
type cause struct {
	text string
	raw  error
}

func (c *cause) Error() string        { return c.text }
func (c *cause) Is(target error) bool { return errors.Is(c.raw, target) }

// newCause wraps err for printing; secrets are removed from its text.
func newCause(err error, s redact.Scrubber) error {
	return &cause{text: s.Line(err.Error(), maxInfo), raw: err}
}
