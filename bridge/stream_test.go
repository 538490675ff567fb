package bridge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// The events token goes to the provider's host alone: another one in the
// create answer is not even connected to, and the order is asked for instead.
func TestTokenIsNeverSentElsewhere(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int32
	elsewhere := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stolen.Add(1) }))
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		p.make(order)
		yes(w, createdData(order, elsewhere.URL+"/v1/json/events/"))
	}
	b := setup(t, options{provider: p})
	r := b.run()
	if got := b.start(order("a", terminal1)); !got.Created || got.SessionID != "session-of-a" {
		t.Errorf("got %+v", got)
	}
	b.await("a", "initialized")
	p.become("completed")
	for _, e := range b.await("a", "initialized", "completed") {
		if e.Source != schema.SourceReconcile {
			t.Errorf("got %+v", e)
		}
	}
	if stolen.Load() > 0 || strings.Contains(r.logs.String(), "token-of-") {
		t.Errorf("%d got the token, or the log shows it:\n%s", stolen.Load(), r.logs)
	}
}

// BRIDGE_EVENTS_ALLOWED_HOSTS lets further hosts in, and BRIDGE_EVENTS_AUTH is the
// form of the Authorization header.
func TestAllowedEventsHost(t *testing.T) {
	t.Parallel()
	elsewhere := &provider{}
	other := newServer(t, elsewhere)
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		p.make(order)
		yes(w, createdData(order, other.URL+"/v1/json/events/"))
	}
	b := setup(t, options{provider: p})
	b.run(func(c *bridge.Config) {
		c.Provider.AllowedHosts, c.Provider.EventsAuth = []string{strings.TrimPrefix(other.URL, "http://")}, "bearer"
	})
	b.start(order("a", terminal1))
	eventually(t, "the stream is opened", func() bool { return elsewhere.called("stream") > 0 })
	elsewhere.mu.Lock()
	defer elsewhere.mu.Unlock()
	if got := elsewhere.authorizations; got[0] != "Bearer token-of-a" {
		t.Errorf("got %q", got)
	}
}

// What happens between two connections is gone from the stream: it is asked for
// as soon as the stream is back.
func TestGapIsReconciled(t *testing.T) {
	t.Parallel()
	p := &provider{}
	var connections atomic.Int32
	changed := make(chan struct{})
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		openStream(w)
		if connections.Add(1) == 1 {
			send(w, event("a", "initialized"))
			p.become("declined")
			close(changed)
			return
		}
		<-r.Context().Done()
	}
	p.get = func(w http.ResponseWriter, r *http.Request, id string) {
		select { // the first status is the stream's to tell
		case <-changed:
		case <-r.Context().Done():
		}
		p.state(w, id)
	}
	b := setup(t, options{provider: p})
	r := b.run()
	b.start(order("a", terminal1))
	events := b.await("a", "initialized", "declined")
	if events[0].Source != schema.SourceStream || events[1].Source != schema.SourceReconcile {
		t.Errorf("got %+v", events)
	}
	r.waitMetric(`pos_bridge_stream_reconnects_total{reason="ended"}`, "1")
	r.waitMetric(`pos_bridge_streams_connected`, "1")
	eventually(t, "an answer was news", func() bool { // two may be, while the first is being published
		news := r.metric(`pos_bridge_reconciles_total{result="news"}`)
		return news != "" && news != "0"
	})
}

// Every connection says which event was the last one, also the first connection of a
// successor, so that the provider can send what happened in between.
func TestEveryConnectionNamesTheLastEvent(t *testing.T) {
	t.Parallel()
	p := &provider{get: func(w http.ResponseWriter, _ *http.Request, _ string) { // only the stream tells
		refuse(w, http.StatusServiceUnavailable, 0, "away")
	}}
	var (
		mu  sync.Mutex
		ids []string
	)
	named := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ids)
	}
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		ids = append(ids, r.Header.Get("Last-Event-ID"))
		connection := len(ids)
		mu.Unlock()
		openStream(w)
		switch connection {
		case 1:
			send(w, "id: 41\n"+event("a", "initialized"))
			return
		case 2:
			send(w, "id: 41\n"+event("a", "initialized")+"id: 42\n"+event("a", "declined"))
		}
		<-r.Context().Done()
	}
	b := setup(t, options{provider: p})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized", "declined")
	first.kill()
	b.run()
	eventually(t, "the successor connects", func() bool { return len(named()) > 2 })
	if got := named()[:3]; !slices.Equal(got, []string{"", "41", "42"}) {
		t.Errorf("the connections named %q", got)
	}
}

