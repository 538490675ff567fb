package till_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/internal/till/tilltest"
	"github.com/posbridge/bridge/schema"
)

// never is an interval at which nothing happens by itself in a test.
const never = time.Hour

// stand is a server with a stand-in bridge and a till that is connected to it.
type stand struct {
	bridge *tilltest.Bridge
	wire   *tilltest.Wire
	till   *till.Till
}

func setup(t *testing.T, handlers tilltest.Handlers, options tilltest.Options) stand {
	t.Helper()
	s := natstest.Run(t)
	wire := tilltest.RunWire(t, s.URL())
	bridge := tilltest.Run(t, s.URL(), handlers, options)
	e := env{till.EnvURL: wire.URL(), till.EnvPrefix: options.Prefix}
	return stand{bridge: bridge, wire: wire, till: connect(t, e, "")}
}

// follow follows until the test ends.
func follow(t *testing.T, bus *till.Till, options till.FollowOptions) *till.Following {
	t.Helper()
	ctx, cancel := context.WithCancel(limited(t))
	f, err := bus.Follow(ctx, options)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for range f.Updates() { // what nobody waits for any more
		}
	})
	return f
}

// describe writes an update in a few words.
func describe(u till.Update) string {
	switch u := u.(type) {
	case till.StatusUpdate:
		return fmt.Sprintf("%s/%s %d %s", u.TerminalID, u.OrderID, u.Sequence, u.Status)
	case till.SessionUpdate:
		return fmt.Sprintf("asked %s/%s %d %s", u.TerminalID, u.OrderID, u.Sequence, u.Status)
	case till.InvalidUpdate:
		return fmt.Sprintf("invalid %s/%s %s", u.TerminalID, u.OrderID, u.Reason)
	case till.UnknownUpdate:
		return "unknown"
	case till.MissedUpdate:
		return fmt.Sprintf("missed %s/%s %d-%d", u.Terminal, u.Order, u.From, u.To)
	case till.LinkUpdate:
		return fmt.Sprintf("link %t blind %t", u.Up, u.Blind)
	case till.TroubleUpdate:
		return "trouble: " + u.Err.Error()
	}
	return fmt.Sprintf("%#v", u)
}

// expect takes as many updates as are wanted and compares them.
func expect(t *testing.T, f *till.Following, want ...string) {
	t.Helper()
	limit := time.NewTimer(tilltest.Limit)
	defer limit.Stop()
	var got []string
	for len(got) < len(want) {
		select {
		case u, ok := <-f.Updates():
			if !ok {
				t.Fatalf("got %q and the end (%v), want %q", got, f.Err(), want)
			}
			got = append(got, describe(u))
		case <-limit.C:
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func event(order string, sequence uint64, status string) schema.StatusEvent {
	return tilltest.Event("T1", order, sequence, status)
}

func TestFollowShowsEachEventOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{})
	f := follow(t, s.till, till.FollowOptions{Every: never})
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
		tilltest.Event("T1", "x.y/z", 1, "initialized"), tilltest.Event("T2", "x.y/z", 1, "declined"),
		tilltest.Event("T1", "other", 1, "completed"), tilltest.Event("T3", "last", 1, "completed"),
	}
	for name, test := range map[string]struct {
		filter till.Filter
		want   []string
	}{
		"all":                    {till.Filter{}, []string{"T1/x.y/z 1 initialized", "T2/x.y/z 1 declined", "T1/other 1 completed", "T3/last 1 completed"}},
		"a terminal":             {till.Filter{Terminal: "T1"}, []string{"T1/x.y/z 1 initialized", "T1/other 1 completed"}},
		"an order":               {till.Filter{Order: "x.y/z"}, []string{"T1/x.y/z 1 initialized", "T2/x.y/z 1 declined"}},
		"an order of a terminal": {till.Filter{Terminal: "T2", Order: "x.y/z"}, []string{"T2/x.y/z 1 declined"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, tilltest.Handlers{}, tilltest.Options{Prefix: "eu.pos"})
			live := follow(t, s.till, till.FollowOptions{Filter: test.filter, Every: never})
			s.bridge.Store(events...)
			expect(t, live, test.want...)
			expect(t, follow(t, s.till, till.FollowOptions{Filter: test.filter, Every: never, Replay: time.Now().Add(-time.Minute)}), test.want...)
		})
	}
}

func TestFollowRefusesHostileFilters(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	for _, filter := range []till.Filter{{Terminal: ">"}, {Terminal: "a.b"}, {Order: "*"}, {Order: "a b"}, {Terminal: "T1", Order: "é"}} {
		if _, err := s.till.Follow(limited(t), till.FollowOptions{Filter: filter}); err == nil {
			t.Errorf("%q: got no error", filter)
		}
	}
}

