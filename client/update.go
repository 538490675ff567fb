package client

import (
	"fmt"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Update is what a Following tells. It is one of Status, Invalid, Unknown, Link, Retry
// and Trouble.
type Update interface{ isUpdate() }

// Status is a status of an order: an event, or what the bridge answered in its place.
type Status struct {
	schema.StatusEvent
	// Body is the message as it came.
	Body []byte
	// Asked is true when the event was missed and cannot be read from the stream. The
	// bridge was asked for the order instead, and Body is its answer.
	Asked bool
	// Missed is how many statuses were published directly before this one that could
	// not be seen.
	Missed uint64
}

// Invalid is an event of the provider's that the bridge could not understand.
type Invalid struct {
	schema.InvalidEvent
	// Body is the message as it was published.
	Body []byte
}

// Unknown says that the bridge was asked and does not know the order.
type Unknown struct{ Terminal, Order string }

// Link says that the connection to NATS was lost, or is back.
type Link struct {
	Up bool
	// Blind is true when the connection is back and what was published meanwhile
	// cannot be read: this NATS user may not, or the stream is not there.
	Blind bool
}

// Retry says that a command has no result yet, and what comes next.
type Retry struct {
	Command subjects.Command
	// Err is why.
	Err error
	// Try counts the attempts so far, from 1. Elapsed is the time since the first began.
	Try     int
	Elapsed time.Duration
	// Listening: the bridge has the request, and the client waits on for its answer.
	// Otherwise the request is sent again after Pause.
	Listening bool
	Pause     time.Duration
}

// String says all of it in one line.
func (r Retry) String() string {
	return fmt.Sprintf("%s: %v (attempt %d, after %s); %s", r.Command, r.Err, r.Try, r.Elapsed.Round(100*time.Millisecond), r.Next())
}

// Next says what the client does next.
func (r Retry) Next() string {
	switch {
	case r.Listening:
		return "the bridge has the request, waiting on for its answer"
	case r.Pause > 0:
		return "sending the request again in " + r.Pause.String()
	}
	return "sending the request again"
}

// Trouble says what does not work now and is tried again later.
type Trouble struct{ Err error }

func (Status) isUpdate()  {}
func (Invalid) isUpdate() {}
func (Unknown) isUpdate() {}
func (Link) isUpdate()    {}
func (Retry) isUpdate()   {}
func (Trouble) isUpdate() {}
