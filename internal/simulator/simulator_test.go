package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	group := func(id, key string, terminals ...string) orders.GroupOptions {
		return orders.GroupOptions{ID: id, APIKey: key, Terminals: terminals}
	}
	for name, tc := range map[string]struct {
		options simulator.Options
		want    string // in the error; empty for none
	}{
		"none":             {simulator.Options{}, ""},
		"negative pace":    {simulator.Options{Pace: -1}, "pace"},
		"endless pace":     {simulator.Options{Pace: 1e12}, "pace"},
		"inactivity":       {simulator.Options{InactivityTimeout: -1}, "inactivity"},
		"token TTL":        {simulator.Options{TokenTTL: -1}, "token TTL"},
		"linger":           {simulator.Options{Linger: -1}, "linger"},
		"webhook retry":    {simulator.Options{WebhookRetry: -1}, "webhook retry"},
		"history":          {simulator.Options{History: -1}, "history"},
		"no heartbeat":     {simulator.Options{Heartbeat: -1, StreamGrace: -1}, ""},
		"no groups":        {simulator.Options{Groups: []orders.GroupOptions{}}, "no terminal"},
		"no id":            {simulator.Options{Groups: []orders.GroupOptions{group("", "k", "T")}}, "no id"},
		"no key":           {simulator.Options{Groups: []orders.GroupOptions{group("1", "", "T")}}, "no API key"},
		"no terminals":     {simulator.Options{Groups: []orders.GroupOptions{group("1", "k")}}, "no terminal"},
		"bad terminal":     {simulator.Options{Groups: []orders.GroupOptions{group("1", "k", "T*")}}, "terminal"},
		"same id":          {simulator.Options{Groups: []orders.GroupOptions{group("1", "k", "T"), group("1", "l", "U")}}, "id"},
		"same key":         {simulator.Options{Groups: []orders.GroupOptions{group("1", "k", "T"), group("2", "k", "U")}}, "key"},
		"same terminal":    {simulator.Options{Groups: []orders.GroupOptions{group("1", "k", "T"), group("2", "l", "T")}}, "already in group 1"},
		"all wrong things": {simulator.Options{Pace: -1, Linger: -1}, "linger"},
	} {
		sim, err := simulator.New(tc.options)
		if err == nil {
			sim.Close()
		}
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want an error about %q", name, err, tc.want)
		}
	}
}

// bubble gives a test a simulator for which hours pass in no time.
func bubble(t *testing.T, o simulator.Options, test func(t *testing.T, sim *simulator.Simulator)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim, err := simulator.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		test(t, sim)
	})
}

// direct sends a request to the handler without a network, as synctest needs it.
func direct(t *testing.T, sim *simulator.Simulator, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	sim.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

func directCreate(t *testing.T, sim *simulator.Simulator, id string) {
	t.Helper()
	body := fmt.Sprintf(`{"type":"redirect","order_id":%q,"currency":"EUR","amount":1250,"description":"x","gateway_info":{"terminal_id":"SIM00001"}}`, id)
	if w := direct(t, sim, "POST", "/v1/json/orders?api_key=demo-key", body); w.Code != 200 {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
}

// At pace 1: a customer holds back two seconds for the stream, then takes a
// second per step.
func TestTimes(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{}, func(t *testing.T, sim *simulator.Simulator) {
		begin := time.Now()
		directCreate(t, sim, "order")
		o, err := sim.WaitStatus(t.Context(), "order", "completed")
		if err != nil {
			t.Fatal(err)
		}
		var got []time.Duration
		for _, e := range o.Events {
			got = append(got, e.At.Sub(begin))
		}
		if want := []time.Duration{3 * time.Second, 4 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("events after %v, want %v", got, want)
		}
	})
}

// Sixty seconds after the last touch, not after the start.
func TestInactivity(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{Manual: true}, func(t *testing.T, sim *simulator.Simulator) {
		begin := time.Now()
		directCreate(t, sim, "order")
		for range 2 {
			<-time.After(50 * time.Second) // in the bubble's time
			if _, err := sim.Act("SIM00001", scenario.ActDecline); err != nil {
				t.Fatal(err)
			}
		}
		if terminal, err := sim.Terminal("SIM00001"); err != nil || terminal.Deadline.Sub(begin) != 160*time.Second {
			t.Errorf("deadline: got %+v, %v; want it after 160 s", terminal, err)
		}
		if _, err := sim.WaitStatus(t.Context(), "order", "cancelled"); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(begin), 160*time.Second; got != want {
			t.Errorf("cancelled after %s, want %s", got, want)
		}
	})
}

// A patched order stays declined, however long nobody touches it.
func TestPatchedOrderIsStuck(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{}, func(t *testing.T, sim *simulator.Simulator) {
		directCreate(t, sim, "order")
		for range 3 {
			direct(t, sim, "PATCH", "/v1/json/orders/order?api_key=demo-key", `{"status":"cancelled"}`)
		}
		<-time.After(time.Hour) // in the bubble's time
		o, _ := sim.Order("order")
		if got, want := o.Statuses(), []string{"declined"}; !slices.Equal(got, want) || !o.Stuck || o.Final {
			t.Errorf("got %+v, want it declined for good", o)
		}
	})
}

