package schema

import (
	"slices"
	"time"
)

// Statuses that are the bridge's own. All others are the provider's.
const (
	// StatusCreated is in answers to commands while no status has been published
	// yet. It is never published.
	StatusCreated = "created"
	// StatusUnresolved comes from the bridge: it gave the session up, and somebody
	// must look the payment up at the provider. Final, and nothing follows it.
	StatusUnresolved = "unresolved"
	// StatusNotCreated comes from the bridge: the requester got OutcomeUnknown, and
	// then it became certain that the provider has no such order. A new order id
	// may be charged. Final, and nothing follows it.
	StatusNotCreated = "not_created"
)

// finalStatuses are the statuses after which no payment is open. The second line
// can only follow a completed payment; if it is the first that becomes known,
// completed was missed.
var finalStatuses = []string{
	"completed", "cancelled", "expired", "void", StatusUnresolved, StatusNotCreated,
	"reversed", "refunded", "partial_refunded", "chargeback", "chargedback",
}

// IsFinal reports whether a status means that no payment is open: the terminal is
// free. What follows a final status is final too, whatever its own name.
func IsFinal(status string) bool { return slices.Contains(finalStatuses, status) }

// KnownStatuses lists every status that this version knows, in the order in which
// the provider's documents and then the bridge name them. The provider adds
// new ones, and the bridge passes them on: a reader must expect others.
func KnownStatuses() []string {
	open := []string{StatusCreated, "initialized", "declined", "reserved", "uncleared", "shipped"}
	return append(open, finalStatuses...)
}

// How the bridge learnt a status.
const (
	// SourceStream: an event of the payment's event stream.
	SourceStream = "stream"
	// SourceReconcile: the bridge asked the provider for the order, after a gap or a
	// silence. The time before the stream was open is a gap, too, so the first event
	// often has this source.
	SourceReconcile = "reconcile"
	// SourceBridge: the bridge itself, with StatusUnresolved or StatusNotCreated.
	SourceBridge = "bridge"
)

// CloudEventType is the ce-type header of every status event.
const CloudEventType = "com.multisafepay.session.order"

// StartRequest asks for a payment on a terminal.
type StartRequest struct {
	// OrderID is unique for the site, see subjects.CheckOrder. A payment that is
	// over is not started again under it.
	OrderID string `json:"order_id"`
	// TerminalID may be left out on a subject that is bound to a terminal.
	TerminalID string `json:"terminal_id,omitempty"`
	// Amount in the currency's smallest unit, 1 to 999999999.
	Amount int64 `json:"amount"`
	// Currency is an active ISO 4217 code in capitals.
	Currency string `json:"currency"`
	// Description defaults to the order id; at most 200 characters.
	Description string `json:"description,omitempty"`
	// Customer is passed on to the provider.
	Customer *Customer `json:"customer,omitempty"`
	// NotificationURL is where the provider sends its webhook; at most 150
	// characters, see CheckNotificationURL.
	NotificationURL string `json:"notification_url,omitempty"`
	// CustomInfo is passed on to the provider.
	CustomInfo *CustomInfo `json:"custom_info,omitempty"`
}

