package simulator_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

func TestOddEvents(t *testing.T) {
	t.Parallel()
	const own = `{"financial_status":"initialized","order_id":"order","session_id":"`
	for mode, want := range map[string]string{
		"order_updated": "event: order.updated\ndata: " + own,
		"message":       "event: message\ndata: " + own,
		"unnamed":       "data: " + own,
		"ping":          "data: ping\n\nevent: session.order\ndata: " + own,
		"envelope":      "event: session.order\ndata: {\"type\":\"session.order\",\"data\":" + own,
		"channel":       "event: message\ndata: {\"type\":\"session.order\",\"channel\":\"",
		"array":         "event: session.order\ndata: [" + own,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
			text, _ := b.payment("order", fields{"custom_info": fields{"custom_2": "fault:odd_event:mode=" + mode}})
			if !strings.HasPrefix(text, want) {
				t.Errorf("got %.200q, want it to begin with %q", text, want)
			}
			if strings.Count(text, "event: session.order\ndata: {\"financial_status\"") < 3 {
				t.Errorf("the other events are odd, too: %q", text)
			}
		})
	}
}

// reconnect opens the order's stream once more.
func (b *bundle) reconnect(created fields, lastID string) *stream {
	b.t.Helper()
	req := newStreamRequest(b, created)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return &stream{t: b.t, resp: resp, in: bufio.NewReader(resp.Body)}
}

// What a second connection tells, after initialized, declined, initialized.
func TestHistoryOnStream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mode, lastID string
		want         string
		ids          string
	}{
		"no fault":        {"", "", "completed", ""},
		"replay":          {fault.HistoryReplay, "2", "initialized declined initialized completed", ""},
		"replay with ids": {fault.HistoryReplayIDs, "2", "initialized declined initialized completed", "1 2 3 4"},
		"resume":          {fault.HistoryResume, "2", "initialized completed", "3 4"},
		"resume, unknown": {fault.HistoryResume, "99", "completed", "4"},
		"resume, garbage": {fault.HistoryResume, "x", "completed", "4"},
		"ids":             {fault.HistoryIDs, "2", "completed", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
			created := b.create("order", "SIM00001", nil)
			b.act("SIM00001", scenario.ActDecline, scenario.ActTap)
			if tc.mode != "" {
				b.setFault(fault.Fault{Name: fault.History, Mode: tc.mode})
			}
			s := b.reconnect(created, tc.lastID)
			b.act("SIM00001", scenario.ActApprove)
			text, _ := s.rest()
			if got := strings.Join(orderEvents(t, "order", text), " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			var ids []string
			for line := range strings.SplitSeq(text, "\n") {
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					ids = append(ids, id)
				}
			}
			if got := strings.Join(ids, " "); got != tc.ids {
				t.Errorf("ids: got %q, want %q", got, tc.ids)
			}
		})
	}
}

func TestPresentStateOfOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:present_state"}})
	b.act("SIM00001", scenario.ActDecline)
	if got := b.open(created).event()["status"]; got != "declined" {
		t.Errorf("got %v, want declined", got)
	}
}

// Compressed although the client says that it takes no compression.
func TestCompressedStream(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
	created := b.create("order", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:compressed_stream"}})
	req := newStreamRequest(b, created)
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b.act("SIM00001", scenario.ActApprove)
	if got := resp.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding: got %q", got)
	}
	unpacked, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(unpacked)
	if err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Fatal(err)
	}
	if got, want := orderEvents(t, "order", string(raw)), []string{"initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTokenEndsOpenStream(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:expired_token:mode=cut,delay=1ms"}})
	if text, clean := b.open(created).rest(); clean || text != "" {
		t.Errorf("got %q, clean %t; want it cut", text, clean)
	}
	if got := b.connect(created).StatusCode; got != 401 {
		t.Errorf("again: got %d, want 401", got)
	}
}

