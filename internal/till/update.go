package till

import "github.com/posbridge/bridge/schema"

// Update is what a Following tells. It is one of StatusUpdate, SessionUpdate,
// InvalidUpdate, UnknownUpdate, MissedUpdate, LinkUpdate and TroubleUpdate.
type Update interface{ isUpdate() }

// StatusUpdate is a status event.
type StatusUpdate struct {
	schema.StatusEvent
	// Body is the message as it was published.
	Body []byte
}

// SessionUpdate is what the bridge answered about an order of which a status
// event was missed and could not be read from the stream. It stands for that
// event.
type SessionUpdate struct {
	schema.Session
	// Body is the reply as it came.
	Body []byte
}

// InvalidUpdate is an event of the provider's that the bridge could not
// understand.
type InvalidUpdate struct {
	schema.InvalidEvent
	// Body is the message as it was published.
	Body []byte
}

// UnknownUpdate says that the bridge was asked and does not know the order.
type UnknownUpdate struct{}

// MissedUpdate names status events of an order that were published and could not
// be seen.
type MissedUpdate struct {
	Terminal, Order string
	// From and To are sequence numbers, both included.
	From, To uint64
}

// LinkUpdate says that the connection to NATS was lost, or is back.
type LinkUpdate struct {
	Up bool
	// Blind is true when the connection is back and what was published meanwhile
	// cannot be read: this NATS user may not, or the stream is not there.
	Blind bool
}

// TroubleUpdate says what does not work now and is tried again later.
type TroubleUpdate struct{ Err error }

func (StatusUpdate) isUpdate()  {}
func (SessionUpdate) isUpdate() {}
func (InvalidUpdate) isUpdate() {}
func (UnknownUpdate) isUpdate() {}
func (MissedUpdate) isUpdate()  {}
func (LinkUpdate) isUpdate()    {}
func (TroubleUpdate) isUpdate() {}
