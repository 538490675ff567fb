package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
)

func event(order string, sequence uint64, status string) schema.StatusEvent {
	return bridgetest.Event("T1", order, sequence, status)
}

func TestFollowShowsEachEventOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	f := follow(t, s.client, client.FollowOptions{})
	s.bridge.Store(event("a", 1, "initialized"), event("b/c.d", 1, "initialized"), event("a", 2, "declined"))
	expect(t, f, "T1/a 1 initialized", "T1/b/c.d 1 initialized", "T1/a 2 declined")
	f.CatchUp() // reads the same again
	s.bridge.Tell(event("a", 2, "declined"), event("a", 1, "initialized"))
	s.bridge.StoreInvalid(schema.InvalidEvent{TerminalID: "T1", OrderID: "a", Reason: "no status", ObservedAt: time.Now()})
	expect(t, f, "invalid T1/a no status")
	f.CatchUp()
	s.bridge.Store(event("a", 3, "completed"))
	expect(t, f, "T1/a 3 completed")
}

func TestFollowFilters(t *testing.T) {
	t.Parallel()
	events := []schema.StatusEvent{
		bridgetest.Event("T1", "x.y/z", 1, "initialized"), bridgetest.Event("T2", "x.y/z", 1, "declined"),
		bridgetest.Event("T1", "other", 1, "completed"), bridgetest.Event("T3", "last", 1, "completed"),
	}
	for name, test := range map[string]struct {
		filter client.Filter
		want   []string
	}{
		"all":                    {client.Filter{}, []string{"T1/x.y/z 1 initialized", "T2/x.y/z 1 declined", "T1/other 1 completed", "T3/last 1 completed"}},
		"a terminal":             {client.Filter{Terminal: "T1"}, []string{"T1/x.y/z 1 initialized", "T1/other 1 completed"}},
		"an order":               {client.Filter{Order: "x.y/z"}, []string{"T1/x.y/z 1 initialized", "T2/x.y/z 1 declined"}},
		"an order of a terminal": {client.Filter{Terminal: "T2", Order: "x.y/z"}, []string{"T2/x.y/z 1 declined"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Prefix: "eu.pos"})
			live := follow(t, s.client, client.FollowOptions{Filter: test.filter})
			s.bridge.Store(events...)
			expect(t, live, test.want...)
			expect(t, follow(t, s.client, client.FollowOptions{Filter: test.filter, Replay: time.Now().Add(-time.Minute)}), test.want...)
		})
	}
}

func TestFollowRefusesHostileFilters(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	for _, filter := range []client.Filter{{Terminal: ">"}, {Terminal: "a.b"}, {Order: "*"}, {Order: "a b"}, {Terminal: "T1", Order: "é"}} {
		if _, err := s.client.Follow(limited(t), client.FollowOptions{Filter: filter}); err == nil {
			t.Errorf("%q: got no error", filter)
		}
	}
}

// Between replay and live there is no gap and no double, with a publisher that
// never stops, and more events than one read of the stream returns.
func TestFollowReplaysThenGoesOnLive(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	const orders, before, after = 3, 300, 100
	publish := func(from, to uint64) {
		for n := from; n < to; n++ {
			for o := range orders {
				s.bridge.Store(event(fmt.Sprint("order-", o), n+1, "declined"))
			}
		}
	}
	publish(0, before)
	published := make(chan struct{})
	go func() {
		defer close(published)
		publish(before, before+after)
	}()
	t.Cleanup(func() { <-published })
	f := follow(t, s.client, client.FollowOptions{Replay: time.Now().Add(-time.Minute)})
	last := map[string]uint64{}
	limit := time.NewTimer(bridgetest.Limit)
	defer limit.Stop()
	for seen := 0; seen < orders*(before+after); seen++ {
		select {
		case u := <-f.Updates():
			e, ok := u.(client.Status)
			if !ok || e.Sequence != last[e.OrderID]+1 {
				t.Fatalf("got %s after sequence %d", describe(u), last[e.OrderID])
			}
			last[e.OrderID] = e.Sequence
		case <-limit.C:
			t.Fatalf("got %d events, want %d: %v", seen, orders*(before+after), last)
		}
	}
}

func TestFollowFillsAGapFromTheStream(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Silent: true})
	f := follow(t, s.client, client.FollowOptions{})
	one, two, three, four := event("a", 1, "initialized"), event("a", 2, "declined"), event("a", 3, "initialized"), event("a", 4, "completed")
	s.bridge.Store(one)
	s.bridge.Tell(one)
	expect(t, f, "T1/a 1 initialized")
	s.bridge.Store(two, three, four)
	s.bridge.Tell(four) // the two before it never arrive
	expect(t, f, "T1/a 2 declined", "T1/a 3 initialized", "T1/a 4 completed")
}