// Only so many finished orders are kept; their ids can be used again.
func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, History: 3})
	for i := range 5 {
		b.create(fmt.Sprintf("order-%d", i), "SIM00001", nil)
		b.act("SIM00001", scenario.ActCancel)
	}
	b.create("open", "SIM00002", nil)
	var got []string
	for _, o := range b.Orders() {
		got = append(got, o.ID)
	}
	if want := []string{"order-2", "order-3", "order-4", "open"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	if status, _ := b.do("GET", "/v1/json/orders/order-0"+demoKey, nil); status != 404 {
		t.Errorf("forgotten order: got %d, want 404", status)
	}
	b.create("order-0", "SIM00001", nil)
	if open := b.OpenOrders(); len(open) != 2 {
		t.Errorf("open orders: got %d, want 2", len(open))
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	s := b.open(b.create("order", "SIM00001", nil))
	b.setFault(fault.Fault{Name: fault.LoseEvents})
	if err := b.Configure("SIM00001", orders.Auto, scenario.WalkAway); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if _, clean := s.rest(); !clean {
		t.Error("the stream was cut, want a clean end")
	}
	state := b.State()
	if len(state.Orders) != 0 || len(state.Faults) != 0 || state.Terminals[0].Busy || state.Terminals[0].Scenario != scenario.Approve || state.Seq == 0 {
		t.Errorf("after a reset: got %+v", state)
	}
	b.create("order", "SIM00001", nil)
}

// Close ends streams, feeds and waits, and may be called again.
func TestClose(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.01})
	s := b.open(b.create("order", "SIM00001", nil))
	waited := make(chan error, 1)
	go func() {
		_, err := b.WaitStatus(context.Background(), "order", "completed")
		waited <- err
	}()
	b.Close()
	b.Close()
	s.rest()
	if err := <-waited; !errors.Is(err, orders.ErrClosed) {
		t.Errorf("wait: got %v, want %v", err, orders.ErrClosed)
	}
	if resp, _ := b.raw("GET", "/simulator/state", nil); resp.StatusCode != 503 {
		t.Errorf("after Close: got %d, want 503", resp.StatusCode)
	}
	if _, err := b.Act("SIM00001", scenario.ActTap); !errors.Is(err, orders.ErrClosed) {
		t.Errorf("act: got %v, want %v", err, orders.ErrClosed)
	}
	if _, err := b.SetFault(fault.Fault{Name: fault.LoseEvents}); !errors.Is(err, orders.ErrClosed) {
		t.Errorf("set fault: got %v, want %v", err, orders.ErrClosed)
	}
	b.Reset()
}

func TestServe(t *testing.T) {
	t.Parallel()
	sim, err := simulator.New(simulator.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- sim.Serve(ctx, l) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String() + "/simulator/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel() // with a stream open
	if err := <-served; err != nil {
		t.Errorf("serve: got %v", err)
	}

	sim, err = simulator.New(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Serve(t.Context(), l); err == nil { // closed before
		t.Error("serve on a closed listener: got no error")
	}
}

// A thousand orders at once, each with its stream, through the same life.
func TestManyOrders(t *testing.T) {
	t.Parallel()
	const payments = 1000
	group := orders.GroupOptions{ID: "1", APIKey: "demo-key"}
	for i := range payments {
		group.Terminals = append(group.Terminals, fmt.Sprintf("T%04d", i))
	}
	b := setup(t, simulator.Options{Groups: []orders.GroupOptions{group}, Pace: 10, Linger: time.Millisecond, StreamGrace: time.Minute})
	b.client.Transport.(*http.Transport).DisableKeepAlives = false
	want := []string{"initialized", "declined", "initialized", "completed"}
	var wg sync.WaitGroup
	begin := make(chan struct{}, 50) // so many clients at a time make orders
	for i, terminal := range group.Terminals {
		wg.Go(func() {
			begin <- struct{}{}
			id := fmt.Sprintf("order-%d", i)
			resp, raw, err := b.try("POST", "/v1/json/orders"+demoKey, orderBody(id, terminal, inScenario(scenario.SoftDeclineThenApprove)))
			if err != nil || resp.StatusCode != 200 {
				<-begin
				t.Errorf("create %s: %v %s", id, err, raw)
				return
			}
			token, _, _ := strings.Cut(string(raw[strings.Index(string(raw), `"events_token":"`)+16:]), `"`)
			stream, err := b.client.Do(newStreamRequest(b, fields{"events_stream_url": b.URL + "/events/stream/", "events_token": token}))
			<-begin
			if err != nil {
				t.Errorf("stream of %s: %v", id, err)
				return
			}
			defer stream.Body.Close()
			text, err := io.ReadAll(stream.Body)
			if err != nil {
				t.Errorf("read %s: %v", id, err)
			}
			if got := orderEvents(t, id, string(text)); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", id, got, want)
			}
		})
	}
	wg.Wait()
	for {
		state := b.State()
		if state.Streams == 0 {
			break
		}
		if _, err := b.WaitEntry(b.ctx, state.Seq, func(journal.Entry) bool { return true }); err != nil {
			t.Fatalf("%d streams are still open: %v", b.OpenStreams(), err)
		}
	}
	if got := b.State(); len(got.Orders) != 0 || got.Finished != payments {
		t.Errorf("at the end: %d open, %d finished", len(got.Orders), got.Finished)
	}
}
