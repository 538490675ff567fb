package simulator_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

func TestCreateAnswer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	b := setup(t, simulator.Options{Manual: true, Now: func() time.Time { return now }})
	got := b.create("order/1.a", "SIM00001", nil)
	if got["order_id"] != "order/1.a" {
		t.Errorf("order_id: got %v", got["order_id"])
	}
	if want := b.URL + "/events/stream/"; got["events_stream_url"] != want {
		t.Errorf("events_stream_url: got %v, want %s", got["events_stream_url"], want)
	}
	session := got["session_id"].(string)
	if len(session) != 39 {
		t.Errorf("session_id: got %d characters, want 39", len(session))
	}
	parts := strings.Split(got["events_token"].(string), ".")
	if len(parts) != 3 {
		t.Fatalf("events_token: got %d parts, want the three of a JWT", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims fields
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	want := fields{"exp": float64(now.Add(30 * time.Minute).Unix()), "pid": session, "sub": "pr"}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("claim %s: got %v, want %v", name, claims[name], value)
		}
	}
	if got := fmt.Sprint(claims["grt"]); got != "[mbus:session.order mbus:session.qr]" {
		t.Errorf("claim grt: got %s", got)
	}
}

// Every way to be refused, and that nothing is made.
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Groups: []orders.GroupOptions{
		{ID: "57958", APIKey: "demo-key", Terminals: []string{"SIM00001", "SIM00002"}},
		{ID: "57959", APIKey: "other-key", Terminals: []string{"OTHER001"}},
	}})
	b.create("taken", "SIM00002", nil)
	long := strings.Repeat("x", 201)
	for name, tc := range map[string]struct {
		key       string
		body      any
		status    int
		code      float64 // 0: a 422
		attribute string
	}{
		"no key":                {key: "-", body: orderBody("a", "SIM00001", nil), status: 401, code: 1032},
		"wrong key":             {key: "nonsense", body: orderBody("a", "SIM00001", nil), status: 401, code: 1032},
		"key of another group":  {key: "other-key", body: orderBody("a", "SIM00001", nil), status: 400, code: 1023},
		"unknown terminal":      {body: orderBody("a", "SIM00009", nil), status: 400, code: 1023},
		"used order id":         {body: orderBody("taken", "SIM00001", nil), status: 400, code: 1006},
		"busy terminal":         {body: orderBody("a", "SIM00002", nil), status: 400, code: 1022},
		"no JSON":               {body: `{"type":`, status: 400, code: 1001},
		"two documents":         {body: `{} {}`, status: 400, code: 1001},
		"an array":              {body: `[]`, status: 400, code: 1001},
		"too large":             {body: `{"type":"` + strings.Repeat("x", 1<<20) + `"}`, status: 400, code: 1001},
		"amount zero":           {body: orderBody("a", "SIM00001", fields{"amount": 0}), status: 400, code: 1001},
		"amount negative":       {body: orderBody("a", "SIM00001", fields{"amount": -5}), status: 400, code: 1001},
		"amount fraction":       {body: orderBody("a", "SIM00001", fields{"amount": 10.5}), status: 400, code: 1001},
		"amount text":           {body: orderBody("a", "SIM00001", fields{"amount": "10"}), status: 400, code: 1001},
		"amount too large":      {body: orderBody("a", "SIM00001", fields{"amount": 1_000_000_000}), status: 400, code: 1001},
		"currency unknown":      {body: orderBody("a", "SIM00001", fields{"currency": "XQQ"}), status: 400, code: 1002},
		"currency small":        {body: orderBody("a", "SIM00001", fields{"currency": "eur"}), status: 400, code: 1002},
		"description missing":   {body: orderBody("a", "SIM00001", fields{"description": nil}), status: 400, code: 1008},
		"description too long":  {body: orderBody("a", "SIM00001", fields{"description": long}), status: 400, code: 1008},
		"type missing":          {body: orderBody("a", "SIM00001", fields{"type": nil}), status: 422, attribute: "type"},
		"type direct":           {body: orderBody("a", "SIM00001", fields{"type": "direct"}), status: 422, attribute: "type"},
		"order id missing":      {body: orderBody("", "SIM00001", nil), status: 422, attribute: "order_id"},
		"order id odd":          {body: orderBody("a b", "SIM00001", nil), status: 422, attribute: "order_id"},
		"order id too long":     {body: orderBody(strings.Repeat("a", 51), "SIM00001", nil), status: 422, attribute: "order_id"},
		"terminal missing":      {body: orderBody("a", "", nil), status: 422, attribute: "gateway_info.terminal_id"},
		"locale":                {body: orderBody("a", "SIM00001", fields{"customer": fields{"locale": "nl"}}), status: 422, attribute: "customer.locale"},
		"email too long":        {body: orderBody("a", "SIM00001", fields{"customer": fields{"email": long}}), status: 422, attribute: "customer.email"},
		"phone too long":        {body: orderBody("a", "SIM00001", fields{"customer": fields{"phone": long}}), status: 422, attribute: "customer.phone"},
		"notification too long": {body: orderBody("a", "SIM00001", fields{"payment_options": fields{"notification_url": "http://127.0.0.1/" + long}}), status: 422, attribute: "payment_options.notification_url"},
		"notification no URL":   {body: orderBody("a", "SIM00001", fields{"payment_options": fields{"notification_url": "ftp://x"}}), status: 422, attribute: "payment_options.notification_url"},
		"scenario unknown":      {body: orderBody("a", "SIM00001", inScenario("nonsense")), status: 422, attribute: "custom_info.custom_1"},
		"fault unknown":         {body: orderBody("a", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:nonsense"}}), status: 422, attribute: "custom_info.custom_2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.t = t
			key := "demo-key"
			if tc.key != "" {
				key = tc.key
			}
			path := "/v1/json/orders?api_key=" + key
			if key == "-" {
				path = "/v1/json/orders"
			}
			status, got := b.do("POST", path, tc.body)
			if status != tc.status || got["success"] != false {
				t.Fatalf("got %d %v, want %d", status, got, tc.status)
			}
			if tc.attribute != "" {
				if got := got["errors"].([]any)[0].(map[string]any)["attribute"]; got != tc.attribute {
					t.Errorf("attribute: got %v, want %s", got, tc.attribute)
				}
			} else if got["error_code"] != tc.code || got["error_info"] == "" {
				t.Errorf("got %v, want error_code %v", got, tc.code)
			}
			if _, made := b.Order("a"); made {
				t.Error("an order was made")
			}
		})
	}
}

func TestCreateAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("full", "SIM00001", fields{
		"currency": "JPY", "amount": 999_999_999, "unknown_field": true,
		"customer":        fields{"locale": "nl_NL", "email": "a@b.example", "phone": "031123345456", "first_name": "A", "last_name": "B"},
		"payment_options": fields{"notification_url": "http://127.0.0.1:9/hook", "notification_method": "POST"},
		"custom_info":     fields{"custom_1": "till 7", "custom_2": "x", "custom_3": "y"},
	})
	got := b.get("full")
	if got["currency"] != "JPY" || got["amount"] != float64(999_999_999) {
		t.Errorf("got %v %v", got["amount"], got["currency"])
	}
	if got := got["customer"].(map[string]any)["phone1"]; got != "031123345456" {
		t.Errorf("phone1: got %v", got)
	}
}

func TestKeyAsHeader(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	for key, want := range map[string]int{"demo-key": 200, "nonsense": 401} {
		req, err := http.NewRequestWithContext(b.ctx, "GET", b.APIURL+"/terminals", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("api_key", key)
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("key %s: got %d, want %d", key, resp.StatusCode, want)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("a/b", "SIM00001", nil)
	for _, tc := range []struct {
		method, path string
		status       int
		code         float64
	}{
		{"GET", "/v1/json/orders/nobody", 404, 1006},
		{"POST", "/v1/json/orders/nobody/cancel", 404, 1006},
		{"PATCH", "/v1/json/orders/nobody", 404, 1006},
		{"GET", "/v1/json/pos/receipt/nobody", 404, 1006},
		{"GET", "/v1/json/orders/%2E%2E", 404, 1006},
		{"GET", "/v1/json/orders/a/b", 404, 1000}, // a slash must be escaped
		{"GET", "/v1/json/nonsense", 404, 1000},
		{"DELETE", "/v1/json/orders/a%2Fb", 405, 1000},
		{"GET", "/v1/json/orders", 405, 1000},
	} {
		status, got := b.do(tc.method, tc.path+demoKey, nil)
		if status != tc.status || got["error_code"] != tc.code || got["success"] != false {
			t.Errorf("%s %s: got %d %v, want %d with error_code %v", tc.method, tc.path, status, got, tc.status, tc.code)
		}
	}
}

// Order ids with a slash and dots are found under their escaped form.
func TestEscapedOrderIDs(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	for i, id := range []string{"a/b", "..", "a.b", "x/cancel"} {
		terminal := fmt.Sprintf("SIM0000%d", i+1)
		b.create(id, terminal, nil)
		escaped := strings.NewReplacer("/", "%2F", ".", "%2E").Replace(id)
		status, got := b.do("GET", "/v1/json/orders/"+escaped+demoKey, nil)
		if status != 200 || got["data"].(map[string]any)["order_id"] != id {
			t.Errorf("get %s: %d %v", id, status, got)
		}
		status, got = b.do("POST", "/v1/json/orders/"+escaped+"/cancel"+demoKey, nil)
		if status != 200 || got["data"].(map[string]any)["status"] != "cancelled" {
			t.Errorf("cancel %s: %d %v", id, status, got)
		}
	}
}

func TestWrongGroupsKey(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Groups: []orders.GroupOptions{
		{ID: "1", APIKey: "demo-key", Terminals: []string{"A"}},
		{ID: "2", APIKey: "other-key", Terminals: []string{"B"}},
	}})
	b.create("order", "A", nil)
	for _, call := range [][2]string{
		{"GET", "orders/order"}, {"POST", "orders/order/cancel"}, {"PATCH", "orders/order"}, {"GET", "pos/receipt/order"},
	} {
		status, got := b.do(call[0], "/v1/json/"+call[1]+"?api_key=other-key", nil)
		if status != 403 || got["message"] != "Forbidden" {
			t.Errorf("%s %s: got %d %v, want 403", call[0], call[1], status, got)
		}
	}
	if o, _ := b.Order("order"); o.Final {
		t.Errorf("the order is over: %+v", o)
	}
}

func TestGetOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	created := b.create("order", "SIM00001", nil)

	before := b.get("order")
	if before["status"] != "initialized" || before["financial_status"] != "initialized" {
		t.Errorf("status before a card: got %v/%v, want initialized", before["status"], before["financial_status"])
	}
	details := before["payment_details"].(map[string]any)
	if details["terminal_id"] != "SIM00001" || details["last4"] != nil {
		t.Errorf("payment_details before a card: got %v", details)
	}

	s := b.open(created)
	if _, err := b.Act("SIM00001", scenario.ActApprove); err != nil {
		t.Fatal(err)
	}
	s.event()
	event := s.event()
	_, raw := b.raw("GET", "/v1/json/orders/order"+demoKey, nil)
	// The number is longer than a float64 is exact: compare as text.
	if number := `"transaction_id":` + event["transaction_id"].(string); !strings.Contains(string(raw), number+",") {
		t.Errorf("answer lacks %s: %s", number, raw)
	}
	for _, datum := range []string{
		wire.CardHolder, wire.CardLast4, wire.CardExpiry, wire.CardEMV,
		wire.CardMaskedPAN, wire.CardAuthorizationCode,
	} {
		if !strings.Contains(string(raw), `"`+datum+`"`) {
			t.Errorf("answer lacks the card datum %q", datum)
		}
	}
	if got := b.get("order"); got["status"] != "completed" || got["completed"] == nil {
		t.Errorf("after approval: got %v", got)
	}
}

func TestCancelOrder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before []scenario.Action
		status int
		end    string
		events int
	}{
		"untouched":  {nil, 200, "cancelled", 1},
		"processing": {[]scenario.Action{scenario.ActTap}, 200, "cancelled", 2},
		"declined":   {[]scenario.Action{scenario.ActDecline}, 200, "cancelled", 3},
		"cancelled":  {[]scenario.Action{scenario.ActCancel}, 200, "cancelled", 1},
		"completed":  {[]scenario.Action{scenario.ActApprove}, 400, "completed", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			b.create("order", "SIM00001", nil)
			for _, action := range tc.before {
				if _, err := b.Act("SIM00001", action); err != nil {
					t.Fatal(err)
				}
			}
			status, got := b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil)
			if status != tc.status {
				t.Errorf("got %d %v, want %d", status, got, tc.status)
			}
			o, _ := b.Order("order")
			if o.Status != tc.end || len(o.Events) != tc.events || !o.Final {
				t.Errorf("got %+v, want %s after %d events", o, tc.end, tc.events)
			}
			b.create("next", "SIM00001", nil)
		})
	}
}