func TestFollowTellsOfAGapThatNobodyCanFill(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	f := follow(t, s.client, client.FollowOptions{})
	s.bridge.Tell(event("a", 3, "initialized"), event("a", 6, "completed"), event("a", 5, "declined"), event("a", 7, "reversed"))
	expect(t, f, "T1/a 3 initialized", "T1/a 6 completed, 2 missed", "T1/a 7 reversed")
}

// An order that begins while the connection is away is shown from its first
// event on, even if a later one arrives live before anything else happens.
func TestFollowCatchesUpAfterALostConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Silent: true})
	f := follow(t, s.client, client.FollowOptions{})
	first := event("a", 1, "initialized")
	s.bridge.Store(first)
	s.bridge.Tell(first)
	expect(t, f, "T1/a 1 initialized")
	s.wire.Cut()
	expect(t, f, "link false blind false")
	away := []schema.StatusEvent{event("a", 2, "declined"), event("b", 1, "initialized"), event("a", 3, "completed"), event("b", 2, "declined")}
	s.bridge.Store(away...)
	s.bridge.Tell(away...)
	s.wire.Mend()
	expect(t, f, "link true blind false", "T1/a 2 declined", "T1/b 1 initialized", "T1/a 3 completed", "T1/b 2 declined")
	again := event("b", 3, "completed")
	s.bridge.Store(again)
	s.bridge.Tell(again)
	expect(t, f, "T1/b 3 completed")
}

func TestFollowReadsOrdersThatItMeetsHalfway(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Silent: true})
	s.bridge.Store(event("old", 1, "initialized"))
	f := follow(t, s.client, client.FollowOptions{})
	s.bridge.Store(event("new", 1, "initialized"), event("new", 2, "completed"), event("old", 2, "completed"))
	s.bridge.Tell(event("new", 2, "completed")) // its first was missed
	expect(t, f, "T1/new 1 initialized", "T1/new 2 completed")
	s.bridge.Tell(event("old", 2, "completed")) // its first is older than the following
	expect(t, f, "T1/old 2 completed")
}

func TestFollowLooksEveryNowAndThen(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{Silent: true}, often)
	f := follow(t, s.client, client.FollowOptions{})
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed")) // no live message at all
	expect(t, f, "T1/a 1 initialized", "T1/a 2 completed")
}

func TestFollowFindsAStreamThatIsMadeLater(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true}, often)
	f := follow(t, s.client, client.FollowOptions{})
	s.bridge.MakeStream(true)
	s.bridge.Store(event("a", 1, "completed"))
	expect(t, f, "T1/a 1 completed")
}

// The stream holds the bridge's own records of orders as well: nobody is shown them.
func TestFollowPassesByClaims(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	s.bridge.StoreClaim("T1", "a")
	s.bridge.Store(event("a", 1, "completed"))
	f := follow(t, s.client, client.FollowOptions{Replay: time.Now().Add(-time.Hour)})
	expect(t, f, "T1/a 1 completed")
}

func TestFollowPassesByWhatIsNotTheBridges(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	f := follow(t, s.client, client.FollowOptions{})
	foreign := "trouble: a message on a status subject is not a status event of the bridge's"
	for _, raw := range []string{
		`not JSON`, `[]`, `{"order_id":"b","terminal_id":"T1","status":"completed","sequence":1}`,
		`{"order_id":"a","terminal_id":"T2","status":"completed","sequence":1}`,
		`{"order_id":"a","terminal_id":"T1","status":"completed"}`,
		`{"order_id":"a","terminal_id":"T1","sequence":1}`,
	} {
		s.bridge.TellRaw("pos.T1.a.status", []byte(raw))
		expect(t, f, foreign)
	}
	s.bridge.TellRaw("pos.T1.a%ZZ.status", []byte(`{"order_id":"a","terminal_id":"T1","status":"completed","sequence":1}`))
	expect(t, f, foreign)
	s.bridge.Tell(event("a", 1, "completed"))
	expect(t, f, "T1/a 1 completed")
}

