package board

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// lossy is a stream that loses the end of an order.
type lossy struct{ calls int }

func (l *lossy) Now() time.Time { return start }

func (l *lossy) Watch(ctx context.Context, _ time.Time, entry func(bus.Entry), ready func(uint64)) error {
	claim := payment.Claim{Owner: "me", Epoch: 1, Phase: payment.ClaimOpen, Session: session(start)}
	entry(bus.Entry{Terminal: "T1", Order: "A", Kind: subjects.Claim, Seq: 7, At: start, Claim: &claim})
	if l.calls++; l.calls == 1 {
		entry(bus.Entry{Terminal: "T1", Order: "A", Kind: subjects.Status, Seq: 8, At: start, Status: &payment.Status{
			Event: schema.StatusEvent{TerminalID: "T1", OrderID: "A", Status: "completed", Final: true, Sequence: 1},
		}})
		ready(8)
		return bus.ErrLost
	}
	ready(7)
	<-ctx.Done()
	return ctx.Err()
}

// What the stream has lost is not shown any more, and what is left is.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var said []bool
	b := New(Options{
		Feed: &lossy{}, Horizon: time.Hour, Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(), Changed: func(string) {},
		Lost: func(lost bool) {
			if said = append(said, lost); !lost {
				stop()
			}
		},
	})
	b.Run(ctx, func() {})
	e, _ := b.Get(Ref{"T1", "A"})
	if !e.Open() || len(b.Open()) != 1 || e.Seq != 7 || len(b.Over(9)) > 0 {
		t.Errorf("got %+v, want the claim alone", e)
	}
	if !slices.Equal(said, []bool{true, false}) {
		t.Errorf("said %v", said)
	}
}
