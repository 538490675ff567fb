package commands

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Bus is what the commands need of NATS, besides the micro service.
type Bus interface {
	Enqueue(ctx context.Context, s payment.Session) (seq uint64, err error)
	Queued(ctx context.Context, terminal string) (bus.Delivery, error)
	ReadLog(ctx context.Context, terminal, order string, all bool) (payment.Log, error)
	ReadLogFast(ctx context.Context, terminal, order string, all bool) (payment.Log, error)
	LastSeq(ctx context.Context) (uint64, error)
	// IsInbox reports whether a requester may be answered on a subject.
	IsInbox(subject string) bool
	Reply(inbox string, failure *schema.Error, body []byte) error
	// Nested reports whether a terminal's commands are those of another bridge, whose
	// prefix is longer.
	Nested(terminal string) bool
	// Now is the time by the NATS server's clock.
	Now() time.Time
}

// Owner reaches whoever follows a payment, wherever it is.
type Owner interface {
	// Cancel has the order cancelled. The status is the one that the payment has
	// then, or that will be published for it.
	Cancel(ctx context.Context, terminal, order string) (status string, failure *schema.Error)
	// Look has the provider asked for the order, and returns when its answer is stored.
	Look(ctx context.Context, terminal, order string) error
	// News is the newest that the owner of a claim knows of the order, stored or not.
	News(ctx context.Context, ref board.Ref, owner string) (transaction, financial string, ok bool)
}

// Groups finds the terminal group of a terminal, and a group by its id.
type Groups interface {
	// Terminals has those that are known, without asking for them.
	Terminals() map[string]string
	Lookup(ctx context.Context, terminal string) (terminalgroups.Group, error)
	ByID(group string) (terminalgroups.Group, bool)
}

// Provider has the receipts.
type Provider interface {
	Receipt(ctx context.Context, key redact.Secret, order string) (schema.Receipt, error)
}

// Options are what the commands work with.
type Options struct {
	Bus      Bus
	Board    *board.Board
	Owner    Owner
	Groups   Groups
	Provider Provider
	Space    subjects.Space
	// Replica is the name of this replica, Version that of the program; both are
	// shown by the micro service.
	Replica, Version string
	// StartDeadline is until when an order may be put to the provider.
	StartDeadline time.Duration
	// RequestTimeout bounds one call to the provider.
	RequestTimeout time.Duration
	Metrics        *telemetry.Metrics
	Log            *zap.Logger
	// Tracer traces commands; nil traces nothing.
	Tracer trace.Tracer
}
