package simulator_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// odd asks for another way to write an answer.
func (b *bundle) odd(mode string) {
	b.t.Helper()
	b.setFault(fault.Fault{Name: fault.OddAnswer, Mode: mode})
}

func TestOddCreateAnswers(t *testing.T) {
	t.Parallel()
	for mode, tc := range map[string]struct {
		success any // nil: not there
		have    []string
		lack    []string
	}{
		"no_success":   {nil, []string{"order_id", "events_token"}, nil},
		"success_1":    {float64(1), []string{"order_id", "events_token"}, nil},
		"success_text": {"true", []string{"order_id", "events_token"}, nil},
		"no_order_id":  {true, []string{"events_token"}, []string{"order_id"}},
		"old_names":    {true, []string{"event_token", "event_stream_url"}, []string{"events_token", "events_stream_url"}},
		"event_url":    {true, []string{"event_token", "event_url"}, []string{"events_token", "events_stream_url"}},
		"no_token":     {true, []string{"order_id", "session_id"}, []string{"events_token", "events_stream_url"}},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			b.odd(mode)
			status, got := b.do("POST", "/v1/json/orders"+demoKey, orderBody("order", "SIM00001", nil))
			if status != 200 || got["success"] != tc.success {
				t.Errorf("got %d %v, want success %v", status, got, tc.success)
			}
			data := got["data"].(map[string]any)
			for _, name := range tc.have {
				if data[name] == nil {
					t.Errorf("lacks %s: %v", name, data)
				}
			}
			for _, name := range tc.lack {
				if _, there := data[name]; there {
					t.Errorf("has %s: %v", name, data)
				}
			}
		})
	}
}

func TestOddGetAnswers(t *testing.T) {
	t.Parallel()
	for mode, check := range map[string]func(data fields) bool{
		"other_order":       func(data fields) bool { return strings.HasPrefix(fmt.Sprint(data["order_id"]), "other-") },
		"tip":               func(data fields) bool { return data["amount"] == float64(1500) },
		"partial_approval":  func(data fields) bool { return data["amount"] == float64(625) },
		"terminal_spelling": func(data fields) bool { return data["payment_details"].(map[string]any)["terminal_id"] == "sim00001" },
		"text_numbers":      func(data fields) bool { return data["amount"] == "1250" && len(data["transaction_id"].(string)) == 17 },
		"number_texts":      func(data fields) bool { return data["payment_details"].(map[string]any)["last4"] == float64(9917) },
		"empty_details":     func(data fields) bool { return len(data["payment_details"].(map[string]any)) == 0 },
		"no_details":        func(data fields) bool { return data["payment_details"] == nil && data["order_id"] == "order" },
		"time_zone": func(data fields) bool {
			_, err := time.Parse(time.RFC3339, data["created"].(string))
			return err == nil
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			b.create("order", "SIM00001", nil)
			b.act("SIM00001", scenario.ActTap)
			if plain := b.get("order"); check(plain) {
				t.Fatalf("the check finds nothing odd in %v: it proves nothing", plain)
			}
			b.odd(mode)
			if got := b.get("order"); !check(got) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestOddAnswerPatch(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	b.setFault(fault.Fault{
		Name: fault.OddAnswer, Mode: "patch", Operation: calls.OpGet,
		Data: `{"data":{"amount":5,"currency":null,"payment_details":{"terminal_id":"X"},"more":{"a":1}}}`,
	})
	got := b.get("order")
	details := got["payment_details"].(map[string]any)
	if _, there := got["currency"]; there || got["amount"] != float64(5) || details["terminal_id"] != "X" || len(details) < 2 || got["more"] == nil {
		t.Errorf("got %v", got)
	}
	for _, f := range []fault.Fault{{Mode: "patch"}, {Mode: "patch", Data: "[1]"}, {}} {
		f.Name = fault.OddAnswer
		if _, err := b.SetFault(f); err == nil {
			t.Errorf("%+v: got no error", f)
		}
	}
}

func TestCancelAnsweredWithVoid(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	b.odd("void")
	_, got := b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil)
	data := got["data"].(map[string]any)
	if _, there := data["order_id"]; there || data["status"] != "void" {
		t.Errorf("got %v", data)
	}
}

// The shapes of errors, chosen by mode.
func TestErrorShapes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked  string
		status int
		want   string
	}{
		"422":          {"fault:fail_api:status=422,mode=validation,error_info=busy", 422, `"errors":[{"attribute":"gateway_info.terminal_id","details":["busy"]`},
		"400":          {"fault:fail_api:status=400,mode=message,error_info=no", 400, `{"message":"no"}`},
		"404 and 1019": {"fault:fail_api:status=404,mode=list,error_code=1019", 404, `"data":[],"error_code":1019`},
		"403":          {"fault:fail_api:status=403,mode=message,error_info=Forbidden", 403, `{"message":"Forbidden"}`},
		"410 and 1000": {"fault:fail_api:status=410,error_code=1000", 410, `"error_code":1000`},
		"a false 1006": {"fault:fail_api:status=400,error_code=1006", 400, `"error_code":1006`},
		"busy, 409":    {"fault:busy_terminal", 409, `open on terminal SIM00001`},
		"busy, 400":    {"fault:busy_terminal:mode=usual", 400, `"error_code":1022`},
		"busy, 422":    {"fault:busy_terminal:mode=validation", 422, `gateway_info.terminal_id`},
		"busy, 503":    {"fault:busy_terminal:mode=message,status=503", 503, `{"message":"Cannot`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true})
			resp, raw := b.raw("POST", "/v1/json/orders"+demoKey, orderBody("order", "SIM00001", fields{"custom_info": fields{"custom_2": tc.asked}}))
			if resp.StatusCode != tc.status || !strings.Contains(string(raw), tc.want) {
				t.Errorf("got %d %s, want %d with %s", resp.StatusCode, raw, tc.status, tc.want)
			}
			if _, made := b.Order("order"); made {
				t.Error("an order was made")
			}
		})
	}
}

