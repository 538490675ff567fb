package console

import (
	"context"
	"errors"
	"time"
)

// Source is where the page's content comes from. Its methods are called by many
// goroutines at once.
type Source interface {
	Lists
	History
}

// Lists is what changes all the time.
type Lists interface {
	// Terminals tells of the named terminals, or of all that are known when ids
	// is nil. One that is named and not known has no session.
	Terminals(ids []string) []Terminal
	// Payments tells of recent payments with a Revision above after, oldest first.
	Payments(after uint64) []Payment
	// Overview tells how things are.
	Overview() Overview
	// Watch has changed called after every change of a terminal, with "" after
	// changes that may concern all of them, until stop is called. changed must
	// return at once.
	Watch(changed func(terminal string)) (stop func())
}

// History is what has happened.
type History interface {
	// Course tells what is known of an order. An empty terminal means the one
	// that the order was last on. It fails with ErrNotFound.
	Course(ctx context.Context, terminal, order string) (Course, error)
}

// ErrNotFound means that nothing is known of an order.
var ErrNotFound = errors.New("the order is not known")

// Terminal is a terminal and what goes on there.
type Terminal struct {
	ID string `json:"id"`
	// Group is empty while it is not known.
	Group string `json:"group,omitempty"`
	// Seen is when something last happened there; zero for never.
	Seen time.Time `json:"seen,omitzero"`
	// Order is the one that something last happened to, with its status; both are
	// left out while a session is open.
	Order  string `json:"order,omitempty"`
	Status string `json:"status,omitempty"`
	// Session is the open one; nil while the terminal is free.
	Session *Session `json:"session,omitempty"`
}

// Session is an open payment.
type Session struct {
	Order string `json:"order"`
	// Amount is in the currency's smallest unit.
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	Status   string    `json:"status"`
	Started  time.Time `json:"started"`
	// Replica follows it; empty while it is between two.
	Replica string `json:"replica,omitempty"`
	// Stream is connected, reconnecting or polling; empty until the order exists.
	Stream string `json:"stream,omitempty"`
}

// Payment is one that is over.
type Payment struct {
	// Revision grows with every news of any payment.
	Revision uint64    `json:"revision"`
	Terminal string    `json:"terminal"`
	Order    string    `json:"order"`
	Status   string    `json:"status"`
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	Started  time.Time `json:"started,omitzero"`
	// At is when the status was observed.
	At time.Time `json:"at"`
}

// Overview tells how things are, and what this replica has counted since it
// started. The numbers are those of /metrics.
type Overview struct {
	Replica string `json:"replica"`
	Version string `json:"version,omitempty"`
	// Open is how many sessions are open, on all replicas.
	Open   int      `json:"open"`
	Health []Health `json:"health"`
	Totals []Total  `json:"totals"`
	// Problem says why the lists may be old; empty when they are not.
	Problem string `json:"problem,omitempty"`
}

// How something is.
const (
	Good    = "good"
	Trouble = "trouble"
	Bad     = "bad"
	Unknown = "unknown"
)

// Health is how one thing is, in words.
type Health struct {
	Name string `json:"name"`
	// State is Good, Trouble, Bad or Unknown.
	State string `json:"state"`
	Words string `json:"words"`
}

// Total is one number.
type Total struct {
	Name string `json:"name"`
	// Value is as it is to be read.
	Value string `json:"value"`
	// Metric is where it stands in /metrics.
	Metric string `json:"metric"`
}

// Course is what is known of one order.
type Course struct {
	Terminal      string `json:"terminal"`
	Order         string `json:"order"`
	SessionID     string `json:"session_id,omitempty"`
	TransactionID string `json:"transaction_id,omitempty"`
	Status        string `json:"status"`
	// Financial is the provider's financial status.
	Financial string    `json:"financial_status,omitempty"`
	Final     bool      `json:"final"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	Started   time.Time `json:"started,omitzero"`
	// Replica is who follows it, empty when nobody does.
	Replica string `json:"replica,omitempty"`
	Stream  string `json:"stream,omitempty"`
	// Steps by time.
	Steps []Step `json:"steps"`
	// Note says what the steps may lack.
	Note string `json:"note,omitempty"`
}

// Kinds of a step.
const (
	// StepStatus: a status event.
	StepStatus = "status"
	// StepActivity: something that the bridge did, or met.
	StepActivity = "activity"
	// StepTrouble: something that went wrong on the way.
	StepTrouble = "trouble"
	// StepTakeover: another replica goes on.
	StepTakeover = "takeover"
)

// Step is one thing that happened in the course of a payment.
type Step struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	// Text says what happened, unless the kind is StepStatus.
	Text string `json:"text,omitempty"`
	// Count is how often it happened in a row, until Until; 0 means once.
	Count int       `json:"count,omitempty"`
	Until time.Time `json:"until,omitzero"`

	// Of a status event.
	Status   string `json:"status,omitempty"`
	Source   string `json:"source,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	Final    bool   `json:"final,omitempty"`
	Replica  string `json:"replica,omitempty"`
	// Latency is from observing it to having it stored, in milliseconds; nil
	// when it is not known.
	Latency *float64 `json:"latency_ms,omitempty"`
}
