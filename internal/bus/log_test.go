package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
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

		for name, read := range map[string]func(context.Context, string, string, bool) (payment.Log, error){"leader": b.ReadLog, "copy": b.ReadLogFast} {
			if name == "copy" && b.nc.ConnectedClusterName() != "" {
				continue // a copy may lag
			}
			log := must(read(ctx, "T1", "A/1", true))(t)
			if log.Last != second || log.Claim == nil || log.Claim.Epoch != 2 {
				t.Errorf("%s: last %d, claim %+v; want %d", name, log.Last, log.Claim, second)
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
			if len(short.Statuses) != 1 || short.Statuses[0].Seq != paid || short.Last != second || short.Claim == nil || short.Claim.Epoch != 2 {
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
		must(b.nc.ChanSubscribe("pos.*.*.*", got))(t)
		if err := b.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		seq := must(b.AppendStatus(ctx, status("A", "initialized", 1), 0))(t)
		if _, err := b.AppendStatus(ctx, status("A", "refused", 2), 0); !errors.Is(err, bus.ErrConflict) {
			t.Fatalf("got %v, want a conflict", err)
		}
		// The id of what was refused can be used again.
		must(b.AppendStatus(ctx, status("A", "completed", 2), seq))(t)
		for _, want := range []string{"initialized", "completed"} {
			msg := receive(t, got)
			var e schema.StatusEvent
			if err := json.Unmarshal(msg.Data, &e); err != nil || e.Status != want || msg.Subject != "pos.T1.A.status" {
				t.Errorf("got %q on %s, want %q", e.Status, msg.Subject, want)
			}
			if id := msg.Header.Get("ce-id"); msg.Header.Get("Nats-Msg-Id") != id || id == "" || msg.Header.Get("ce-source") != "/pos/T1" {
				t.Errorf("headers %v", msg.Header)
			}
		}
	})
}

// After a purge the stream still knows the ids of what was in it. What it then
// swallows must not look stored.
func TestASwallowedStatusIsNotStored(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		must(b.AppendStatus(t.Context(), status("A", "initialized", 1), 0))(t)
		if err := must(b.js.Stream(t.Context(), "POS_STATUS"))(t).Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.AppendStatus(t.Context(), status("A", "initialized", 1), 0); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		// The owner has claimed again. To read the log once more would not help.
		last := must(b.AppendClaim(t.Context(), "T1", "A", claim("T1", "A", 2), 0))(t)
		if _, err := b.AppendStatus(t.Context(), status("A", "initialized", 1), last); !errors.Is(err, bus.ErrBusy) {
			t.Errorf("got %v, want to be told to wait", err)
		}
	})
}

func TestAClaimExpires(t *testing.T) {
	t.Parallel()
	b := ready(t, "", func(o *bus.Options) { o.ClaimTTL = time.Second })
	seq := must(b.AppendClaim(t.Context(), "T1", "A", claim("T1", "A", 1), 0))(t)
	kept := b.another()
	must(bus.Wait(t.Context(), func(done bus.Published) { kept.AppendClaim(t.Context(), "T1", "B", claim("T1", "B", 1), 0, done) }))(t)
	until(t, func() bool {
		log := must(b.ReadLog(t.Context(), "T1", "A", false))(t)
		if log.Last != 0 && (log.Last != seq || log.Claim == nil) {
			t.Errorf("got %+v", log)
		}
		return log.Last == 0
	})
	if log := must(b.ReadLog(t.Context(), "T1", "B", false))(t); log.Claim == nil {
		t.Error("the claim with the longer TTL is gone, too")
	}
}

// What somebody else wrote on an order's subjects is skipped, and does not block
// the order.
func TestForeignMessagesAreSkipped(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	ctx := t.Context()
	last := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
	last = must(b.AppendStatus(ctx, status("A", "initialized", 1), last))(t)
	for _, kind := range []string{"status", "claim", "odd"} {
		must(b.js.Publish(ctx, "pos.T1.A.journal."+kind, []byte("{")))(t)
		last++
	}
	for _, all := range []bool{false, true} {
		for name, read := range map[string]func(context.Context, string, string, bool) (payment.Log, error){"leader": b.ReadLog, "copy": b.ReadLogFast} {
			log := must(read(ctx, "T1", "A", all))(t)
			if log.Last != last || log.Claim == nil || log.Claim.Epoch != 1 || len(log.Statuses) != 1 {
				t.Errorf("%s, all %v: got %+v, want claim and status, last %d", name, all, log, last)
			}
		}
	}
	must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 2), last))(t)
}

// An order whose provider sends nonsense has a long log, and goes on all the same.
func TestALongLog(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	ctx := t.Context()
	must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
	acks := []jetstream.PubAckFuture{}
	for range 2100 {
		acks = append(acks, must(b.js.PublishAsync("pos.T1.A.journal.invalid", []byte("{}")))(t))
	}
	var last uint64
	for _, ack := range acks {
		last = receive(t, ack.Ok()).Sequence
	}
	last = must(b.AppendStatus(ctx, status("A", "completed", 1), last))(t)
	for name, read := range map[string]func(context.Context, string, string, bool) (payment.Log, error){"leader": b.ReadLog, "copy": b.ReadLogFast} {
		log := must(read(ctx, "T1", "A", true))(t)
		if log.Last != last || log.Claim == nil || len(log.Statuses) != 1 {
			t.Errorf("%s: got %+v", name, log)
		}
	}
}