// Between replay and live there is no gap and no double, with a publisher that
// never stops, and more events than one read of the stream returns.
func TestFollowReplaysThenGoesOnLive(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{})
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
	f := follow(t, s.till, till.FollowOptions{Every: never, Replay: time.Now().Add(-time.Minute)})
	last := map[string]uint64{}
	limit := time.NewTimer(tilltest.Limit)
	defer limit.Stop()
	for seen := 0; seen < orders*(before+after); seen++ {
		select {
		case u := <-f.Updates():
			e, ok := u.(till.StatusUpdate)
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
	s := setup(t, tilltest.Handlers{}, tilltest.Options{Silent: true})
	f := follow(t, s.till, till.FollowOptions{Every: never})
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
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	f := follow(t, s.till, till.FollowOptions{Every: never})
	s.bridge.Tell(event("a", 3, "initialized"), event("a", 6, "completed"), event("a", 5, "declined"), event("a", 7, "reversed"))
	expect(t, f, "T1/a 3 initialized", "missed T1/a 4-5", "T1/a 6 completed", "T1/a 7 reversed")
}

// An order that begins while the connection is away is shown from its first
// event on, even if a later one arrives live before anything else happens.
func TestFollowCatchesUpAfterALostConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{Silent: true})
	f := follow(t, s.till, till.FollowOptions{Every: never})
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
	s := setup(t, tilltest.Handlers{}, tilltest.Options{Silent: true})
	s.bridge.Store(event("old", 1, "initialized"))
	f := follow(t, s.till, till.FollowOptions{Every: never})
	s.bridge.Store(event("new", 1, "initialized"), event("new", 2, "completed"), event("old", 2, "completed"))
	s.bridge.Tell(event("new", 2, "completed")) // its first was missed
	expect(t, f, "T1/new 1 initialized", "T1/new 2 completed")
	s.bridge.Tell(event("old", 2, "completed")) // its first is older than the following
	expect(t, f, "T1/old 2 completed")
}

func TestFollowLooksEveryNowAndThen(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{Silent: true})
	f := follow(t, s.till, till.FollowOptions{Every: 20 * time.Millisecond})
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed")) // no live message at all
	expect(t, f, "T1/a 1 initialized", "T1/a 2 completed")
}

func TestFollowFindsAStreamThatIsMadeLater(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	f := follow(t, s.till, till.FollowOptions{Every: 20 * time.Millisecond})
	s.bridge.MakeStream(true)
	s.bridge.Store(event("a", 1, "completed"))
	expect(t, f, "T1/a 1 completed")
}

func TestFollowFromStartAsksTheBridge(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	f := follow(t, s.till, till.FollowOptions{Filter: till.Filter{Terminal: "T1", Order: "a"}, FromStart: true, Every: 20 * time.Millisecond})
	expect(t, f, "unknown")
	s.bridge.Handle(func(h *tilltest.Handlers) {
		h.Get = func(schema.OrderRequest) (any, error) {
			return tilltest.Session(event("a", 3, "initialized")), nil
		}
	})
	for {
		u := describe(<-f.Updates())
		if u == "unknown" { // asked before the answer changed
			continue
		}
		if u != "missed T1/a 1-2" {
			t.Fatalf("got %s", u)
		}
		break
	}
	expect(t, f, "asked T1/a 3 initialized")
	s.bridge.Tell(event("a", 3, "initialized"), event("a", 4, "completed"))
	expect(t, f, "T1/a 4 completed")
}

// The stream is read before the bridge's answer is believed to stand for an event.
func TestFollowFromStartPrefersTheStream(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{Get: func(schema.OrderRequest) (any, error) {
		return tilltest.Session(event("a", 2, "completed")), nil
	}}, tilltest.Options{Silent: true})
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed"))
	f := follow(t, s.till, till.FollowOptions{Filter: till.Filter{Terminal: "T1", Order: "a"}, FromStart: true, Every: never})
	f.CatchUp()
	expect(t, f, "T1/a 1 initialized", "T1/a 2 completed")
}

// The stream holds the bridge's own records of orders as well: nobody is shown them.
func TestFollowPassesByClaims(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{})
	s.bridge.StoreClaim("T1", "a")
	s.bridge.Store(event("a", 1, "completed"))
	f := follow(t, s.till, till.FollowOptions{Replay: time.Now().Add(-time.Hour), Every: never})
	expect(t, f, "T1/a 1 completed")
}

func TestFollowPassesByWhatIsNotTheBridges(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	f := follow(t, s.till, till.FollowOptions{Every: never})
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

// rights is a server with a user "me" of few rights and a user for the bridge.
func rights(t *testing.T, publish, subscribe []string) (bus *till.Till, bridge *tilltest.Bridge) {
	t.Helper()
	list := func(subjects []string) string { return `["` + strings.Join(subjects, `","`) + `"]` }
	s := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`authorization { users: [
		{ user: bridge, password: bridge },
		{ user: me, password: me, permissions: { publish: %s, subscribe: %s } } ] }`, list(publish), list(subscribe))))
	bridge = tilltest.Run(t, strings.Replace(s.URL(), "://", "://bridge:bridge@", 1), tilltest.Handlers{}, tilltest.Options{Silent: true})
	return connect(t, env{till.EnvURL: strings.Replace(s.URL(), "://", "://me:me@", 1)}, ""), bridge
}

