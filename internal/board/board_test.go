package board

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// feed has a clock that stands still.
type feed struct {
	Feed
	now time.Time
}

func (f *feed) Now() time.Time { return f.now }

// stage is a board and the stream that fills it.
type stage struct {
	*Board
	feed *feed
	seq  uint64
}

func newStage() *stage {
	f := &feed{now: start}
	return &stage{Board: New(Options{Feed: f, Horizon: 2 * time.Hour, Self: "me", Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(), Changed: func(string) {}, Claimed: func(Ref, *payment.Claim) {}}), feed: f}
}

// session is one that was started at a time.
func session(at time.Time) payment.Session {
	return payment.Session{Group: "group", StartedAt: at, Request: schema.StartRequest{Amount: 5, Currency: "EUR"}}
}

// claims shows a claim of an order that was started now.
func (s *stage) claims(terminal, order, owner string, epoch uint64, phase payment.ClaimPhase) {
	s.seq++
	s.saw(bus.Entry{Terminal: terminal, Order: order, Kind: subjects.Claim, Seq: s.seq, At: s.feed.now, Claim: &payment.Claim{
		Owner: owner, Replica: "name of " + owner, Epoch: epoch, Phase: phase, SessionID: "session", QueueSeq: epoch, Session: session(start), UpdatedAt: s.feed.now,
	}})
}

// publishes shows a status.
func (s *stage) publishes(terminal, order, status string, sequence uint64) {
	s.seq++
	s.saw(bus.Entry{Terminal: terminal, Order: order, Kind: subjects.Status, Seq: s.seq, At: s.feed.now, Status: &payment.Status{
		Event: schema.StatusEvent{
			TerminalID: terminal, OrderID: order, Status: status, Sequence: sequence, Final: schema.IsFinal(status),
			Amount: 5, Currency: "EUR", ObservedAt: s.feed.now,
		},
		Replica: "name", StartedAt: start, Seq: s.seq, At: s.feed.now,
	}})
}

func TestAnOrderFromItsClaimToItsEnd(t *testing.T) {
	t.Parallel()
	s := newStage()
	ref := Ref{"T1", "A"}
	s.claims("T1", "A", "me", 1, payment.ClaimCreating)
	if got := s.Open()[ref]; got != "me" {
		t.Errorf("owner: got %q", got)
	}
	s.claims("T1", "A", "other", 2, payment.ClaimOpen)
	s.publishes("T1", "A", "initialized", 1)
	if got := s.Open()[ref]; got != "other" {
		t.Errorf("owner: got %q", got)
	}
	want := schema.Session{
		OrderID: "A", TerminalID: "T1", SessionID: "session", Status: "initialized", Sequence: 1, Active: true,
		Amount: 5, Currency: "EUR", Replica: "name of other", StartedAt: start, UpdatedAt: start,
	}
	if active := s.Active(); len(active) != 1 || active[0].Session() != want {
		t.Errorf("active: got %+v, want %+v", active, want)
	}
	s.publishes("T1", "A", "cancelled", 2)
	if len(s.Active())+len(s.Open()) > 0 {
		t.Error("it is over, and still open")
	}
	if e, ok := s.At("T1"); !ok || e.Open() || e.Last.Status != "cancelled" {
		t.Errorf("at the terminal: got %+v", e)
	}
	if got := s.Watched(time.Minute, 0); len(got) != 1 || got[ref] != "other" {
		t.Errorf("watched: got %v", got)
	}
	s.feed.now = start.Add(2 * time.Minute)
	if got := s.Watched(time.Minute, 0); len(got) > 0 {
		t.Errorf("watched for too long: %v", got)
	}
	s.publishes("T1", "A", "completed", 3)
	if got := s.Watched(time.Minute, time.Minute); len(got) != 1 || got[ref] != "other" {
		t.Errorf("paid, and its amount may not have been asked for: got %v", got)
	}
}

// A claim that came late, or twice, changes nothing.
func TestOldMessagesAreNoNews(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.publishes("T1", "A", "completed", 1)
	s.seq = 0
	s.claims("T1", "A", "me", 1, payment.ClaimOpen)
	if len(s.Active()) > 0 {
		t.Error("an old claim opened an order that is over")
	}
}

// A session that ended without an order is not open; the next session of the same
// order is.
func TestClosedClaim(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.claims("T1", "A", "me", 1, payment.ClaimClosed)
	if len(s.Active())+len(s.Over(9)) > 0 {
		t.Error("a closed session is shown")
	}
	s.claims("T1", "A", "me", 2, payment.ClaimCreating)
	if len(s.Active()) != 1 {
		t.Error("the next session is not open")
	}
	s.prune(start.Add(time.Hour)) // what is kept of the closed one must not take it away
	if len(s.Active()) != 1 {
		t.Error("the next session was dropped")
	}
}

