package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	bus "github.com/posbridge/bridge/internal/bus2"
	"github.com/posbridge/bridge/schema"
)

func TestAnOrderIsOneLog(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		empty := must(b.ReadLog(ctx, "T1", "A/1", true))(t)
		if empty.Last != 0 || empty.Claim != nil || empty.Statuses != nil || empty.Created.IsZero() {
			t.Errorf("an empty log: %+v", empty)
		}
		first := must(b.AppendClaim(ctx, "T1", "A/1", claim("T1", "A/1", 1), 0))(t)
		created := must(b.AppendStatus(ctx, status("A/1", "initialized", 1), first))(t)
		invalid := must(b.AppendInvalid(ctx, schema.InvalidEvent{TerminalID: "T1", OrderID: "A/1", Reason: "odd"}, created))(t)
		paid := must(b.AppendStatus(ctx, status("A/1", "completed", 2), invalid))(t)
		second := must(b.AppendClaim(ctx, "T1", "A/1", claim("T1", "A/1", 2), paid))(t)

		for name, read := range map[string]func(context.Context, string, string, bool) (bus.Log, error){"leader": b.ReadLog, "copy": b.ReadLogFast} {
			if name == "copy" && b.nc.ConnectedClusterName() != "" {
				continue // a copy may lag
			}
			log := must(read(ctx, "T1", "A/1", true))(t)
			if log.Last != second || log.ClaimSeq != second || log.Claim == nil || log.Claim.Epoch != 2 {
				t.Errorf("%s: last %d, claim %d %+v; want %d", name, log.Last, log.ClaimSeq, log.Claim, second)
			}
			if len(log.Statuses) != 2 || log.Statuses[0].Seq != created || log.Statuses[1].Seq != paid {
				t.Fatalf("%s: statuses %+v", name, log.Statuses)
			}
			want := status("A/1", "completed", 2)
			got := log.Statuses[1]
			if got.At.IsZero() {
				t.Errorf("%s: no time", name)
			}
			want.Seq, want.At = got.Seq, got.At
			if got.Event != want.Event || got.Hash != want.Hash || got.Group != want.Group || got.Replica != want.Replica ||
				got.Epoch != want.Epoch || !got.StartedAt.Equal(want.StartedAt) {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
			short := must(read(ctx, "T1", "A/1", false))(t)
			if len(short.Statuses) != 1 || short.Statuses[0].Seq != paid || short.Last != second || short.ClaimSeq != second {
				t.Errorf("%s: the short log is %+v", name, short)
			}
		}
	})
}

func TestRacingPublishersHaveOneWinner(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		var last uint64
		for round := range 20 {
			var (
				wg      sync.WaitGroup
				mu      sync.Mutex
				winners []uint64
			)
			for i := range 8 {
				wg.Go(func() {
					var seq uint64
					var err error
					if i%2 == 0 {
						seq, err = b.AppendClaim(ctx, "T1", "A", claim("T1", "A", uint64(round)), last)
					} else {
						seq, err = b.AppendStatus(ctx, status("A", "initialized", uint64(round+1)), last)
					}
					switch {
					case err == nil:
						mu.Lock()
						winners = append(winners, seq)
						mu.Unlock()
					case !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrBusy):
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			wg.Wait()
			if len(winners) != 1 {
				t.Fatalf("round %d: winners %d", round, winners)
			}
			last = winners[0]
		}
	})
}

func TestOnlyTheLastClaimIsKept(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	var last uint64
	for epoch := range uint64(5) {
		last = must(b.AppendClaim(t.Context(), "T1", "A", claim("T1", "A", epoch+1), last))(t)
	}
	info := must(must(b.js.Stream(t.Context(), "POS_STATUS"))(t).Info(t.Context()))(t)
	if info.State.Msgs != 1 {
		t.Errorf("%d messages are kept, want 1", info.State.Msgs)
	}
}

func TestSubscribersGetWhatIsStoredAndNothingElse(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		got := make(chan *nats.Msg, 16)
		must(b.nc.ChanSubscribe("pos.>", got))(t)
		if err := b.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		seq := must(b.AppendStatus(ctx, status("A", "initialized", 1), 0))(t)
		if _, err := b.AppendStatus(ctx, status("A", "refused", 2), 0); !errors.Is(err, bus.ErrConflict) {
			t.Fatalf("got %v, want a conflict", err)
		}
		must(b.AppendStatus(ctx, status("A", "completed", 2), seq))(t)
		var bodies []string
		for len(bodies) < 4 {
			bodies = append(bodies, receive(t, got).Subject)
			if len(bodies) == 4 {
				break
			}
		}
		t.Log(bodies)
	})
}
