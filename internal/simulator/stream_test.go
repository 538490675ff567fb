package simulator_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/view"
)

func TestStreamAuthorization(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	b := setup(t, simulator.Options{Manual: true, TokenTTL: time.Minute, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	other := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", nil)
	token := created["events_token"].(string)
	foreign := other.create("order", "SIM00001", nil)["events_token"].(string)
	open := func(authorization string) int {
		req, err := http.NewRequestWithContext(b.ctx, "GET", b.URL+"/events/stream/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, tc := range []struct {
		name, authorization string
		want                int
	}{
		{"bare", token, 200},
		{"bearer", "Bearer " + token, 200},
		{"bearer in small letters", "bearer " + token, 200},
		{"none", "", 401},
		{"no token", "Bearer ", 401},
		{"nonsense", "nonsense", 401},
		{"changed", token[:len(token)-4] + "AAAA", 401},
		{"of another provider", foreign, 401},
	} {
		if got := open(tc.authorization); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}

	kept := b.open(created)
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if got := open(token); got != 401 {
		t.Errorf("expired: got %d, want 401", got)
	}
	// What is open stays open.
	b.act("SIM00001", scenario.ActTap)
	if got := kept.event()["status"]; got != "initialized" {
		t.Errorf("open stream after expiry: got %v", got)
	}
}

// act does something at a terminal and fails the test if it cannot be done.
func (b *bundle) act(terminal string, actions ...scenario.Action) view.Order {
	b.t.Helper()
	var o view.Order
	var err error
	for _, action := range actions {
		if o, err = b.Act(terminal, action); err != nil {
			b.t.Fatal(err)
		}
	}
	return o
}

func TestStreamMethod(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	if resp, _ := b.raw("POST", "/events/stream/", nil); resp.StatusCode != 405 {
		t.Errorf("POST: got %d, want 405", resp.StatusCode)
	}
}

func TestStreamEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: time.Millisecond})
	created := b.create("order", "SIM00001", nil)
	first, second := b.open(created), b.open(created)
	if got := first.resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("content type: got %q", got)
	}
	o := b.act("SIM00001", scenario.ActApprove)
	for i, s := range []*stream{first, second} {
		for _, status := range []string{"initialized", "completed"} {
			want := fields{
				"status": status, "financial_status": status, "order_id": "order",
				"session_id": created["session_id"], "transaction_id": fmt.Sprint(o.TransactionID),
			}
			if got := s.event(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("stream %d: got %v, want %v", i, got, want)
			}
		}
		if rest, clean := s.rest(); !clean {
			t.Errorf("stream %d: ended with an error after %q", i, rest)
		}
	}
}

// Without SendPresentState a stream tells only what happens from now on.
func TestStreamPresentState(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		send    bool
		actions []scenario.Action
		want    []string
	}{
		"not sent":                 {false, []scenario.Action{scenario.ActTap}, []string{"cancelled"}},
		"sent before any event":    {true, nil, []string{"initialized", "cancelled"}},
		"sent after some":          {true, []scenario.Action{scenario.ActDecline}, []string{"declined", "cancelled"}},
		"sent when it was decided": {true, []scenario.Action{scenario.ActApprove}, []string{"completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true, SendPresentState: tc.send})
			created := b.create("order", "SIM00001", nil)
			b.act("SIM00001", tc.actions...)
			s := b.open(created)
			if o, _ := b.Order("order"); !o.Final {
				b.act("SIM00001", scenario.ActCancel)
			}
			if got := s.statuses(len(tc.want)); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestStreamHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Heartbeat: time.Millisecond})
	s := b.open(b.create("order", "SIM00001", nil))
	for range 3 {
		line, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line != ": keep-alive\n" && line != "\n" {
			t.Errorf("got %q, want comments", line)
		}
	}
}

// A stream that was opened after the end tells what follows.
func TestStreamOfFinishedOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: time.Hour})
	created := b.create("order", "SIM00001", nil)
	b.act("SIM00001", scenario.ActApprove)
	s := b.open(created)
	b.act("SIM00001", scenario.ActReverse)
	if got := s.event()["status"]; got != "reversed" {
		t.Errorf("got %v, want reversed", got)
	}
}

// Nothing follows: it ends properly.
func TestStreamLingers(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: time.Millisecond})
	created := b.create("order", "SIM00001", nil)
	b.act("SIM00001", scenario.ActApprove)
	if text, clean := b.open(created).rest(); text != "" || !clean {
		t.Errorf("got %q, clean %t; want a clean end", text, clean)
	}
}

func TestStreamLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", nil)
	for range 64 {
		b.open(created)
	}
	if got := b.connect(created).StatusCode; got != 429 {
		t.Errorf("stream 65: got %d, want 429", got)
	}
}

func TestDropStreams(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	one, two := b.create("one", "SIM00001", nil), b.create("two", "SIM00002", nil)
	s1, s2 := b.open(one), b.open(two)
	if got := b.DropStreams("one"); got != 1 {
		t.Errorf("dropped %d, want 1", got)
	}
	if _, clean := s1.rest(); clean {
		t.Error("stream one ended cleanly, want it cut")
	}
	b.act("SIM00002", scenario.ActTap)
	if got := s2.event()["status"]; got != "initialized" {
		t.Errorf("stream two: got %v", got)
	}
	if got := b.DropStreams(""); got != 1 {
		t.Errorf("dropped %d, want 1", got)
	}
	if _, clean := s2.rest(); clean {
		t.Error("stream two ended cleanly, want it cut")
	}
	b.open(one) // clients may come back
}

// newStreamRequest is the request for an order's event stream.
func newStreamRequest(b *bundle, created fields) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.ctx, "GET", created["events_stream_url"].(string), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", created["events_token"].(string))
	req.Header.Set("Accept", "text/event-stream")
	return req
}
