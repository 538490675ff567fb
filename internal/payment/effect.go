package payment

import (
	"time"

	"github.com/posbridge/bridge/schema"
)

// Effect is something to do. Whoever executes it repeats what may be repeated
// until there is a definite outcome, and reports that as an input. Effects of
// one kind never overlap: the next comes after the input that ended the last.
// The exception is Ask, see there. Nothing is done any more after Leave.
type Effect interface{ effect() }

// What a payment can ask for.
type (
	// ReadLog reads all of the order's log from the stream's leader. → LogRead.
	ReadLog struct{}
	// StoreClaim, StoreStatus and StoreInvalid publish to the order's log,
	// expecting Expect as the last sequence of the order. A try whose confirmation
	// was lost is repeated as it is: the fence refuses it if it was stored, and
	// the log tells. A confirmation that says "duplicate" is a refusal (R8).
	// → Stored or Refused.
	StoreClaim struct {
		Claim  Claim
		Expect uint64
	}
	StoreStatus struct {
		Status Status
		Expect uint64
	}
	StoreInvalid struct {
		Event  schema.InvalidEvent
		Expect uint64
	}
	// Create puts the order to the provider after a pause, unless NotAfter has
	// passed directly before it is written. It is sent once. → Posted.
	Create struct {
		After    time.Duration
		NotAfter time.Time
	}
	// Ask asks the provider for the order, until there is a definite answer. If a
	// routine question waits, another Ask takes its place; if one is on its way,
	// its answer is enough for both. → Answered, once.
	Ask struct {
		// Routine questions are about healthy, silent streams and have a budget.
		// First is set on the first one about an order: it goes before the others.
		Routine, First bool
		// After is a pause before the question.
		After time.Duration
	}
	// Cancel asks the provider to cancel the order. It is sent once. → Cancelled.
	Cancel struct{}
	// OpenStream keeps a connection to the event stream until CloseStream.
	// → StreamOpened, StreamEvent, StreamInvalid, StreamUnsettled, StreamEnded.
	OpenStream struct {
		Sealed []byte
		// LastID is the id of the last event that is known.
		LastID string
	}
	// CloseStream ends the connection. Nothing of it is reported afterwards.
	CloseStream struct{}
	// AnswerStart answers the requester of the start: with Failure if it is set.
	// A requester may get two answers, from two replicas; it takes the first.
	AnswerStart struct {
		// Reply is the inbox of another start of the same order; empty for the
		// payment's own session.
		Reply     string
		SessionID string
		Status    string
		Created   bool
		Failure   *schema.Error
	}
	// Respond answers somebody who asked this payment something. Status is that
	// of the order, for a cancel.
	Respond struct {
		Waiter  uint64
		Status  string
		Failure *schema.Error
		// Elsewhere is set when this replica does not follow the payment (any
		// more): another one may.
		Elsewhere bool
		// Storing is set when this replica stops, and has something to store before
		// another one may go on: ask again.
		Storing bool
	}
	// AskOwner asks the owner of the session whether it follows it, after a
	// pause. → OwnerSaid.
	AskOwner struct {
		Owner    string
		Epoch    uint64
		Handle   string
		QueueSeq uint64
		After    time.Duration
	}
	// Unlock takes the session out of the queue, confirmed: an ack by the handle,
	// or a delete by the sequence without one (R10). That the message is gone
	// already is success. → Unlocked.
	Unlock struct{ Place Place }
	// GiveBack has the queue hand the session to another replica at once. If it is
	// lost, that happens after BRIDGE_REPLICA_TTL.
	GiveBack struct{ Handle string }
	// Leave ends the payment on this replica: it gets no more input.
	Leave struct{ Why LeaveReason }
	// Note is for people who look: logs, metrics and the console.
	Note struct {
		Kind NoteKind
		Text string
		// Event is set with NoteStatus, with the time at which its observation
		// was learnt.
		Event *schema.StatusEvent
	}
)

// LeaveReason says why a payment is left.
type LeaveReason string

// Why a payment is left.
const (
	LeaveDone       LeaveReason = "done"
	LeaveFollowed   LeaveReason = "followed by another replica"
	LeaveOutranked  LeaveReason = "taken over by another replica"
	LeaveHandedOver LeaveReason = "handed over"
	LeaveUnknown    LeaveReason = "nothing is known of the order"
)

// NoteKind is what a note is about.
type NoteKind string

// What notes are about.
const (
	NoteTaken     NoteKind = "taken"     // from the queue
	NoteTookOver  NoteKind = "took over" // from another replica that had gone
	NoteTakenOn   NoteKind = "taken on"  // from another replica that handed it over
	NoteCreated   NoteKind = "created"   // the order exists
	NoteFailed    NoteKind = "failed"    // a create failed, and the start goes on
	NoteStatus    NoteKind = "status"    // a status is stored
	NoteInvalid   NoteKind = "invalid"   // an event was not understood
	NoteStream    NoteKind = "stream"    // the stream opened or ended
	NoteAnswer    NoteKind = "answer"    // the provider answered a question
	NoteNews      NoteKind = "news"      // the same, with something that the stream has not shown
	NoteTrouble   NoteKind = "trouble"   // something went wrong on the way
	NoteRefused   NoteKind = "refused"   // the start was refused
	NoteUnlocked  NoteKind = "unlocked"  // the terminal is free
	NoteWithdrawn NoteKind = "withdrawn" // an order that nobody waits for was cancelled
)

func (ReadLog) effect()      {}
func (StoreClaim) effect()   {}
func (StoreStatus) effect()  {}
func (StoreInvalid) effect() {}
func (Create) effect()       {}
func (Ask) effect()          {}
func (Cancel) effect()       {}
func (OpenStream) effect()   {}
func (CloseStream) effect()  {}
func (AnswerStart) effect()  {}
func (Respond) effect()      {}
func (AskOwner) effect()     {}
func (Unlock) effect()       {}
func (GiveBack) effect()     {}
func (Leave) effect()        {}
func (Note) effect()         {}