// All streams are cut at once and nobody is there for a while.
func TestOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	one, two := b.create("one", "SIM00001", nil), b.create("two", "SIM00002", nil)
	streams := []*stream{b.open(one), b.open(two)}
	if status, got := b.do("POST", "/simulator/outage", fields{"for": "1m", "status": 503}); status != 200 || got["dropped"] != float64(2) {
		t.Fatalf("got %d %v", status, got)
	}
	for _, s := range streams {
		if _, clean := s.rest(); clean {
			t.Error("a stream ended cleanly, want it cut")
		}
	}
	if got := b.connect(one).StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("stream: got %d, want 503", got)
	}
	if status, _ := b.do("GET", "/v1/json/orders/one"+demoKey, nil); status != http.StatusServiceUnavailable {
		t.Errorf("get: got %d, want 503", status)
	}
	b.do("POST", "/simulator/outage", fields{"for": "1m"})
	if _, _, err := b.try("GET", "/v1/json/orders/one"+demoKey, nil); err == nil {
		t.Error("get without a status: got an answer, want the connection cut")
	}
	b.do("POST", "/simulator/outage", fields{"for": "0s"})
	b.open(one)
	for _, wrong := range []fields{{"for": "x"}, {"for": "-1s"}, {"for": "1s", "status": 200}} {
		if status, _ := b.do("POST", "/simulator/outage", wrong); status != 400 {
			t.Errorf("%v: got %d, want 400", wrong, status)
		}
	}
}

// A load reaches every stream, in order, complete, and ends.
func TestLoad(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: time.Millisecond})
	streams := map[string]*stream{}
	for _, id := range []string{"one", "two"} {
		terminal := map[string]string{"one": "SIM00001", "two": "SIM00002"}[id]
		streams[id] = b.open(b.create(id, terminal, nil))
	}
	b.create("three", "SIM00003", nil) // nobody listens
	if _, err := b.StartLoad(5000, 200*time.Millisecond, "one", "two"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return strings.Contains(e.Text, "load is over") }); err != nil {
		t.Fatal(err)
	}
	load := b.Load()
	if load.Running || load.Emitted != 1000 || load.Orders != 2 {
		t.Errorf("got %+v, want 1000 statuses on two orders", load)
	}
	b.act("SIM00001", scenario.ActApprove)
	b.act("SIM00002", scenario.ActApprove)
	for id, s := range streams {
		text, _ := s.rest()
		got := orderEvents(t, id, text)
		if len(got) != 501 || got[0] != "initialized" || got[1] != "declined" || got[499] != "declined" || got[500] != "completed" {
			t.Errorf("%s: got %d events, %v … %v", id, len(got), got[:min(2, len(got))], got[max(0, len(got)-2):])
		}
		if o, _ := b.Order(id); o.Emitted != 500 {
			t.Errorf("%s: emitted %d, want 500", id, o.Emitted)
		}
	}
	if o, _ := b.Order("three"); o.Emitted != 0 {
		t.Errorf("three took part: %+v", o)
	}
	for _, body := range []fields{{"rate": 0, "for": "1s"}, {"rate": 1, "for": "x"}, {"rate": 1, "for": "1s", "orders": []string{"one"}}} {
		if status, _ := b.do("POST", "/simulator/load", body); status != 400 && status != 404 {
			t.Errorf("%v: got %d, want it refused", body, status)
		}
	}
}

func TestStopLoad(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	s := b.open(b.create("order", "SIM00001", nil))
	if status, got := b.do("POST", "/simulator/load", fields{"rate": 100, "for": "1h"}); status != 200 || got["running"] != true {
		t.Fatalf("got %d %v", status, got)
	}
	s.statuses(3)
	if _, got := b.do("DELETE", "/simulator/load", nil); got["running"] != false {
		t.Errorf("got %v, want it stopped", got)
	}
	if o, _ := b.Order("order"); b.get("order")["status"] != o.Status {
		t.Errorf("got %+v and %v", o, b.get("order"))
	}
}

// A client that does not read holds its order back; nothing piles up.
func TestLoadOnSlowClient(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.open(b.create("order", "SIM00001", nil))
	if _, err := b.StartLoad(1_000_000, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return strings.Contains(e.Text, "load is over") }); err != nil {
		t.Fatal(err)
	}
	if load := b.Load(); load.Behind == 0 || load.Emitted == 0 || load.Emitted >= 300_000 {
		t.Errorf("got %+v, want it to fall behind", load)
	}
}