// A claim of a release that this one does not know is not passed over: its owner
// is alive.
func TestAClaimOfALaterReleaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	must(b.js.Publish(t.Context(), "pos.T1.A.journal.claim", []byte(`{"v":2,"epoch":4,"new":true}`)))(t)
	if log := must(b.ReadLog(t.Context(), "T1", "A", false))(t); log.Claim == nil || log.Claim.Epoch != 4 {
		t.Errorf("the next release's claim: got %+v", log)
	}
	must(b.js.Publish(t.Context(), "pos.T1.A.journal.claim", []byte(`{"v":3}`)))(t)
	if _, err := b.ReadLog(t.Context(), "T1", "A", false); !errors.Is(err, bus.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// The copy that answers a direct get may lag. ReadLog must not believe it.
func TestTheLeaderHasTheLastWord(t *testing.T) {
	t.Parallel()
	b := ready(t, natstest.Run(t, natstest.WithConfig(`
		accounts { A { jetstream: enabled, users: [ { user: a, password: a } ], mappings: { "$JS.API.DIRECT.GET.POS_STATUS": stale } } }
		no_auth_user: a
	`)).URL())
	ctx := t.Context()
	published := must(b.nc.SubscribeSync("pos.T1.A.claim"))(t)
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	first := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
	old := must(published.NextMsg(patience))(t)
	must(b.nc.Subscribe("stale", func(msg *nats.Msg) { // has seen nothing since
		_ = msg.RespondMsg(&nats.Msg{Data: old.Data, Header: nats.Header{
			jetstream.SubjectHeader: {old.Subject}, jetstream.SequenceHeader: {strconv.FormatUint(first, 10)},
			jetstream.TimeStampHeaer: {time.Now().Format(time.RFC3339Nano)},
		}})
		_ = msg.RespondMsg(&nats.Msg{Header: nats.Header{"Status": {"204"}}})
	}))(t)
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	second := must(b.AppendStatus(ctx, status("A", "initialized", 1), first))(t)
	if log := must(b.ReadLogFast(ctx, "T1", "A", true))(t); log.Last != first || log.Claim == nil {
		t.Fatalf("the test does not reach the copy: %+v", log)
	}
	if log := must(b.ReadLog(ctx, "T1", "A", true))(t); log.Last != second || log.Claim == nil || len(log.Statuses) != 1 {
		t.Errorf("got %+v, want what the leader has", log)
	}
}

func TestPermanentRefusals(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, err error) {
		t.Helper()
		if _, ok := errors.AsType[*bus.RefusedError](err); !ok {
			t.Errorf("got %v, want a *bus.RefusedError", err)
		}
	}
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		b := ready(t, "")
		for _, name := range []string{"POS_STATUS", "POS_SESSIONS"} {
			c := must(b.js.Stream(t.Context(), name))(t).CachedInfo().Config
			c.MaxMsgs, c.Discard = 1, jetstream.DiscardNew
			must(b.js.UpdateStream(t.Context(), c))(t)
		}
		must(b.Enqueue(t.Context(), session("T1", "A")))(t)
		_, err := b.Enqueue(t.Context(), session("T2", "A"))
		refused(t, err)
		must(b.AppendStatus(t.Context(), status("A", "initialized", 1), 0))(t)
		_, err = b.AppendStatus(t.Context(), status("B", "initialized", 1), 0)
		refused(t, err)
	})
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		b := ready(t, "")
		s := session("T1", "A")
		s.Reply = strings.Repeat("x", 70<<10)
		_, err := b.Enqueue(t.Context(), s)
		refused(t, err)
		s.Reply = strings.Repeat("x", 2<<20)
		_, err = b.Enqueue(t.Context(), s)
		refused(t, err)
	})
	t.Run("no right", func(t *testing.T) {
		t.Parallel()
		b := ready(t, natstest.Run(t, natstest.WithConfig(`
			authorization { users: [ { user: u, password: p, permissions: { publish: { deny: [ "pos.*.session", "pos.*.*.journal.claim" ] } } } ] }
			no_auth_user: u
		`)).URL())
		_, err := b.Enqueue(t.Context(), session("T1", "A"))
		refused(t, err)
		_, err = b.AppendClaim(t.Context(), "T1", "A", claim("T1", "A", 1), 0)
		refused(t, err)
		if b.Calm() <= 0 {
			t.Error("a refusal counts as trouble")
		}
		must(b.AppendStatus(t.Context(), status("A", "initialized", 1), 0))(t)
	})
}

// A stream that was deleted and created again has sequences of its own: nothing
// that was learnt from the first one fits.
func TestARecreatedStreamFitsNoOldSequence(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		ctx := t.Context()
		old := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0))(t)
		created := must(b.ReadLog(ctx, "T1", "A", false))(t).Created
		if err := b.js.DeleteStream(ctx, "POS_STATUS"); err != nil {
			t.Fatal(err)
		}
		if made := b.ensure(); made != (bus.Made{Statuses: true}) {
			t.Errorf("made %+v", made)
		}
		if _, err := b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 2), old); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		next := must(b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 2), 0))(t)
		if next <= old {
			t.Errorf("sequence %d after %d", next, old)
		}
		log := must(b.ReadLog(ctx, "T1", "A", false))(t)
		if !log.Created.After(created) {
			t.Errorf("created %s after %s", log.Created, created)
		}
		if _, err := b.AppendClaim(ctx, "T1", "A", claim("T1", "A", 3), old); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}