func TestFollowWithoutTheRightToReadTheStream(t *testing.T) {
	t.Parallel()
	bus, bridge := rights(t, []string{"pos.T1.payment.*"}, []string{"pos.T1.*.status", "_INBOX.>"})
	terminal := till.Filter{Terminal: "T1"}
	f := follow(t, bus, till.FollowOptions{Filter: terminal, Every: 20 * time.Millisecond})
	bridge.Tell(event("a", 1, "initialized"), event("a", 3, "completed"))
	expect(t, f, "T1/a 1 initialized", "missed T1/a 2-2", "T1/a 3 completed")

	denied := func(options till.FollowOptions, subject string, subscribe bool) {
		t.Helper()
		_, err := bus.Follow(limited(t), options)
		got, ok := errors.AsType[*till.DeniedError](err)
		if !ok || *got != (till.DeniedError{Subject: subject, Subscribe: subscribe}) {
			t.Errorf("got %v, want %s denied", err, subject)
		}
	}
	denied(till.FollowOptions{Filter: terminal, Replay: time.Now()}, "$JS.API.DIRECT.GET.POS_STATUS", false)
	denied(till.FollowOptions{}, "pos.*.*.status", true)
	denied(till.FollowOptions{Filter: till.Filter{Terminal: "T2"}}, "pos.T2.*.status", true)

	_, _, err := bus.List(limited(t))
	if got, ok := errors.AsType[*till.DeniedError](err); !ok || got.Subject != "pos.payment.list" {
		t.Errorf("got %v, want pos.payment.list denied", err)
	}
	if _, _, err := bus.Get(limited(t), "T1", "a"); !refusedWith(err, schema.NotFound) {
		t.Errorf("got %v, want %s", err, schema.NotFound)
	}
}

func refusedWith(err error, code schema.Code) bool {
	refused, ok := errors.AsType[*till.RefusedError](err)
	return ok && refused.Reply.Code == code
}

func TestRequestWithoutTheRightToHearTheReply(t *testing.T) {
	t.Parallel()
	bus, _ := rights(t, []string{">"}, []string{"pos.>"})
	_, _, err := bus.List(limited(t))
	if got, ok := errors.AsType[*till.DeniedError](err); !ok || *got != (till.DeniedError{Subject: "_INBOX.>", Subscribe: true}) {
		t.Errorf("got %v, want _INBOX.> denied", err)
	}
}

func TestFollowEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{NoStream: true})
	f := follow(t, s.till, till.FollowOptions{Every: never})
	s.till.Close()
	for range f.Updates() {
	}
	if err := f.Err(); !errors.Is(err, till.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := setup(t, tilltest.Handlers{}, tilltest.Options{})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(limited(t))
	f, err := s.till.Follow(ctx, till.FollowOptions{Every: never})
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
	bridge := tilltest.Run(t, s.URL(), tilltest.Handlers{}, tilltest.Options{NoStream: true})
	bus := connect(t, env{till.EnvURL: s.URL()}, "")
	f := follow(t, bus, till.FollowOptions{Every: 20 * time.Millisecond})
	bridge.Tell(event("a", 1, "completed"))
	expect(t, f, "T1/a 1 completed")
	if _, err := bus.Follow(limited(t), till.FollowOptions{Replay: time.Now()}); err == nil {
		t.Error("a replay without JetStream: got no error")
	}
}

func TestCommandsThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	bus := connect(t, env{till.EnvURL: s.URL(), till.EnvPrefix: "shop"}, "")
	_, _, err := bus.Start(limited(t), schema.StartRequest{TerminalID: "T1", OrderID: "a"})
	got, ok := errors.AsType[*till.NoBridgeError](err)
	if want := (till.NoBridgeError{Server: s.URL(), Prefix: "shop", Subject: "shop.T1.payment.start"}); !ok || *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
	nc := natstest.Connect(t, s.URL())
	if _, err := nc.Subscribe("shop.>", func(m *nats.Msg) { _ = m.Respond([]byte("no JSON")) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bus.List(limited(t)); !errors.Is(err, till.ErrBadReply) {
		t.Errorf("got %v, want ErrBadReply", err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, context.DeadlineExceeded)
	defer cancel()
	if _, _, err := bus.Get(ctx, "T1", "a"); err == nil {
		t.Error("got no error")
	}
}

func TestFollowThroughAJetStreamDomain(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t, natstest.WithServerOptions(func(o *server.Options) { o.JetStreamDomain = "shop" }))
	bridge := tilltest.Run(t, s.URL(), tilltest.Handlers{}, tilltest.Options{Silent: true})
	bridge.Store(event("a", 1, "completed"))
	for name, place := range map[string]struct {
		env     env
		context string
	}{
		"context, domain": {contextFile(t, map[string]any{"url": s.URL(), "jetstream_domain": "shop"}), "it"},
		"context, prefix": {contextFile(t, map[string]any{"url": s.URL(), "jetstream_api_prefix": "$JS.shop.API"}), "it"},
		"environment":     {env{till.EnvURL: s.URL(), till.EnvDomain: "shop"}, ""},
	} {
		t.Log(name)
		f := follow(t, connect(t, place.env, place.context), till.FollowOptions{Every: never, Replay: time.Now().Add(-time.Minute)})
		expect(t, f, "T1/a 1 completed")
	}
}
