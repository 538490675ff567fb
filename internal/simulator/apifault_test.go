package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/view"
)

// Every way to lose the answer to a create: whether the order is made, and what
// the client sees.
func TestLoseCreateAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked  string
		status int    // 0: the connection is cut
		body   string // beginning of what is read; "-" for nothing
		broken bool   // the body is no JSON
		unmade bool
	}{
		"cut":              {asked: "", status: 0},
		"cut, not made":    {asked: "not_made", status: 0, unmade: true},
		"broken":           {asked: "mode=broken", status: 200, body: `{"data":{"events`, broken: true},
		"empty":            {asked: "mode=empty", status: 200, body: "-", broken: true},
		"web page":         {asked: "mode=html", status: 200, body: "<!doctype html>", broken: true},
		"huge":             {asked: "mode=huge,size=2000000", status: 200, body: `{"success":true,"data":{"padding":"xxx`},
		"500":              {asked: "status=500", status: 500, body: `{"data":{},"error_code":1000`},
		"429 with a wait":  {asked: "status=429,retry_after=2", status: 429, body: `{"data":{}`},
		"503, not made":    {asked: "status=503,not_made,error_code=9999", status: 503, body: `{"data":{},"error_code":9999`, unmade: true},
		"broken, not made": {asked: "mode=broken,not_made", status: 200, body: `{"data":{"events`, broken: true, unmade: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			body := orderBody("order", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:lose_create_answer:" + tc.asked}})
			resp, raw, err := b.try("POST", "/v1/json/orders"+demoKey, body)
			if (err == nil) == (tc.status == 0) {
				t.Fatalf("got %v, %v; want status %d", resp, err, tc.status)
			}
			if err == nil {
				if resp.StatusCode != tc.status {
					t.Errorf("status: got %d, want %d", resp.StatusCode, tc.status)
				}
				if want := strings.TrimPrefix(tc.body, "-"); !strings.HasPrefix(string(raw), want) || (want == "" && len(raw) > 0) {
					t.Errorf("body: got %.100q, want it to begin with %q", raw, want)
				}
				if json.Valid(raw) == tc.broken {
					t.Errorf("valid JSON: got %t, want %t", !tc.broken, tc.broken)
				}
				if got, want := resp.Header.Get("Retry-After"), map[bool]string{true: "2"}[strings.Contains(tc.asked, "retry_after")]; got != want {
					t.Errorf("Retry-After: got %q, want %q", got, want)
				}
			}
			if _, made := b.Order("order"); made == tc.unmade {
				t.Errorf("made: got %t, want %t", made, !tc.unmade)
			}
			// The same request again does not ask for the fault again.
			status, got := b.do("POST", "/v1/json/orders"+demoKey, body)
			want := map[bool]int{true: 200, false: 400}[tc.unmade]
			if status != want || (want == 400 && got["error_code"] != float64(1006)) {
				t.Errorf("again: got %d %v, want %d", status, got, want)
			}
		})
	}
}

func TestEndlessAndHangingAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.LoseAnswer, Operation: calls.OpGet, Mode: fault.LoseByEndless})
	b.create("order", "SIM00001", nil)
	req, err := http.NewRequestWithContext(b.ctx, "GET", b.APIURL+"/orders/order"+demoKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	n, err := resp.Body.Read(make([]byte, 1<<20))
	if n == 0 || err != nil {
		t.Errorf("endless: read %d bytes, %v", n, err)
	}
	resp.Body.Close() // the simulator stops when the client does

	b.setFault(fault.Fault{Name: fault.LoseAnswer, Operation: calls.OpGet, Mode: fault.LoseByHang})
	ctx, cancel := context.WithCancel(b.ctx)
	go func() {
		b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { //nolint:errcheck // the request fails then
			return e.Kind == journal.KindCall && e.Operation == calls.OpGet && strings.Contains(e.Text, "lost")
		})
		cancel()
	}()
	if _, err := b.client.Do(req.Clone(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("hanging: got %v, want it to wait until the client leaves", err)
	}
}

