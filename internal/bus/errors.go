package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrConflict refuses a write because something else was written first:
	// the terminal's lock is taken, another replica published the next status,
	// or the record has moved on. Nothing was written by this call; an earlier
	// try of the same write, whose answer was lost, may be what it met.
	ErrConflict = errors.New("written by somebody else first")
	// ErrNotFound tells that there is nothing under the subject or key.
	ErrNotFound = errors.New("not found")
)

// UnfitError says that JetStream, or an object in it, cannot be used as it is,
// and what to change. It does not go away by waiting.
type UnfitError struct {
	// Object is the stream, bucket or consumer, or "JetStream" itself.
	Object string
	// Problem in words, with the value that was found.
	Problem string
	// Hint says what to change.
	Hint string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Object, e.Problem, e.Hint)
}

// isConflict tells a refused expectation from every other error. One server
// answers 10071, replicated streams 10164.
func isConflict(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
