package payment

import (
	"time"

	"github.com/posbridge/bridge/schema"
)

// Rules are the settings that decide how a payment goes; see the variables of
// the same names. They are the same for every payment of a replica.
type Rules struct {
	// Self is this process: another one, also of the same replica name, has
	// another value.
	Self string
	// Replica is the name that people see.
	Replica           string
	ReplicaTTL        time.Duration
	RequestTimeout    time.Duration
	BackoffInitial    time.Duration
	BackoffMax        time.Duration
	ReconcileInterval time.Duration
	SettleWindow      time.Duration
	SessionTimeout    time.Duration
	// Aftercare are the times after an unpaid end at which the order is asked
	// for again, ascending.
	Aftercare []time.Duration
	// ClaimTTL is how long the stream keeps a claim.
	ClaimTTL time.Duration
	// without are the rules that a test has switched off.
	without ruleSet
}

// Session is what was asked for: one payment on one terminal. It never changes. The
// work queue stores it, and so does a claim: with it alone, the order can be created
// and the session queued again.
type Session struct {
	// Request as it was accepted, every default filled in.
	Request schema.StartRequest `json:"request"`
	// Hash of the request's content: the same order with another hash is
	// another request under the same name.
	Hash string `json:"hash"`
	// Nonce tells this start from every other one, also when the answer to its publish
	// was lost.
	Nonce string `json:"nonce"`
	// Group is the terminal group whose key is used from first to last.
	Group string `json:"group"`
	// Reply is the requester's inbox; empty when nobody waits.
	Reply string `json:"reply,omitempty"`
	// Deadline is when it is dropped if it was not put to the provider. It counts from
	// the request, which may be long before the message.
	Deadline time.Time `json:"deadline,omitzero"`
	// StartedAt is when the session was stored for the first time, by the NATS
	// server's clock: one that is queued again is not younger for it (R4). It is zero in
	// the queue until then.
	StartedAt time.Time `json:"started_at,omitzero"`
	// Trace is the W3C trace context of the request.
	Trace map[string]string `json:"trace,omitempty"`
}

// Terminal is the terminal of the session.
func (s Session) Terminal() string { return s.Request.TerminalID }

// Order is the order of the session.
func (s Session) Order() string { return s.Request.OrderID }

// Place is where the session is in the work queue.
type Place struct {
	// Seq of the message; 0 when the session has no message there.
	Seq uint64
	// Handle is the ack subject of a delivery, this replica's or that of the
	// owner before; empty when there is none.
	Handle string
	// Delivered is how often the message was delivered; 0 when this replica
	// works without a delivery.
	Delivered uint64
	// LogCreated is when the status stream was made: a log that is younger than the
	// session proves nothing.
	LogCreated time.Time
	// Gone is set once the message has left the queue.
	Gone bool
}

// ClaimPhase says how far a session has come, as its claim stores it.
type ClaimPhase string

// The phases of a claim.
const (
	// ClaimCreating: a create may have reached the provider.
	ClaimCreating ClaimPhase = "creating"
	// ClaimOpen: the order exists at the provider.
	ClaimOpen ClaimPhase = "open"
	// ClaimClosed: the session ended without an order; Answer says why.
	ClaimClosed ClaimPhase = "closed"
)

// Claim is the current record of an order: who writes its log, and what another
// replica needs to go on. The log keeps only the last one.
type Claim struct {
	// Owner is the process that follows the session, Replica its name.
	Owner   string `json:"owner"`
	Replica string `json:"replica"`
	// Epoch counts the claims of owners of this order.
	Epoch uint64     `json:"epoch"`
	Phase ClaimPhase `json:"phase"`
	// Session is what was asked for. It is stored field by field beside the others.
	Session Session `json:"-"`
	// SessionID is the provider's, empty while unknown.
	SessionID string `json:"session_id,omitempty"`
	// Sealed holds the event stream's address and token, encrypted.
	Sealed []byte `json:"sealed,omitempty"`
	// Handle and QueueSeq are the session's place in the work queue.
	Handle   string `json:"handle,omitempty"`
	QueueSeq uint64 `json:"queue_seq"`
	// Answer is what a closed session was answered.
	Answer *schema.Error `json:"answer,omitempty"`
	// Ended are the nonces of earlier sessions of the order that ended without
	// it, oldest first: a publish of one of them may still arrive.
	Ended []string `json:"ended,omitempty"`
	// UpdatedAt is when the claim was written.
	UpdatedAt time.Time `json:"updated_at"`
}

// Status is a status as the log stores it.
type Status struct {
	Event schema.StatusEvent
	// Hash of the request that the order came from, and Group whose key it goes by.
	Hash, Group string
	// Replica and Epoch of the owner that wrote it.
	Replica string
	Epoch   uint64
	// EventID is the id of the provider's event, empty when it had none.
	EventID string
	// StartedAt is when the session was stored.
	StartedAt time.Time
	// Trace is sent as the message's trace context; it is not read back.
	Trace map[string]string
	// Seq and At are the place in the stream and when it was stored. They are set
	// on what was read, and ignored on what is written.
	Seq uint64
	At  time.Time
}

// Log is what the status stream holds of one order.
type Log struct {
	// Claim is nil when there is none.
	Claim *Claim
	// Statuses are all of them, oldest first, or only the last one.
	Statuses []Status
	// Last is the sequence of the last message of the order, of whatever kind;
	// 0 when there is none.
	Last uint64
	// Created is when the stream was made. An order that is older may have had a log.
	Created time.Time
}

// Newest is the last status, nil when there is none.
func (l Log) Newest() *Status {
	if len(l.Statuses) == 0 {
		return nil
	}
	return &l.Statuses[len(l.Statuses)-1]
}

// Over reports whether the payment has ended: the terminal is free.
func (l Log) Over() bool {
	newest := l.Newest()
	return newest != nil && newest.Event.Final
}