// fail_api answers, does nothing, and befalls only what it names.
func TestFailAPI(t *testing.T) {
	t.Parallel()
	paths := map[calls.Operation][2]string{
		calls.OpCreate:    {"POST", "/v1/json/orders"},
		calls.OpGet:       {"GET", "/v1/json/orders/order"},
		calls.OpCancel:    {"POST", "/v1/json/orders/order/cancel"},
		calls.OpPatch:     {"PATCH", "/v1/json/orders/order"},
		calls.OpTerminals: {"GET", "/v1/json/terminals"},
		calls.OpReceipt:   {"GET", "/v1/json/pos/receipt/order"},
	}
	for op := range paths {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			b.create("order", "SIM00001", nil)
			b.setFault(fault.Fault{
				Name: fault.FailAPI, Operation: op, Count: 2, Status: 503, RetryAfter: "1", ErrorCode: 1019, ErrorInfo: "Site is inactive",
			})
			for other, call := range paths {
				var body any
				if other == calls.OpCreate {
					body = orderBody("second", "SIM00002", nil)
				}
				want := 200
				if other == op {
					want = 503
				}
				if other == op || !slices.Contains([]calls.Operation{calls.OpCreate, calls.OpCancel, calls.OpPatch}, other) {
					resp, raw := b.raw(call[0], call[1]+demoKey, body)
					if resp.StatusCode != want || (want == 503 && (!strings.Contains(string(raw), `"error_code":1019`) || resp.Header.Get("Retry-After") != "1")) {
						t.Errorf("%s: got %d %s, want %d", other, resp.StatusCode, raw, want)
					}
				}
			}
			if o, _ := b.Order("order"); len(o.Events) != 0 {
				t.Errorf("the order changed: %+v", o)
			}
			if got := len(b.Faults()); got != 1 {
				t.Errorf("faults left: got %d, want 1", got)
			}
		})
	}
}

func TestErrorsWith200(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.ErrorsWith200, Count: fault.Always})
	status, got := b.do("GET", "/v1/json/orders/nobody"+demoKey, nil)
	if status != 200 || got["success"] != false || got["error_code"] != float64(1006) {
		t.Errorf("got %d %v, want 200 with error_code 1006", status, got)
	}
	b.create("order", "SIM00001", nil)
}

// A slow call is done in the end, also when the client has left.
func TestSlowAPI(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		late bool
	}{"work": {false}, "answer": {true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			b.setFault(fault.Fault{Name: fault.SlowAPI, Operation: calls.OpCreate, Delay: time.Second, Late: tc.late})
			ctx, leave := context.WithCancel(b.ctx)
			go func() {
				defer leave()
				_, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return e.Text == "fault slow_api happens" })
				if err != nil {
					t.Errorf("wait for the fault: %v", err)
				}
			}()
			impatient := *b
			impatient.ctx = ctx
			if _, _, err := impatient.try("POST", "/v1/json/orders"+demoKey, orderBody("order", "SIM00001", nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the client to have left", err)
			}
			if _, err := b.WaitOrder(b.ctx, "order", func(view.Order) bool { return true }); err != nil {
				t.Errorf("the order was not made: %v", err)
			}
		})
	}
}

func TestStaleGet(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	for _, step := range []struct {
		action scenario.Action
		want   string
	}{
		{scenario.ActTap, "initialized"},
		{scenario.ActDecline, "initialized"},
		{scenario.ActTap, "declined"},
		{scenario.ActApprove, "initialized"},
	} {
		b.act("SIM00001", step.action)
		b.setFault(fault.Fault{Name: fault.StaleGet})
		if got := b.get("order")["status"]; got != step.want {
			t.Errorf("after %s: got %v, want %s", step.action, got, step.want)
		}
	}
	if got := b.get("order")["status"]; got != "completed" {
		t.Errorf("afterwards: got %v, want completed", got)
	}
}

// Whoever follows the redirect is noticed.
func TestRedirect(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", nil)
	b.setFault(fault.Fault{Name: fault.Redirect, Operation: calls.OpGet})
	b.setFault(fault.Fault{Name: fault.Redirect, Operation: calls.OpStream, Status: 302, URL: b.URL + "/simulator/trap?api_key=x"})
	resp, _ := b.raw("GET", "/v1/json/orders/order"+demoKey, nil)
	to := resp.Header.Get("Location")
	if resp.StatusCode != 307 || !strings.HasPrefix(to, "http://localhost:") {
		t.Errorf("get: got %d to %q, want 307 to localhost", resp.StatusCode, to)
	}
	stream := b.connect(created)
	if stream.StatusCode != 302 {
		t.Errorf("stream: got %d, want 302", stream.StatusCode)
	}
	if got := b.Trapped(); got != 0 {
		t.Errorf("trapped: got %d before anybody followed", got)
	}
	req := newStreamRequest(b, fields{"events_stream_url": stream.Header.Get("Location"), "events_token": "secret"})
	trap, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	trap.Body.Close()
	if got := b.Trapped(); got != 1 {
		t.Errorf("trapped: got %d, want 1", got)
	}
	e, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return e.Kind == journal.KindTrap })
	if err != nil || !strings.Contains(e.Text, "Authorization") || !strings.Contains(e.Text, "API key") {
		t.Errorf("journal: got %+v, %v", e, err)
	}
}