// An answer that is older than what the stream has told since is no news.
func TestStaleAnswerIsNoNews(t *testing.T) {
	t.Parallel()
	p := &provider{}
	release, published := make(chan struct{}), make(chan struct{})
	var gets atomic.Int32
	p.get = func(w http.ResponseWriter, r *http.Request, id string) {
		if gets.Add(1) > 1 {
			p.state(w, id)
			return
		}
		p.mu.Lock() // the answer is made now
		answer := orderData(p.orders[id], "initialized")
		p.mu.Unlock()
		close(release)
		select { // and arrives after the stream's news
		case <-published:
		case <-r.Context().Done():
		}
		yes(w, answer)
	}
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		openStream(w)
		<-release
		p.become("declined")
		send(w, event("a", "declined"))
		<-r.Context().Done()
	}
	b := setup(t, options{provider: p})
	r := b.run()
	b.start(order("a", terminal1))
	b.await("a", "declined")
	close(published)
	r.waitMetric(`pos_bridge_reconciles_total{result="no_news"}`, "2") // the stale one, and the one asked for instead
	b.await("a", "declined")
}

// A silent stream is no proof that nothing happens.
func TestSilenceIsReconciled(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	b.run(func(c *bridge.Config) { c.Timing.ReconcileInterval = 100 * time.Millisecond })
	b.start(order("a", terminal1))
	for i, status := range []string{"initialized", "declined", "initialized", "completed"} {
		p.become(status)
		want := []string{"initialized", "declined", "initialized", "completed"}[:i+1]
		for _, e := range b.await("a", want...) {
			if e.Source != schema.SourceReconcile || e.TransactionID != "42" || e.FinancialStatus != e.Status {
				t.Errorf("got %+v", e)
			}
		}
	}
}

// Many events that nobody can understand do not flood the bus.
func TestInvalidEventsAreBounded(t *testing.T) {
	t.Parallel()
	p := &provider{}
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		openStream(w)
		send(w, event("a", "initialized"))
		send(w, "event: session.order\ndata: nonsense "+strings.Repeat("é", 4<<10)+"\n\n")
		for i := range 149 {
			send(w, fmt.Sprintf("event: session.order\ndata: nonsense %d\n\n", i))
		}
		send(w, event("a", "completed"))
		<-r.Context().Done()
	}
	b := setup(t, options{provider: p})
	r := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized", "completed")
	r.waitMetric("pos_bridge_invalid_events_total", "150")
	long := 0
	for _, e := range b.awaitInvalid(100) {
		if e.Event != "session.order" || len(e.Data) > 4<<10 {
			t.Errorf("%d bytes of data in an event of type %q", len(e.Data), e.Event)
		}
		long = max(long, len(e.Data))
	}
	if long < 4<<10-2 {
		t.Errorf("the longest data are %d bytes, want them cut at 4 KiB", long)
	}
	if n := len(b.awaitInvalid(0)); n != 100 {
		t.Errorf("%d invalid events, want 100", n)
	}
}