// PATCH leaves the order declined and the terminal busy; cancelling helps.
func TestPatchOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	status, got := b.do("PATCH", "/v1/json/orders/order"+demoKey, fields{"status": "cancelled"})
	if status != 200 || got["success"] != true {
		t.Fatalf("patch: got %d %v", status, got)
	}
	if got := b.get("order")["status"]; got != "declined" {
		t.Errorf("status: got %v, want declined", got)
	}
	if _, err := b.Act("SIM00001", scenario.ActApprove); err == nil {
		t.Error("the terminal could still be used")
	}
	if status, _ := b.do("POST", "/v1/json/orders"+demoKey, orderBody("next", "SIM00001", nil)); status != 400 {
		t.Errorf("second payment: got %d, want the terminal busy", status)
	}
	if status, _ := b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil); status != 200 {
		t.Errorf("cancel: got %d", status)
	}
	b.create("next", "SIM00001", nil)
}

func TestListTerminals(t *testing.T) {
	t.Parallel()
	group := orders.GroupOptions{ID: "57958", APIKey: "demo-key"}
	for i := range 7 {
		group.Terminals = append(group.Terminals, fmt.Sprintf("T%d", i))
	}
	b := setup(t, simulator.Options{Groups: []orders.GroupOptions{group, {ID: "x", APIKey: "x", Terminals: []string{"X"}}}})
	for query, want := range map[string][]string{
		"":                {"T0", "T1", "T2", "T3", "T4", "T5", "T6"},
		"&limit=3":        {"T0", "T1", "T2"},
		"&limit=3&page=2": {"T3", "T4", "T5"},
		"&limit=3&page=3": {"T6"},
		"&limit=3&page=4": {},
	} {
		status, got := b.do("GET", "/v1/json/terminals"+demoKey+query, nil)
		ids := []string{}
		for _, item := range got["data"].([]any) {
			terminal := item.(map[string]any)
			ids = append(ids, terminal["id"].(string))
			if terminal["group_id"] != float64(57958) || terminal["active"] != true || terminal["provider"] != "SMARTPOS" {
				t.Errorf("terminal: got %v", terminal)
			}
		}
		if status != 200 || !slices.Equal(ids, want) {
			t.Errorf("%q: got %d %v, want %v", query, status, ids, want)
		}
		if total := got["pager"].(map[string]any)["total_items"]; total != float64(7) {
			t.Errorf("%q: total_items: got %v, want 7", query, total)
		}
	}
	for _, query := range []string{"&page=0", "&page=x", "&limit=-1"} {
		if status, _ := b.do("GET", "/v1/json/terminals"+demoKey+query, nil); status != 422 {
			t.Errorf("%q: got %d, want 422", query, status)
		}
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("a/1", "SIM00001", nil)
	if _, err := b.Act("SIM00001", scenario.ActApprove); err != nil {
		t.Fatal(err)
	}
	status, got := b.do("GET", "/v1/json/pos/receipt/"+url.PathEscape("a/1")+demoKey, nil)
	if status != 200 {
		t.Fatalf("got %d %v", status, got)
	}
	data := got["data"].(map[string]any)
	if payment := data["payment"].(map[string]any); payment["terminal_id"] != "SIM00001" || payment["last4"] != wire.CardLast4 {
		t.Errorf("payment: got %v", payment)
	}
	if order := data["order"].(map[string]any); order["amount"] != float64(1250) || order["amountrefunded"] != float64(0) {
		t.Errorf("order: got %v", order)
	}
	if _, err := b.Act("SIM00001", scenario.ActRefund); err != nil {
		t.Fatal(err)
	}
	_, got = b.do("GET", "/v1/json/pos/receipt/"+url.PathEscape("a/1")+demoKey, nil)
	if order := got["data"].(map[string]any)["order"].(map[string]any); order["amountrefunded"] != float64(1250) {
		t.Errorf("order after a refund: got %v", order)
	}
}

func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	b.do("POST", "/v1/json/orders"+demoKey, orderBody("order", "SIM00001", nil))
	b.do("POST", "/v1/json/orders"+demoKey, orderBody("refused", "SIM00001", nil))
	b.get("order")
	b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil)
	if got, want := b.Calls("order"), (calls.Counts{Create: 2, Made: 1, Get: 1, Cancel: 1}); got != want {
		t.Errorf("order: got %+v, want %+v", got, want)
	}
	if got, want := b.Calls("refused"), (calls.Counts{Create: 1}); got != want {
		t.Errorf("refused: got %+v, want %+v", got, want)
	}
}
