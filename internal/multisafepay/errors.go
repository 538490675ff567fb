package multisafepay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// Names of the operations, as they appear in Error.Op and are observed.
const (
	OpCreate    = "create"
	OpGet       = "get"
	OpCancel    = "cancel"
	OpTerminals = "terminals"
	OpReceipt   = "receipt"
	OpStream    = "stream"
)

// maxInfo is the longest Error.Info, in characters.
const maxInfo = 300

// Error is every failure of this package. Its text shows neither URL nor secret.
type Error struct {
	// Op is the operation, one of the Op constants.
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
	var said []string
	if e.Status != 0 {
		said = append(said, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Code != 0 {
		said = append(said, fmt.Sprintf("code %d", e.Code))
	}
	if e.Info != "" {
		said = append(said, strconv.Quote(e.Info))
	}
	if e.Err != nil {
		said = append(said, e.Err.Error())
	}
	return strings.TrimSuffix("multisafepay "+e.Op+": "+e.Kind.String()+": "+strings.Join(said, ", "), ": ")
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Answer is what the provider answered, nil without a complete answer.
func (e *Error) Answer() *schema.ProviderAnswer {
	if e.Status == 0 {
		return nil
	}
	return &schema.ProviderAnswer{HTTPStatus: e.Status, ErrorCode: e.Code, ErrorInfo: e.Info}
}

// ErrTooLate says that the time after which a create must not be sent had passed.
var ErrTooLate = errors.New("start deadline passed before the order could be sent")

// What ends a connection to an event stream. Each comes wrapped in an *Error.
var (
	// ErrStreamRefused: the server refuses the token (401, 403, 410). That may
	// pass while the token is valid.
	ErrStreamRefused = errors.New("event stream refused the token")
	// ErrStreamToken: there is no token that could be sent; nothing was.
	ErrStreamToken = errors.New("event stream has no usable token")
	// ErrStreamHost: the URL is not one that may be sent a token; nothing was sent.
	ErrStreamHost = errors.New("event stream is on a host that must not receive the token")
	// ErrStreamIdle: no byte came for Options.IdleTimeout.
	ErrStreamIdle = errors.New("event stream sent nothing for too long")
	// ErrStreamEnded: the server ended the stream in order.
	ErrStreamEnded = errors.New("event stream ended")
	// ErrStreamTooLarge: an event is longer than MaxEventSize.
	ErrStreamTooLarge = errors.New("event too large")
	// ErrStreamAnswer: not an event stream: another status, another content
	// type, a redirect.
	ErrStreamAnswer = errors.New("answer is not an event stream")
)

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
