package simulator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
)

// The control API, call by call, in order, on one simulator.
func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order/1", "SIM00001", nil)
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string // in the answer
	}{
		{"GET", "/", "", 200, `"/v1/json"`},
		{"GET", "/nonsense", "", 404, ""},
		{"GET", "/simulator/state", "", 200, `"order_id": "order/1"`},
		{"GET", "/simulator/scenarios", "", 200, `"soft_decline_then_approve"`},
		{"GET", "/simulator/fault-kinds", "", 200, `"lose_create_answer"`},
		{"GET", "/simulator/terminals", "", 200, `"screen": "amount_due"`},
		{"GET", "/simulator/terminals/SIM00001", "", 200, `"busy": true`},
		{"GET", "/simulator/terminals/NOBODY", "", 404, "unknown terminal"},
		{"GET", "/simulator/orders", "", 200, `"order/1"`},
		{"GET", "/simulator/orders/order%2F1", "", 200, `"order/1"`},
		{"GET", "/simulator/orders/nobody", "", 404, "unknown order"},
		{"GET", "/simulator/calls/order%2F1", "", 200, `"create": 1`},
		{"PUT", "/simulator/terminals/SIM00002", `{"mode":"auto","scenario":"walk_away"}`, 200, `"walk_away"`},
		{"PUT", "/simulator/terminals/SIM00002", `{"mode":"sometimes"}`, 400, "mode must be auto or manual"},
		{"PUT", "/simulator/terminals/SIM00002", `{"mood":"manual"}`, 400, "mood"},
		{"PUT", "/simulator/terminals", `{"scenario":"approve"}`, 200, `"SIM00004"`},
		{"PUT", "/simulator/terminals", `{"mode":"sometimes"}`, 400, "mode must be auto or manual"},
		{"PUT", "/simulator/terminals", `x`, 400, "read body"},
		{"PUT", "/simulator/terminals/NOBODY", `{"mode":"manual"}`, 404, "unknown terminal"},
		{"POST", "/simulator/terminals/SIM00001/tap", "", 200, `"status": "initialized"`},
		{"POST", "/simulator/terminals/SIM00001/decline", "", 200, `"status": "declined"`},
		{"POST", "/simulator/terminals/SIM00001/approve", "", 200, `"status": "completed"`},
		{"POST", "/simulator/terminals/SIM00001/approve", "", 409, "no such payment"},
		{"POST", "/simulator/terminals/SIM00001/dance", "", 404, "unknown action"},
		{"POST", "/simulator/terminals/SIM00001/reverse", "", 200, `"status": "reversed"`},
		{"POST", "/simulator/orders/order%2F1/status", `{"status":"refunded"}`, 200, `"financial_status": "refunded"`},
		{"POST", "/simulator/orders/order%2F1/status", `{}`, 400, "status"},
		{"POST", "/simulator/orders/nobody/status", `{"status":"x"}`, 404, "unknown order"},
		{"POST", "/simulator/orders/order%2F1/drop", "", 200, `"dropped": 0`},
		{"POST", "/simulator/streams/drop", "", 200, `"dropped": 0`},
		{"POST", "/simulator/faults", `{"fault":"drop_stream","after":1}`, 201, `"id": "f1"`},
		{"PUT", "/simulator/faults/mine", `{"fault":"slow_api","delay":"1s","count":-1,"terminal_id":"SIM00002"}`, 201, `"delay": "1s"`},
		{"PUT", "/simulator/faults/mine", `{"fault":"slow_api","delay":"2s"}`, 201, `"count": 1`},
		{"POST", "/simulator/faults", `{"fault":"nonsense"}`, 400, "unknown fault"},
		{"POST", "/simulator/faults", `{"fault":"slow_api","x":1}`, 400, "x"},
		{"POST", "/simulator/faults", `x`, 400, "read body"},
		{"POST", "/simulator/faults", ``, 400, "unknown fault"},
		{"GET", "/simulator/faults", "", 200, `"delay": "2s"`},
		{"DELETE", "/simulator/faults/f1", "", 204, ""},
		{"DELETE", "/simulator/faults/f1", "", 404, "no fault"},
		{"DELETE", "/simulator/faults", "", 204, ""},
		{"GET", "/simulator/faults", "", 200, "[]"},
		{"GET", "/simulator/log?since=2", "", 200, `"missed": false`},
		{"GET", "/simulator/log?since=x", "", 400, "since"},
		{"GET", "/simulator/events?since=x", "", 400, "since"},
		{"GET", "/simulator/wait?order=order%2F1&status=completed", "", 200, `"order/1"`},
		{"GET", "/simulator/wait?order=order%2F1", "", 200, `"order/1"`},
		{"GET", "/simulator/wait?order=order%2F1&status=void&timeout=1ms", "", 504, "not within 1ms"},
		{"GET", "/simulator/wait?order=order%2F1&status=stream&timeout=1ms", "", 504, "not within"},
		{"GET", "/simulator/wait?order=nobody&timeout=1ms", "", 504, "not within"},
		{"GET", "/simulator/wait?order=x&timeout=1", "", 400, "timeout"},
		{"GET", "/simulator/wait", "", 400, "order"},
		{"GET", "/simulator/trap", "", 418, "trap"},
		{"POST", "/simulator/reset", "", 204, ""},
		{"GET", "/simulator/orders/order%2F1", "", 404, "unknown order"},
	} {
		var body any
		if tc.body != "" {
			body = tc.body
		}
		resp, raw := b.raw(tc.method, tc.path, body)
		if resp.StatusCode != tc.status || !strings.Contains(string(raw), tc.want) {
			t.Errorf("%s %s %s: got %d %s, want %d with %q", tc.method, tc.path, tc.body, resp.StatusCode, raw, tc.status, tc.want)
		}
		if strings.Contains(string(raw), "demo-key") {
			t.Errorf("%s %s shows the API key", tc.method, tc.path)
		}
	}
}

