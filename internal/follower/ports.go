package follower

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Bus is what the follower needs of NATS.
type Bus interface {
	OrderLog
	Queue
	Replicas
	// Reply answers a requester on its inbox.
	Reply(inbox string, failure *schema.Error, body []byte) error
	Clock
	// Calm is how long the connection has had no trouble.
	Calm() time.Duration
}

// Clock is the one that all replicas share.
type Clock interface {
	// Now is the time by the NATS server's clock.
	Now() time.Time
}

// OrderLog is the status stream.
type OrderLog interface {
	AppendClaim(ctx context.Context, terminal, order string, c payment.Claim, expect uint64, done bus.Published)
	AppendStatus(ctx context.Context, s payment.Status, expect uint64, done bus.Published)
	AppendInvalid(ctx context.Context, e schema.InvalidEvent, expect uint64, done bus.Published)
	ReadLog(ctx context.Context, terminal, order string, all bool) (payment.Log, error)
	// StatusCreated is when the stream was created, as far as is known.
	StatusCreated() time.Time
}

// Queue is the work queue.
type Queue interface {
	Enqueue(ctx context.Context, s payment.Session) (seq uint64, err error)
	Queued(ctx context.Context, terminal string) (bus.Delivery, error)
	QueuedTerminals(ctx context.Context) ([]string, error)
	InProgress(handle string) error
	Nak(handle string) error
	Ack(ctx context.Context, handle string) error
	DeleteSession(ctx context.Context, seq uint64) error
}

// Replicas reaches the other replicas.
type Replicas interface {
	AskReplica(ctx context.Context, id string, question []byte) ([]byte, error)
	ServeReplica(id string, handle func(question []byte, reply func(answer []byte))) (stop func(), err error)
}

// Provider is MultiSafepay.
type Provider interface {
	Create(ctx context.Context, key redact.Secret, o schema.StartRequest, notAfter time.Time) (multisafepay.Created, error)
	Get(ctx context.Context, key redact.Secret, order string) (multisafepay.OrderState, error)
	Cancel(ctx context.Context, key redact.Secret, order string) (status string, err error)
	Follow(ctx context.Context, s multisafepay.Stream, lastID string, h multisafepay.StreamHandler) error
}

// Groups knows the keys of terminal groups.
type Groups interface {
	ByID(group string) (terminalgroups.Group, bool)
	Lookup(ctx context.Context, terminal string) (terminalgroups.Group, error)
}

// Orders is what the board knows of the orders of all replicas. It may lag.
type Orders interface {
	// Open are the orders that have a claim and are not over, with the owner.
	Open() map[Ref]string
	// Watched are the orders that ended unpaid, or were paid without another amount,
	// less than the given times ago, with the owner of their claim.
	Watched(unpaid, paid time.Duration) map[Ref]string
	// Elsewhere reports whether an order with this id is known to exist on another
	// terminal of the group.
	Elsewhere(ref Ref, group string) bool
}

// Ref names one order.
type Ref = board.Ref

func refOf(s payment.Session) Ref { return Ref{Terminal: s.Terminal(), Order: s.Order()} }

// Observer is told what happens to payments, for people who look.
type Observer interface {
	Noted(terminal, order string, note payment.Note, at time.Time)
}

// Options are what a follower works with.
type Options struct {
	Rules         payment.Rules
	StartDeadline time.Duration
	// ProviderRate is in calls per second and terminal group.
	ProviderRate float64
	// NotificationURL is what orders get whose request names none; it may be empty.
	NotificationURL string
	Bus             Bus
	Provider        Provider
	Groups          Groups
	Orders          Orders
	Observer        Observer
	// Swept is called after each sweep with what JetStream had done wrong and the sweep
	// has repaired, "" for nothing.
	Swept   func(faults string)
	Space   subjects.Space
	Metrics *telemetry.Metrics
	Log     *zap.Logger
}
