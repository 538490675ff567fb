package bridge

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// quietProvider makes every order and knows of no change. It notes when it was
// asked.
type quietProvider struct {
	create func() error
	follow func(ctx context.Context, h multisafepay.StreamHandler) error

	mu      sync.Mutex
	creates int
	asked   []time.Time
}

func (p *quietProvider) Create(context.Context, redact.Secret, multisafepay.Order) (multisafepay.Created, error) {
	p.mu.Lock()
	p.creates++
	p.mu.Unlock()
	if p.create != nil {
		if err := p.create(); err != nil {
			return multisafepay.Created{}, err
		}
	}
	return multisafepay.Created{SessionID: "s", Stream: multisafepay.Stream{URL: "https://provider.invalid/events", Token: redact.NewSecret("token")}}, nil
}

func (p *quietProvider) Get(_ context.Context, _ redact.Secret, order string) (multisafepay.OrderState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, time.Now())
	return multisafepay.OrderState{OrderID: order, Status: "initialized"}, nil
}

func (p *quietProvider) Cancel(context.Context, redact.Secret, string) (string, error) {
	return "", &multisafepay.Error{Op: multisafepay.OpCancel, Kind: multisafepay.KindRejected, Status: 400}
}

func (p *quietProvider) Follow(ctx context.Context, _ multisafepay.Stream, h multisafepay.StreamHandler) error {
	return p.follow(ctx, h)
}

// alone runs one replica on a bus in memory, in a bubble, until do returns.
func alone(t *testing.T, p Provider, do func(r *Replica, server *bustest.Memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := bustest.NewMemory(10*time.Second, nil)
		client := server.Client(bustest.Faults{})
		r := NewReplica(Settings{
			ReplicaID: "a", ReplicaTTL: 10 * time.Second, StartDeadline: 30 * time.Second,
			BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second, ReconcileInterval: 15 * time.Second,
			SettleWindow: 3 * time.Second, SessionTimeout: 30 * time.Minute, RequestTimeout: 10 * time.Second,
		}, Ports{
			Queue: client, Journal: client, Records: client, Requesters: client, Clock: skewed(0),
			Provider: p, Groups: terminalgroups.Single(redact.NewSecret("key")),
			Space: subjects.Default(), Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { r.watchRecords(ctx, func() {}) })
		work.Go(func() { r.keepPulse(ctx) })
		work.Go(func() {
			if err := client.Consume(ctx, r.take, func(error) {}); err != nil {
				t.Error(err)
			}
		})
		do(r, server)
		cancel()
		r.stopWork()
		work.Wait()
		r.wg.Wait()
	})
}

// A stream that never works, and that is tried again and again, keeps the order
// from being asked for no longer than the backoff allows.
func TestFailingStreamPutsOffNoQuestion(t *testing.T) {
	t.Parallel()
	p := &quietProvider{follow: func(context.Context, multisafepay.StreamHandler) error {
		time.Sleep(20 * time.Millisecond)
		return &multisafepay.Error{Op: multisafepay.OpStream, Kind: multisafepay.KindUnavailable, Status: 502, Err: multisafepay.ErrStreamAnswer}
	}}
	alone(t, p, func(r *Replica, _ *bustest.Memory) {
		if reply, failure := r.Start(r.work, schema.StartRequest{OrderID: "o", TerminalID: "T", Amount: 1, Currency: "EUR"}, Requester{Inbox: "i"}); reply != nil || failure != nil {
			t.Fatalf("Start = %+v, %+v", reply, failure)
		}
		time.Sleep(20 * time.Minute)
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range p.asked[1:] {
			if gap := p.asked[i+1].Sub(p.asked[i]); gap > 7*time.Second { // BACKOFF_MAX, jittered
				t.Fatalf("the order was not asked for during %s", gap)
			}
		}
		if len(p.asked) > 20*60 {
			t.Errorf("the order was asked for %d times in 20 minutes", len(p.asked))
		}
	})
}

// A stream that neither opens nor fails has the order asked for soon.
func TestHangingStreamIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	p := &quietProvider{follow: func(ctx context.Context, _ multisafepay.StreamHandler) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		r.Start(r.work, schema.StartRequest{OrderID: "o", TerminalID: "T", Amount: 1, Currency: "EUR"}, Requester{Inbox: "i"})
		time.Sleep(3 * time.Second)
		if statuses := server.Statuses("T", "o"); len(statuses) != 1 || statuses[0].Event.Status != "initialized" {
			t.Errorf("statuses %+v, want initialized", statuses)
		}
	})
}