// Whatever befalls the stream, the payment's statuses come, once and in order,
// and the terminal is free in the end.
func TestOddStreams(t *testing.T) {
	t.Parallel()
	all := []string{"initialized", "completed"}
	for _, tt := range some([]struct {
		faults string
		// gap is true when the first status may be gone before anybody asks.
		gap bool
		// invalid events that are published.
		invalid int
	}{
		{faults: "drop_stream:after=1"},
		{faults: "drop_stream:count=5", gap: true},
		{faults: "refuse_stream:status=500,count=3", gap: true},
		{faults: "refuse_stream:status=503,retry_after=0.1,count=2", gap: true},
		{faults: "refuse_stream:status=401,count=-1", gap: true},
		{faults: "hang_stream:count=-1", gap: true},
		{faults: "silent_stream:count=-1", gap: true},
		{faults: "silent_stream:after=1"},
		{faults: "lose_events:after=1"},
		{faults: "lose_events:count=-1", gap: true},
		{faults: "duplicate_events:count=-1"},
		{faults: "out_of_order_events", gap: true},
		{faults: "joined_events"},
		{faults: "other_order_event:count=-1"},
		{faults: "other_event_type:count=-1"},
		{faults: "garbage_event", invalid: 1},
		{faults: "huge_event:after=1", invalid: 1},
		{faults: "unterminated_event"},
		{faults: "expired_token:delay=50ms drop_stream:after=1", gap: true},
		{faults: "stale_get:count=3"},
		{faults: "slow_api:operation=get,delay=100ms,count=3"},
		{faults: "fail_api:operation=get,status=500,count=3"},
		{faults: "fail_api:operation=get,status=429,retry_after=0.1,count=2"},
		{faults: "lose_answer:operation=get,mode=html,count=2"},
		{faults: "redirect:operation=stream,count=-1", gap: true},
		{faults: "eager_terminal", gap: true},
		{faults: "eager_terminal refuse_stream:count=2", gap: true},
		{faults: "odd_framing:mode=mixed"},
	}) {
		t.Run(tt.faults, func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{StreamGrace: patience, Heartbeat: 20 * time.Millisecond}
			if tt.gap { // the customer does not wait for the stream
				o.StreamGrace = 100 * time.Millisecond
			}
			b := setup(t, options{simulator: o})
			r := b.run(func(c *bridge.Config) {
				c.Timing.ReconcileInterval, c.Timing.RequestTimeout = 150*time.Millisecond, 500*time.Millisecond
				if strings.HasPrefix(tt.faults, "silent_stream") {
					c.Timing.IdleTimeout = 300 * time.Millisecond
				}
			})
			if got := b.start(order("a", terminal1, scenario(simulator.Approve, strings.Split(tt.faults, " ")...))); !got.Created {
				t.Errorf("got %+v", got)
			}
			b.wait(func() string { return "completed" }, func() bool {
				return slices.Contains(namesOf(b.eventsOf("a")), "completed")
			})
			b.waitFree(terminal1)
			eventually(t, "the session is at rest", func() bool { return r.metric("pos_bridge_sessions_active") == "0" })
			got := namesOf(b.events("a"))
			if !slices.Equal(got, all) && (!tt.gap || !slices.Equal(got, all[1:])) {
				t.Errorf("got %q, want %q", got, all)
			}
			if calls := b.sim.Calls("a"); calls.Made != 1 || calls.Create != 1 {
				t.Errorf("got %+v", calls)
			}
			for _, e := range b.awaitInvalid(tt.invalid) {
				if e.OrderID != "a" || e.TerminalID != terminal1 || e.Reason == "" || e.ObservedAt.IsZero() {
					t.Errorf("got %+v", e)
				}
			}
			if n := len(b.awaitInvalid(0)); n != tt.invalid {
				t.Errorf("%d invalid events, want %d", n, tt.invalid)
			}
			if n := b.sim.Trapped(); n > 0 {
				t.Errorf("a redirect was followed %d times", n)
			}
			for _, secret := range append(simulator.CardData(), apiKey, "eyJ") {
				if strings.Contains(r.logs.String(), secret) {
					t.Errorf("%q is in the log:\n%s", secret, r.logs)
				}
				for _, e := range b.awaitInvalid(0) {
					if strings.Contains(e.Data, secret) {
						t.Errorf("%q is in %+v", secret, e)
					}
				}
			}
		})
	}
}