// Ids are unique in a group: an order that exists on one terminal exists on no other one.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.claims("T1", "open", "me", 1, payment.ClaimOpen)
	s.claims("T1", "over", "me", 1, payment.ClaimOpen)
	s.publishes("T1", "over", "completed", 1)
	s.claims("T1", "creating", "me", 1, payment.ClaimCreating)
	s.claims("T1", "closed", "me", 1, payment.ClaimClosed)
	for name, tt := range map[string]struct {
		ref   Ref
		group string
		want  bool
	}{
		"open":              {Ref{"T2", "open"}, "group", true},
		"over":              {Ref{"T2", "over"}, "group", true},
		"not known yet":     {Ref{"T2", "creating"}, "group", false},
		"never created":     {Ref{"T2", "closed"}, "group", false},
		"the same terminal": {Ref{"T1", "open"}, "group", false},
		"another group":     {Ref{"T2", "open"}, "other", false},
		"another id":        {Ref{"T2", "B"}, "group", false},
	} {
		if got := s.Elsewhere(tt.ref, tt.group); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestSilentPayments(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.claims("T1", "A", "me", 1, payment.ClaimOpen)
	s.claims("T2", "B", "me", 1, payment.ClaimOpen)
	s.publishes("T2", "B", "initialized", 1)
	if got := s.Silent(start.Add(Silence - 1)); len(got) > 0 {
		t.Errorf("too early: %v", got)
	}
	if got := s.Silent(start.Add(Silence)); len(got) != 1 || got[0].Order != "A" {
		t.Errorf("got %v, want A", got)
	}
}

// running is a feed whose clock runs.
type running struct {
	Feed
	since time.Time
}

func (r running) Now() time.Time { return start.Add(time.Since(r.since)) }

// The gauge that an alert reads counts this replica's silent payments, and forgets them
// when a status comes.
func TestSilentPaymentsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.Feed = running{since: time.Now()}
		for order, owner := range map[string]string{"A": "me", "B": "me", "C": "another"} {
			s.claims("T"+order, order, owner, 1, payment.ClaimOpen)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go s.tidy(ctx)
		counts := func(after time.Duration, want float64) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			families, err := s.Metrics.Registry().Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "pos_bridge_sessions_without_status" {
					if got := f.GetMetric()[0].GetGauge().GetValue(); got != want {
						t.Errorf("%v are counted, want %v", got, want)
					}
					return
				}
			}
			t.Error("there is no such gauge")
		}
		counts(Silence-tidyEvery, 0)
		counts(tidyEvery, 2)
		s.publishes("TA", "A", "initialized", 1)
		counts(tidyEvery, 1)
	})
}

func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.claims("T", "open", "me", 1, payment.ClaimOpen)
	for i := range recent + 10 {
		s.publishes("T", "over"+string(rune('A'+i%26))+string(rune('0'+i/26)), "completed", 1)
	}
	s.prune(s.feed.now)
	if got := len(s.entries); got != recent+11 {
		t.Errorf("young orders were dropped: %d left", got)
	}
	s.prune(start.Add(s.Horizon + time.Second))
	if got := len(s.entries); got != recent {
		t.Errorf("got %d orders, want %d", got, recent)
	}
	if len(s.Active()) > 0 {
		t.Error("an order that is older than any payment is still open")
	}
	// Aftercare of an order that is forgotten: the claim alone does not open it.
	s.feed.now = start.Add(s.Horizon + time.Minute)
	s.claims("T", "overA0", "me", 2, payment.ClaimOpen)
	if len(s.Active()) > 0 {
		t.Error("a late claim opened an order that is over")
	}
}

func TestOverIsOrderedByTheLastStatus(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.publishes("T1", "A", "completed", 1)
	s.publishes("T2", "B", "completed", 1)
	s.publishes("T3", "C", "completed", 1)
	s.publishes("T1", "A", "refunded", 2)
	var got []string
	for _, e := range s.Over(2) {
		got = append(got, e.Order+" "+e.Last.Status)
	}
	if want := []string{"C completed", "A refunded"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	s := newStage()
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() {
			if err := s.Await(t.Context(), Ref{"T1", "A"}, func(e Entry) bool { return e.Claim.Phase == payment.ClaimOpen }); err != nil {
				t.Error(err)
			}
		})
	}
	s.claims("T1", "A", "me", 1, payment.ClaimCreating)
	s.claims("T1", "A", "me", 1, payment.ClaimOpen)
	waiting.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Await(ctx, Ref{"T1", "B"}, func(Entry) bool { return false }); err == nil {
		t.Error("it did not wait")
	}
	if len(s.waits.orders) > 0 {
		t.Error("the waiters were not forgotten")
	}
}

// On a real server: the board is complete, follows, and is synced.
func TestRun(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	connected := make(chan struct{}, 1)
	b, err := bus.Connect(bus.Options{
		URLs: server.URL(), Space: subjects.Default(), Replicas: 1, StatusMaxAge: 4 * time.Hour, ClaimTTL: 2 * time.Hour, ReplicaTTL: 2 * time.Second,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	<-connected
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	claim := func(order string, epoch, expect uint64) uint64 {
		c := payment.Claim{Owner: "me", Epoch: epoch, Phase: payment.ClaimOpen, Session: session(b.Now()), UpdatedAt: b.Now()}
		seq, err := bus.Wait(t.Context(), func(done bus.Published) { b.AppendClaim(t.Context(), "T1", order, c, expect, done) })
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	claim("before", 1, 0)
	s := New(Options{Feed: b, Horizon: time.Hour, Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(), Changed: func(string) {}, Claimed: func(Ref, *payment.Claim) {}})
	ctx, stop := context.WithCancel(t.Context())
	ready := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, func() { close(ready) }) })
	<-ready
	if _, ok := s.Get(Ref{"T1", "before"}); !ok {
		t.Error("ready, and not complete")
	}
	last := claim("after", 1, 0)
	if err := s.Synced(ctx, last); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Active()); got != 2 {
		t.Errorf("got %d orders, want 2", got)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if s.Synced(short, last+1) == nil {
		t.Error("synced with what is not there")
	}
	stop()
	running.Wait()
}