func TestFollowWithoutTheRightToReadTheStream(t *testing.T) {
	t.Parallel()
	bus, bridge := rights(t, []string{"pos.T1.payment.*"}, []string{"pos.T1.*.status", "_INBOX.>"})
	terminal := client.Filter{Terminal: "T1"}
	f := follow(t, bus, client.FollowOptions{Filter: terminal})
	bridge.Tell(event("a", 1, "initialized"), event("a", 3, "completed"))
	expect(t, f, "T1/a 1 initialized", "T1/a 3 completed, 1 missed")

	denied := func(options client.FollowOptions, subject string, subscribe bool) {
		t.Helper()
		_, err := bus.Follow(limited(t), options)
		got, ok := errors.AsType[*client.DeniedError](err)
		if !ok || *got != (client.DeniedError{Subject: subject, Subscribe: subscribe}) {
			t.Errorf("got %v, want %s denied", err, subject)
		}
	}
	denied(client.FollowOptions{Filter: terminal, Replay: time.Now()}, "$JS.API.DIRECT.GET.POS_STATUS", false)
	denied(client.FollowOptions{}, "pos.*.*.status", true)
	denied(client.FollowOptions{Filter: client.Filter{Terminal: "T2"}}, "pos.T2.*.status", true)

	_, err := bus.List(limited(t))
	if got, ok := errors.AsType[*client.DeniedError](err); !ok || got.Subject != "pos.payment.list" {
		t.Errorf("got %v, want pos.payment.list denied", err)
	}
	if _, err := bus.Get(limited(t), "T1", "a"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v, want not_found", err)
	}
}

func TestRequestWithoutTheRightToHearTheReply(t *testing.T) {
	t.Parallel()
	bus, _ := rights(t, []string{">"}, []string{"pos.>"})
	_, err := bus.List(limited(t))
	if got, ok := errors.AsType[*client.DeniedError](err); !ok || *got != (client.DeniedError{Subject: "_INBOX.>", Subscribe: true}) {
		t.Errorf("got %v, want _INBOX.> denied", err)
	}
}

func TestFollowEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	f := follow(t, s.client, client.FollowOptions{})
	s.nc.Close()
	for range f.Updates() {
	}
	if err := f.Err(); !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(limited(t))
	f, err := s.client.Follow(ctx, client.FollowOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.bridge.Store(event("a", 1, "completed")) // nobody takes it
	cancel(why)
	for range f.Updates() {
	}
	if err := f.Err(); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}

func TestFollowWithoutJetStream(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t, natstest.WithoutJetStream())
	bridge := bridgetest.Run(t, s.URL(), bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	bus := newClient(t, natstest.Connect(t, s.URL()), often)
	f := follow(t, bus, client.FollowOptions{})
	bridge.Tell(event("a", 1, "completed"))
	expect(t, f, "T1/a 1 completed")
	if _, err := bus.Follow(limited(t), client.FollowOptions{Replay: time.Now()}); err == nil {
		t.Error("a replay without JetStream: got no error")
	}
}

func TestStored(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	for status, err := range s.client.Stored(limited(t), client.Filter{}, time.Now().Add(-time.Hour)) {
		t.Errorf("got %v, %v of an empty stream", status, err)
	}
	s.bridge.Store(event("a", 1, "initialized"), event("b", 1, "initialized"), event("a", 2, "completed"))
	s.bridge.StoreClaim("T1", "a")
	read := func(filter client.Filter, n int) (got []string) {
		t.Helper()
		for status, err := range s.client.Stored(limited(t), filter, time.Now().Add(-time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, describe(status)); len(got) == n {
				break
			}
		}
		return got
	}
	compare(t, read(client.Filter{}, 0), "T1/a 1 initialized", "T1/b 1 initialized", "T1/a 2 completed")
	compare(t, read(client.Filter{Order: "a"}, 0), "T1/a 1 initialized", "T1/a 2 completed")
	compare(t, read(client.Filter{}, 2), "T1/a 1 initialized", "T1/b 1 initialized")
	for _, err := range s.client.Stored(limited(t), client.Filter{Order: ">"}, time.Now()) {
		if err == nil {
			t.Error("a filter that is no order: got a status")
		}
	}
}

// A gap is filled although the stream cannot be read when it is noticed.
func TestFollowWaitsForTheStreamToFillAGap(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{NoStream: true})
	p := start(t, s.client)
	s.bridge.Tell(event("a", 1, "initialized"))
	compare(t, statuses(t, p, 1), "T1/a 1 initialized")
	s.bridge.Tell(event("a", 3, "completed"))
	s.bridge.MakeStream(true)
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "declined"), event("a", 3, "completed"))
	compare(t, statuses(t, p, 0), "T1/a 1 initialized", "T1/a 2 declined", "T1/a 3 completed")
}

// A connection that is lost while the subscription is on its way is not closed for good.
func TestFollowOverALostConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	for range 3 {
		s.wire.CutOnce()
		follow(t, s.client, client.FollowOptions{Filter: client.Filter{Terminal: "T1", Order: "A"}})
	}
}
