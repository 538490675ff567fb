package payment

import (
	"time"

	"github.com/posbridge/bridge/schema"
)

// Input is something that happened to a payment, and when, by the clock of the
// NATS server.
type Input struct {
	At    time.Time
	Event Event
}

// Event is one of the types below.
type Event interface{ event() }

// What can happen to a payment.
type (
	// Delivered: the queue has handed over the session. It is the first input of
	// a payment that a start began, and comes again on every redelivery. A sweep
	// that takes a session which was not delivered in time passes Delivered 2 and
	// no handle: somebody may have worked on it.
	Delivered struct {
		Place Place
		// Session of the message. After the queue was lost it may be another start
		// of an order that this replica follows.
		Session Session
	}
	// Found: another replica has gone, or a sweep or a command came upon an order
	// that nobody follows. It is the first input of a payment without a delivery.
	Found struct{}
	// LogRead: the order's log as the stream's leader has it.
	LogRead struct{ Log Log }
	// Stored: the message in flight is stored.
	Stored struct{ Seq uint64 }
	// Refused: the message in flight was refused by the fence. The machine reads
	// the log to find out what that means (R6).
	Refused struct{}
	// Posted: what the create came to.
	Posted struct {
		Outcome    Outcome
		RetryAfter time.Duration
		// Reason says in words, without secrets, why it is not Done.
		Reason string
		// Provider is what the provider answered, nil without a complete answer.
		Provider *schema.ProviderAnswer
		// SessionID and Sealed come with Done; both may be empty.
		SessionID string
		Sealed    []byte
	}
	// Answered: the provider's definite answer about the order.
	Answered struct {
		// Exists is false when the provider does not know the order.
		Exists                                             bool
		Status, Financial, Transaction, Terminal, Currency string
		// Amount in the currency's smallest unit, 0 when the answer had none.
		Amount int64
		// Created is zero when the answer did not say, or not in which time zone.
		Created time.Time
		// CreatedAbout may be wrong by a time zone.
		CreatedAbout time.Time
		// Elsewhere is set when another terminal of the group has an order with this id,
		// and the provider has told that it exists: ids are unique.
		Elsewhere bool
		// SentAt is when the question that was answered had been sent: directly
		// before the request, not when it was asked for. Asked is the payment's
		// Moment then.
		SentAt time.Time
		Asked  Moment
	}
	// Cancelled: what the cancel came to.
	Cancelled struct {
		Outcome Outcome
		// Status is the order's, with Done.
		Status   string
		Provider *schema.ProviderAnswer
	}
	// StreamOpened: a connection of the event stream is open.
	StreamOpened struct{}
	// StreamEvent: the stream showed a status of this order. The events of a
	// connection come in the order in which they arrived, after its StreamOpened.
	StreamEvent struct{ Observation Observation }
	// StreamInvalid: the stream showed something that could not be understood.
	StreamInvalid struct{ Reason, Type, Data string }
	// StreamUnsettled: something arrived that has not become an event.
	StreamUnsettled struct{}
	// StreamEnded: the connection ended, or did not come to be.
	StreamEnded struct {
		// Lost is set when no other connection will be tried.
		Lost bool
		// Reason in words.
		Reason string
	}
	// Tick: a timer of the payment is due, see Payment.Due.
	Tick struct{}
	// OwnerSaid: what came of the question to the replica that owns the session.
	OwnerSaid struct {
		Word Word
		// Calm is false when this replica itself had trouble with NATS lately.
		Calm bool
	}
	// Asked: another replica asks whether this one follows the session.
	Asked struct {
		Waiter   uint64
		Epoch    uint64
		Handle   string
		QueueSeq uint64
	}
	// CancelAsked: somebody wants the order cancelled.
	CancelAsked struct{ Waiter uint64 }
	// LookAsked: somebody has a reason to ask the provider for the order.
	LookAsked struct{ Waiter uint64 }
	// Outranked: a claim with a higher epoch was seen. It is only a hint.
	Outranked struct {
		Epoch uint64
		Phase ClaimPhase
	}
	// Unlocked: the session has left the queue.
	Unlocked struct{}
	// Requeued: a sweep found the session without a message and queued it again.
	// Its handle comes with a delivery, here or by way of Asked.
	Requeued struct{ Seq uint64 }
	// Draining: this replica stops. It comes again when Alone changes.
	Draining struct {
		// Alone is set when no other replica is known to be there.
		Alone bool
	}
)

// Word is what the owner of a session answered.
type Word int

// What an owner answers.
const (
	// OwnerFollows: it follows the session.
	OwnerFollows Word = iota + 1
	// OwnerLeft: it does not, or stops.
	OwnerLeft
	// OwnerStoring: it stops, and has something to store first.
	OwnerStoring
	// OwnerGone: nobody listens under its name, or it has answered nothing for
	// BRIDGE_REPLICA_TTL.
	OwnerGone
	// OwnerSilent: no answer came.
	OwnerSilent
)

func (Delivered) event()       {}
func (Found) event()           {}
func (LogRead) event()         {}
func (Stored) event()          {}
func (Refused) event()         {}
func (Posted) event()          {}
func (Answered) event()        {}
func (Cancelled) event()       {}
func (StreamOpened) event()    {}
func (StreamEvent) event()     {}
func (StreamInvalid) event()   {}
func (StreamUnsettled) event() {}
func (StreamEnded) event()     {}
func (Tick) event()            {}
func (OwnerSaid) event()       {}
func (Asked) event()           {}
func (CancelAsked) event()     {}
func (LookAsked) event()       {}
func (Outranked) event()       {}
func (Unlocked) event()        {}
func (Requeued) event()        {}
func (Draining) event()        {}