// Customer describes the payer. It is passed on to the provider.
type Customer struct {
	// Locale like nl_NL.
	Locale    string `json:"locale,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
}

// CustomInfo is for the requester's own use, and passed on to the provider.
type CustomInfo struct {
	Custom1 string `json:"custom_1,omitempty"`
	Custom2 string `json:"custom_2,omitempty"`
	Custom3 string `json:"custom_3,omitempty"`
}

// StartReply says that the order exists at the provider and that the session
// would survive the replica that answered.
type StartReply struct {
	OrderID    string `json:"order_id"`
	TerminalID string `json:"terminal_id"`
	// SessionID is the provider's; absent while it is not known.
	SessionID string `json:"session_id,omitempty"`
	// Status is the last one published, StatusCreated while there is none.
	Status string `json:"status"`
	// StatusSubject is where the order's status events are published.
	StatusSubject string `json:"status_subject"`
	// Created is false when the order was there already.
	Created bool `json:"created"`
}

// OrderRequest names one order: the request of cancel, get and receipt.
type OrderRequest struct {
	TerminalID string `json:"terminal_id,omitempty"`
	OrderID    string `json:"order_id"`
}

// CancelReply carries the status that the order has now.
type CancelReply struct {
	OrderID    string `json:"order_id"`
	TerminalID string `json:"terminal_id"`
	// Status need not be cancelled: the payment may have ended before. Its event
	// may still be on its way.
	Status string `json:"status"`
}

// Session is one order, as get returns it, and list for each active session.
type Session struct {
	OrderID    string `json:"order_id"`
	TerminalID string `json:"terminal_id"`
	// SessionID is the provider's; absent while it is not known.
	SessionID string `json:"session_id,omitempty"`
	// Status is the last one published, StatusCreated while there is none.
	Status          string `json:"status"`
	FinancialStatus string `json:"financial_status"`
	TransactionID   string `json:"transaction_id"`
	// Final is true once no change of the payment itself is expected.
	Final bool `json:"final"`
	// Sequence of the last status event; 0 while there is none.
	Sequence uint64 `json:"sequence"`
	// Active is true while the session is followed and holds its terminal.
	Active bool  `json:"active"`
	Amount int64 `json:"amount"`
	// AmountCharged is what the provider reports when it differs from Amount: a
	// tip, or a partial approval. 0 is absent: not known, or the same.
	AmountCharged int64  `json:"amount_charged,omitempty"`
	Currency      string `json:"currency"`
	// Replica that follows, or last followed, the session.
	Replica   string    `json:"replica"`
	StartedAt time.Time `json:"started_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// ListRequest is empty.
type ListRequest struct{}

// ListReply holds the active sessions.
type ListReply struct {
	Sessions []Session `json:"sessions"`
	// Terminals that the bridge serves, sorted, as far as it knows them without asking
	// the provider; none if it knows none, or more than 1000.
	Terminals []string `json:"terminals,omitempty"`
}

// StatusEvent is one change of an order's status.
type StatusEvent struct {
	OrderID    string `json:"order_id"`
	TerminalID string `json:"terminal_id"`
	// SessionID is the provider's; absent while it is not known.
	SessionID string `json:"session_id,omitempty"`
	// TransactionID is empty when there is none yet.
	TransactionID string `json:"transaction_id"`
	// Status in lower case, as the provider spells it, or StatusUnresolved or
	// StatusNotCreated. See KnownStatuses.
	Status          string `json:"status"`
	FinancialStatus string `json:"financial_status"`
	// PreviousStatus is empty on the first event.
	PreviousStatus string `json:"previous_status"`
	// Final is true from the first final status on: the terminal is free. More
	// events may follow, a reversal for one, and are final too.
	Final bool `json:"final"`
	// Sequence counts 1, 2, 3… per order, without gaps.
	Sequence uint64 `json:"sequence"`
	// Source is SourceStream, SourceReconcile or SourceBridge.
	Source string `json:"source"`
	// Amount that was requested.
	Amount int64 `json:"amount"`
	// AmountCharged is what the provider reports when it differs from Amount: a
	// tip, or a partial approval. 0 is absent: not known, or the same.
	AmountCharged int64 `json:"amount_charged,omitempty"`
	// Reason says in words why the bridge ended the session; only with
	// StatusUnresolved and StatusNotCreated.
	Reason   string `json:"reason,omitempty"`
	Currency string `json:"currency"`
	// ObservedAt is when the bridge learnt it, by its own clock, in UTC.
	ObservedAt time.Time `json:"observed_at"`
}

// InvalidEvent is an event of the provider that the bridge could not understand.
type InvalidEvent struct {
	OrderID    string `json:"order_id"`
	TerminalID string `json:"terminal_id"`
	SessionID  string `json:"session_id,omitempty"`
	// Reason in words.
	Reason string `json:"reason"`
	// Event is the event's type as the provider sent it.
	Event string `json:"event"`
	// Data is at most 4 KiB, with secrets and card numbers removed.
	Data       string    `json:"data"`
	ObservedAt time.Time `json:"observed_at"`
}