// The feed tells every entry once, with the terminals that changed, and goes on
// where a client left.
func TestFeed(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, LogSize: 100})
	open := func(since string) *stream {
		req, err := http.NewRequestWithContext(b.ctx, "GET", b.URL+"/simulator/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		if since != "" {
			req.Header.Set("Last-Event-ID", since)
		}
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return &stream{t: t, resp: resp, in: bufio.NewReader(resp.Body)}
	}
	live := open("")
	if line, err := live.in.ReadString('\n'); err != nil || line != ": simulator\n" {
		t.Fatalf("first line: got %q, %v", line, err)
	}
	b.create("order", "SIM00001", nil)
	seen := map[string]bool{}
	for !seen["terminal amount_due"] || !seen["log order"] {
		block, err := live.next()
		if err != nil {
			t.Fatal(err)
		}
		data := map[string]any{}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(block[len(block)-1], "data: ")), &data); err != nil {
			t.Fatal(err)
		}
		switch block[0] {
		case "event: terminal":
			seen["terminal "+data["screen"].(string)] = true
		case "event: log":
			if !strings.HasPrefix(block[1], "id: ") {
				t.Errorf("log without an id: %v", block)
			}
			seen["log "+data["kind"].(string)] = true
		default:
			t.Errorf("unexpected event %v", block)
		}
	}

	for range 200 {
		b.get("order")
	}
	block, err := open("1").next()
	if err != nil || block[0] != "event: missed" {
		t.Errorf("after a long absence: got %v, %v; want to be told", block, err)
	}
	if entries, missed := b.Log(0, 1000); len(entries) != 100 || !missed {
		t.Errorf("log: got %d entries, missed %t; want the latest 100", len(entries), missed)
	}
	last := b.State().Seq
	if entries, missed := b.Log(last+5, 10); len(entries) != 0 || missed {
		t.Errorf("log from the future: got %d entries, missed %t", len(entries), missed)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 50, StreamGrace: time.Millisecond})
	done := make(chan int)
	go func() {
		resp, _, err := b.try("GET", "/simulator/wait?order=order&status=completed&timeout=20s", nil)
		if err != nil {
			done <- 0
			return
		}
		done <- resp.StatusCode
	}()
	b.create("order", "SIM00001", nil)
	if got := <-done; got != 200 {
		t.Errorf("wait: got %d, want 200", got)
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Millisecond)
	defer cancel()
	if _, err := b.WaitStream(ctx, "order"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a stream that nobody opens: got %v", err)
	}
}
