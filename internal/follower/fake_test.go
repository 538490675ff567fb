package follower

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

// fakeBus is a bus of functions; what a test does not set does nothing.
type fakeBus struct {
	Bus
	ask     func(id string) (string, error)
	log     func(order string) (payment.Log, error)
	queued  func(terminal string) (bus.Delivery, error)
	locked  func() []string
	enqueue func(s payment.Session) (uint64, error)
}

func (*fakeBus) Now() time.Time           { return time.Now() }
func (*fakeBus) Calm() time.Duration      { return time.Hour }
func (*fakeBus) StatusCreated() time.Time { return time.Time{} }
func (*fakeBus) InProgress(string) error  { return nil }
func (*fakeBus) Nak(string) error         { return nil }

func (*fakeBus) ServeReplica(string, func([]byte, func([]byte))) (func(), error) {
	return func() {}, nil
}

func (b *fakeBus) AskReplica(_ context.Context, id string, _ []byte) ([]byte, error) {
	answer, err := b.ask(id)
	return []byte(answer), err
}

func (b *fakeBus) ReadLog(ctx context.Context, _, order string, _ bool) (payment.Log, error) {
	if b.log == nil {
		<-ctx.Done()
		return payment.Log{}, ctx.Err()
	}
	return b.log(order)
}

func (b *fakeBus) Queued(_ context.Context, terminal string) (bus.Delivery, error) {
	if b.queued == nil {
		return bus.Delivery{}, bus.ErrNotFound
	}
	return b.queued(terminal)
}

func (b *fakeBus) QueuedTerminals(context.Context) ([]string, error) { return b.locked(), nil }

func (b *fakeBus) Enqueue(_ context.Context, s payment.Session) (uint64, error) { return b.enqueue(s) }

// fakeFollower runs a follower "me" on a fake bus.
func fakeFollower(t *testing.T, b *fakeBus) *Follower {
	t.Helper()
	f := New(Options{
		Rules: payment.Rules{
			Self: "me", Replica: "me", ReplicaTTL: time.Minute, RequestTimeout: time.Second, ReconcileInterval: time.Minute,
			SessionTimeout: time.Hour, ClaimTTL: 2 * time.Hour, Aftercare: []time.Duration{time.Minute},
		},
		ProviderRate: 20, Bus: b, Orders: &orders{changed: make(chan struct{})}, Observer: &orders{},
		Space: subjects.Default(), Swept: func(string) {}, Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f
}