// A gateway gives up, and the order is made later; or the client waits and it is
// made late.
func TestOrderIsMadeLater(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{Manual: true}, func(t *testing.T, sim *simulator.Simulator) {
		if _, err := sim.SetFault(fault.Fault{Name: fault.LoseCreateAnswer, Status: 522, Delay: 2 * time.Second}); err != nil {
			t.Fatal(err)
		}
		body := `{"type":"redirect","order_id":"order","currency":"EUR","amount":1250,"description":"x","gateway_info":{"terminal_id":"SIM00001"}}`
		if w := direct(t, sim, "POST", "/v1/json/orders?api_key=demo-key", body); w.Code != 522 {
			t.Errorf("got %d, want 522", w.Code)
		}
		if _, made := sim.Order("order"); made {
			t.Error("the order was made at once")
		}
		<-time.After(2*time.Second + time.Millisecond) // in the bubble's time
		if o, made := sim.Order("order"); !made || o.Calls.Made != 1 {
			t.Errorf("after two seconds: got %+v, %t", o, made)
		}
	})
}

// A proxy repeats the POST: the order is there, and the client reads 1006.
func TestRepeatedCall(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.RepeatCall})
	status, got := b.do("POST", "/v1/json/orders"+demoKey, orderBody("order", "SIM00001", nil))
	if status != 400 || got["error_code"] != float64(1006) {
		t.Errorf("got %d %v, want 1006", status, got)
	}
	if o, made := b.Order("order"); !made || o.Calls.Made != 1 {
		t.Errorf("got %+v, %t", o, made)
	}
}

// A hidden order cannot be asked for, but a repeated create is refused.
func TestHiddenOrder(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{Manual: true}, func(t *testing.T, sim *simulator.Simulator) {
		if _, err := sim.SetFault(fault.Fault{Name: fault.HideOrder, Delay: 5 * time.Second, ErrorCode: 1000, Status: 410}); err != nil {
			t.Fatal(err)
		}
		directCreate(t, sim, "order")
		ask := func() int {
			return direct(t, sim, "GET", "/v1/json/orders/order?api_key=demo-key", "").Code
		}
		if got := ask(); got != 410 {
			t.Errorf("at first: got %d, want 410", got)
		}
		body := `{"type":"redirect","order_id":"order","currency":"EUR","amount":1250,"description":"x","gateway_info":{"terminal_id":"SIM00001"}}`
		if w := direct(t, sim, "POST", "/v1/json/orders?api_key=demo-key", body); !strings.Contains(w.Body.String(), "1006") {
			t.Errorf("create again: got %s, want 1006", w.Body)
		}
		<-time.After(5 * time.Second) // in the bubble's time
		if got := ask(); got != 200 {
			t.Errorf("afterwards: got %d, want 200", got)
		}
	})
}

