package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrConflict says that the expected sequence is not the last one. Nothing was stored by
	// this call. An earlier try whose answer was lost may be what it met.
	ErrConflict = errors.New("another message was stored first")
	// ErrBusy says that a publish on the same filter is in flight, perhaps an earlier try
	// of the caller, or that the message id is remembered from before a purge. Nothing was
	// stored by this call. The caller tries again.
	ErrBusy = errors.New("another publish is in flight")
	// ErrNotFound says that there is nothing on the subject.
	ErrNotFound = errors.New("not found")
	// ErrNoResponders says that NATS knows nobody who listens on the subject.
	ErrNoResponders = nats.ErrNoResponders
	// ErrNewer says that a later release of the bridge wrote the message in a format that
	// this release does not know. Only that release can continue with it.
	ErrNewer = errors.New("a newer version of the bridge wrote it")
	// errNoVersion: no release of the bridge wrote the message.
	errNoVersion = errors.New("it has no version")
	// ErrHandle says that the text is not an acknowledgement subject of the queue.
	ErrHandle = errors.New("not a delivery of the queue")
)

// UnfitError says that JetStream, or an object in it, cannot be used as it is,
// and what to change. Waiting does not help.
type UnfitError struct {
	// Object is the stream or consumer, or "JetStream" itself.
	Object string
	// Problem in words, with the value that was found.
	Problem string
	// Hint says what to change.
	Hint string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Object, e.Problem, e.Hint)
}

// permissions is the Object of an UnfitError when the server refuses a right, and grant
// its Hint.
const (
	permissions = "NATS permissions"
	grant       = "grant it to the bridge's user (deploy/nats shows the least rights)"
)

// RefusedError says that NATS refused a message and will refuse it again: the
// stream is full, the message is too long, or the bridge lacks the right. Nothing
// was stored.
type RefusedError struct {
	// Op is what the bridge tried, for example "publish claim".
	Op string
	// Err is the answer of NATS.
	Err error
}

func (e *RefusedError) Error() string { return e.Op + ": refused: " + e.Err.Error() }

// Unwrap returns the answer of NATS.
func (e *RefusedError) Unwrap() error { return e.Err }

// Error codes of the JetStream API for which nats.go has no name.
const (
	codeResourcesExceeded = 10002
	codeNotAvailable      = 10008
	codeClusterNoLeader   = 10009
	codeInsufficient      = 10023
	codeMaxStreams        = 10027
	codeNoMemory          = 10028
	codeSequenceNotFound  = 10043
	codeStorageExceeded   = 10047
	codeDeleteFailed      = 10057
	codeStreamMismatch    = 10060
	codeSubjectOverlap    = 10065
	codeReplicasTooMany   = 10074
	codeStoreFailed       = 10077
	codeHeaderTooLong     = 10097
	codeSealed            = 10109
	codeRollupRefused     = 10111
	codeMaxBytesRequired  = 10113
	codeIDInProcess       = 10158
	codeTTLInvalid        = 10165
	codeTTLDisabled       = 10166
)

// publishError classifies the error of a publish.
func publishError(op string, err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrPermissionViolation) {
		return &RefusedError{op, err}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence:
		return ErrConflict
	case jetstream.JSErrCodeStreamWrongLastSequenceConstant, codeIDInProcess:
		return ErrBusy
	case codeStoreFailed:
		// The code alone does not tell a full stream from a store that is closing.
		if strings.HasPrefix(api.Description, "maximum ") {
			return &RefusedError{op, err}
		}
	case jetstream.JSErrCodeStreamMessageExceedsMaximum, codeResourcesExceeded, codeInsufficient, codeNoMemory,
		codeStorageExceeded, codeStreamMismatch, codeHeaderTooLong, codeSealed, codeRollupRefused, codeTTLInvalid, codeTTLDisabled:
		return &RefusedError{op, err}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// isTrouble reports whether an error suggests that NATS, not the request, has a
// problem: a time-out, nobody answers, no leader.
func isTrouble(err error) bool {
	if _, refused := errors.AsType[*RefusedError](err); refused {
		return false
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503 || api.ErrorCode == codeNotAvailable || api.ErrorCode == codeClusterNoLeader
	}
	return errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionClosed)
}
