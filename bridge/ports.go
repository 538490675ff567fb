package bridge

import (
	"context"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// Queue is the work queue of open sessions: the terminals' locks.
type Queue interface {
	// Enqueue locks the session's terminal. bus.ErrConflict: it is locked.
	Enqueue(ctx context.Context, s bus.Session) (seq uint64, err error)
	// Queued returns the session that locks a terminal, or bus.ErrNotFound.
	Queued(ctx context.Context, terminal string) (s bus.Session, seq uint64, err error)
	// Remade reports whether the queue was lost after a place in it was given away.
	Remade(ctx context.Context, seq uint64) (bool, error)
	// Consume hands sessions to take until ctx is over.
	Consume(ctx context.Context, take func(bus.Delivery), report func(error)) error
}

// Journal is the stream of statuses: the truth, and the fence.
type Journal interface {
	// Append publishes a status if the last one still stands at sequence after.
	Append(ctx context.Context, s bus.Status, after uint64) (seq uint64, err error)
	// Last returns an order's last status, or bus.ErrNotFound.
	Last(ctx context.Context, terminal, order string) (bus.Status, error)
	// Since returns an order's statuses after a sequence of the stream, in order,
	// and where the last message on their subject stands.
	Since(ctx context.Context, terminal, order string, after uint64) (statuses []bus.Status, last uint64, err error)
	// AppendInvalid publishes an event that could not be understood.
	AppendInvalid(ctx context.Context, e schema.InvalidEvent) error
}

// Records is the bucket that says who follows which session.
type Records interface {
	Record(ctx context.Context, terminal string) (r bus.Record, revision uint64, err error)
	PutRecord(ctx context.Context, terminal string, r bus.Record, revision uint64) (uint64, error)
	DeleteRecord(ctx context.Context, terminal string, revision uint64) error
	WatchRecords(ctx context.Context, change func(bus.RecordChange), ready func()) error
	RecordsRevision(ctx context.Context) (uint64, error)
}

// Requesters are those who wait for an answer.
type Requesters interface {
	Reply(inbox string, header map[string]string, body []byte) error
	// IsInbox reports whether a subject is one that a requester may be answered on.
	IsInbox(subject string) bool
}

// Provider is MultiSafepay.
type Provider interface {
	Create(ctx context.Context, key redact.Secret, o multisafepay.Order) (multisafepay.Created, error)
	Get(ctx context.Context, key redact.Secret, order string) (multisafepay.OrderState, error)
	Cancel(ctx context.Context, key redact.Secret, order string) (status string, err error)
	Follow(ctx context.Context, s multisafepay.Stream, h multisafepay.StreamHandler) error
}

// Clock is the one that all replicas share.
type Clock interface {
	// Now is the time of everything that another replica may read or go by.
	Now() time.Time
}

// Groups knows which terminal group's key serves a terminal.
type Groups interface {
	Lookup(ctx context.Context, terminal string) (terminalgroups.Group, error)
	// Keep is for an order that was made with a group's key: that group, while it
	// is there.
	Keep(ctx context.Context, terminal, group string) (terminalgroups.Group, error)
}