// An eager customer does not wait for the stream.
func TestEagerTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{StreamGrace: time.Hour, Pace: 1000})
	b.create("order", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:eager_terminal"}})
	if _, err := b.WaitStatus(b.ctx, "order", "completed"); err != nil {
		t.Error(err)
	}
}

func TestFaultChecks(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	for name, tc := range map[string]struct {
		fault fault.Fault
		want  string
	}{
		"no name":           {fault.Fault{}, "unknown fault"},
		"unknown name":      {fault.Fault{Name: "nonsense"}, "unknown fault"},
		"foreign field":     {fault.Fault{Name: fault.DropStream, Status: 500}, "takes no field status"},
		"foreign flag":      {fault.Fault{Name: fault.FailAPI, NotMade: true}, "takes no field not_made"},
		"mode":              {fault.Fault{Name: fault.LoseAnswer, Mode: "nonsense"}, "mode"},
		"no mode of events": {fault.Fault{Name: fault.OddEvent}, "mode"},
		"mode of another":   {fault.Fault{Name: fault.OddFraming, Mode: "cut"}, "mode"},
		"status mode bare":  {fault.Fault{Name: fault.LoseAnswer, Mode: "status"}, "status"},
		"count":             {fault.Fault{Name: fault.LoseEvents, Count: -2}, "count"},
		"after":             {fault.Fault{Name: fault.LoseEvents, After: -1}, "after"},
		"status":            {fault.Fault{Name: fault.FailAPI, Status: 99}, "status"},
		"redirect status":   {fault.Fault{Name: fault.Redirect, Status: 200}, "status"},
		"delay negative":    {fault.Fault{Name: fault.SlowAPI, Delay: -1}, "delay"},
		"delay endless":     {fault.Fault{Name: fault.SlowAPI, Delay: time.Hour}, "delay"},
		"size":              {fault.Fault{Name: fault.HugeEvent, Size: 1 << 30}, "size"},
		"operation":         {fault.Fault{Name: fault.FailAPI, Operation: "nonsense"}, "operation"},
		"stream operation":  {fault.Fault{Name: fault.FailAPI, Operation: calls.OpStream}, "operation"},
		"header injection":  {fault.Fault{Name: fault.FailAPI, RetryAfter: "1\r\nX: y"}, "one line"},
		"long id":           {fault.Fault{Name: fault.FailAPI, ID: strings.Repeat("x", 65)}, "id"},
	} {
		if _, err := b.SetFault(tc.fault); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error about %q", name, err, tc.want)
		}
	}
	for _, asked := range []string{
		"fault:drop_stream:after=x", "fault:drop_stream:nonsense=1", "fault:slow_api:delay=5", "fault:lose_answer:not_made=perhaps",
		"fault:drop_stream drop_stream", "fault:", "fault:" + strings.Repeat("drop_stream fault:", 16) + "drop_stream",
	} {
		status, got := b.do("POST", "/v1/json/orders"+demoKey, orderBody("a", "SIM00001", fields{"custom_info": fields{"custom_2": asked}}))
		if status != 422 {
			t.Errorf("%s: got %d %v, want 422", asked, status, got)
		}
	}
	for i := range 1000 {
		if _, err := b.SetFault(fault.Fault{Name: fault.LoseEvents}); err != nil {
			t.Fatalf("fault %d: %v", i+1, err)
		}
	}
	if _, err := b.SetFault(fault.Fault{Name: fault.LoseEvents}); err == nil {
		t.Error("fault 1001: got no error")
	}
}

func TestFaultJSON(t *testing.T) {
	t.Parallel()
	want := fault.Fault{
		ID: "x", Name: fault.SlowAPI, Order: "o", Terminal: "t", Operation: calls.OpGet, Count: 2, After: 1, Status: 500,
		ErrorCode: 1, ErrorInfo: "i", RetryAfter: "1", Delay: 250 * time.Millisecond, Mode: "m", NotMade: true, Clean: true, Late: true,
		URL: "u", Data: "d", Size: 5,
	}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"delay":"250ms"`) {
		t.Errorf("delay is not readable: %s", raw)
	}
	var got fault.Fault
	if err := json.Unmarshal(raw, &got); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, wrong := range []string{`{"fault":"slow_api","dealy":"1s"}`, `{"fault":"slow_api","delay":"soon"}`, `{"fault":1}`} {
		if err := json.Unmarshal([]byte(wrong), &got); err == nil {
			t.Errorf("%s: got no error", wrong)
		}
	}
}