func TestLateCancel(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	b.setFault(fault.Fault{Name: fault.LateCancel})
	if status, got := b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil); status != 400 {
		t.Errorf("got %d %v, want it refused", status, got)
	}
	if got := b.get("order")["status"]; got != "completed" {
		t.Errorf("got %v, want completed", got)
	}
}

// An approval eleven seconds after the cancel.
func TestLaterStatus(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{Manual: true}, func(t *testing.T, sim *simulator.Simulator) {
		if _, err := sim.SetFault(fault.Fault{Name: fault.LaterStatus, When: "cancelled", Becomes: "completed", Delay: 11 * time.Second}); err != nil {
			t.Fatal(err)
		}
		directCreate(t, sim, "order")
		direct(t, sim, "POST", "/v1/json/orders/order/cancel?api_key=demo-key", "")
		begin := time.Now()
		o, err := sim.WaitStatus(t.Context(), "order", "completed")
		if err != nil || time.Since(begin) != 11*time.Second || !slices.Equal(o.Statuses(), []string{"cancelled", "completed"}) {
			t.Errorf("got %v after %s, %v", o.Statuses(), time.Since(begin), err)
		}
		for _, f := range []fault.Fault{{When: "x"}, {Becomes: "x"}} {
			f.Name = fault.LaterStatus
			if _, err := sim.SetFault(f); err == nil {
				t.Errorf("%+v: got no error", f)
			}
		}
	})
}

func TestOfflineTerminal(t *testing.T) {
	t.Parallel()
	bubble(t, simulator.Options{}, func(t *testing.T, sim *simulator.Simulator) {
		if _, err := sim.SetFault(fault.Fault{Name: fault.OfflineTerminal}); err != nil {
			t.Fatal(err)
		}
		directCreate(t, sim, "order")
		<-time.After(time.Hour) // in the bubble's time
		if o, _ := sim.Order("order"); len(o.Events) != 0 || o.Final {
			t.Errorf("got %+v, want nothing to happen", o)
		}
	})
}

// What was paid is not what was asked for: the tip stands on the receipt.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for sc, want := range map[scenario.Scenario]struct{ amount, tip float64 }{
		scenario.ApproveWithTip: {1247, 208}, scenario.ApproveInPart: {519, 0}, scenario.Approve: {1039, 0},
	} {
		t.Run(string(sc), func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{StreamGrace: -1})
			over := inScenario(sc)
			over["amount"] = 1039
			b.create("order", "SIM00001", over)
			if _, err := b.WaitStatus(b.ctx, "order", "completed"); err != nil {
				t.Fatal(err)
			}
			if got := b.get("order")["amount"]; got != want.amount {
				t.Errorf("amount: got %v, want %v", got, want.amount)
			}
			_, got := b.do("GET", "/v1/json/pos/receipt/order"+demoKey, nil)
			order := got["data"].(map[string]any)["order"].(map[string]any)
			tip := order["tip"].(map[string]any)
			if order["amount"] != want.amount || tip["amount"] != want.tip || (tip["employee"] == nil) != (want.tip == 0) {
				t.Errorf("receipt: got %v", order)
			}
		})
	}
}

func TestAmountByHand(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	if status, got := b.do("POST", "/simulator/orders/order/status", fields{"status": "completed", "amount": 1300}); status != 200 || got["amount_charged"] != float64(1300) {
		t.Errorf("got %d %v", status, got)
	}
	if got := b.get("order")["amount"]; got != float64(1300) {
		t.Errorf("got %v", got)
	}
	if status, _ := b.do("POST", "/simulator/orders/order/status", fields{"status": "x", "amount": -1}); status != 400 {
		t.Errorf("negative amount: got %d, want 400", status)
	}
}

// The second try of a step-up is another transaction.
func TestStepUp(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	s := b.open(b.create("order", "SIM00001", inScenario(scenario.StepUpThenApprove)))
	ids := map[any][]any{}
	for range 4 {
		e := s.event()
		ids[e["transaction_id"]] = append(ids[e["transaction_id"]], e["status"])
	}
	if len(ids) != 2 {
		t.Errorf("got %v, want two transactions", ids)
	}
}

func TestOwnStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	s := b.open(b.create("order", "SIM00001", fields{"custom_info": fields{"custom_1": "statuses:initialized, brand_new,void,chargeback"}}))
	if got, want := s.statuses(4), []string{"initialized", "brand_new", "void", "chargeback"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, wrong := range []string{"statuses:", "statuses:a,,b", "statuses:" + strings.Repeat("a,", 32) + "a"} {
		if status, _ := b.do("POST", "/v1/json/orders"+demoKey, orderBody("b", "SIM00002", fields{"custom_info": fields{"custom_1": wrong}})); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422", wrong, status)
		}
	}
}

func TestOddTerminalLists(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Groups: []orders.GroupOptions{
		{ID: "57958", APIKey: "demo-key", Terminals: []string{"A", "B", "C"}},
		{ID: "57959", APIKey: "other-key", Terminals: []string{"D"}},
	}})
	list := func(f fault.Fault, query string) (rows []any, pager fields) {
		t.Helper()
		b.setFault(f)
		status, got := b.do("GET", "/v1/json/terminals"+demoKey+query, nil)
		if status != 200 {
			t.Fatalf("got %d %v", status, got)
		}
		pager, _ = got["pager"].(map[string]any)
		return got["data"].([]any), pager
	}
	rows, _ := list(fault.Fault{Name: fault.AccountTerminals}, "")
	kinds := map[string]bool{}
	for _, row := range rows {
		row := row.(map[string]any)
		kinds[fmt.Sprintf("%T %v %v", row["group_id"], row["active"], row["provider"])] = true
	}
	for _, want := range []string{"float64 true SMARTPOS", "string true SMARTPOS", "<nil> true VERIFONE"} {
		if !kinds[want] {
			t.Errorf("the account's list lacks %s: %v", want, kinds)
		}
	}
	for mode, want := range map[string]fields{
		fault.PagerPage:   {"limit": 2.0, "page": 2.0, "total_items": 3.0},
		fault.PagerOffset: {"limit": 2.0, "offset": 2.0, "total": 3.0},
		fault.PagerNone:   nil,
	} {
		if rows, pager := list(fault.Fault{Name: fault.OddPager, Mode: mode}, "&limit=2&page=2"); len(rows) != 1 || fmt.Sprint(pager) != fmt.Sprint(want) {
			t.Errorf("%s: got %d rows, %v; want %v", mode, len(rows), pager, want)
		}
	}
	for mode, want := range map[string]string{"group_id_text": "[string string string]", "group_id_mixed": "[float64 string float64]"} {
		rows, _ := list(fault.Fault{Name: fault.OddAnswer, Mode: mode}, "")
		var types []string
		for _, row := range rows {
			types = append(types, fmt.Sprintf("%T", row.(map[string]any)["group_id"]))
		}
		if got := fmt.Sprint(types); got != want {
			t.Errorf("%s: got %s, want %s", mode, got, want)
		}
	}
	for path, want := range map[string]int{"57958": 200, "57959": 403, "x": 403} {
		if status, _ := b.do("GET", "/v1/json/terminal-groups/"+path+"/terminals"+demoKey, nil); status != want {
			t.Errorf("group %s: got %d, want %d", path, status, want)
		}
	}
}

// Every odd answer can befall every call, errors included, and stays JSON.
func TestOddAnswersEverywhere(t *testing.T) {
	t.Parallel()
	var modes []string
	for _, k := range fault.Kinds() {
		if k.Name == fault.OddAnswer {
			modes = k.Modes
		}
	}
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	for _, mode := range modes {
		for op, call := range map[calls.Operation][2]string{
			calls.OpCreate:    {"POST", "orders"},
			calls.OpGet:       {"GET", "orders/order"},
			calls.OpCancel:    {"POST", "orders/nobody/cancel"},
			calls.OpTerminals: {"GET", "terminals"},
			calls.OpReceipt:   {"GET", "pos/receipt/order"},
		} {
			f := fault.Fault{Name: fault.OddAnswer, Mode: mode, Operation: op}
			if mode == "patch" {
				f.Data = "{}"
			}
			b.setFault(f)
			var body any
			if op == calls.OpCreate {
				body = orderBody("order", "SIM00001", nil) // used before
			}
			if status, got := b.do(call[0], "/v1/json/"+call[1]+demoKey, body); status == 0 || len(got) == 0 {
				t.Errorf("%s of %s: got %d %v", mode, op, status, got)
			}
		}
	}
	if left := b.Faults(); len(left) != 0 {
		t.Errorf("faults left: %v", left)
	}
}
