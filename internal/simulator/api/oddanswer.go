package api

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// fields is a JSON object that was read back.
type fields = map[string]any

// oddities by their mode. Each changes what is there and leaves alone what is not.
var oddities = map[string]func(body, data fields){
	"no_success":   func(body, _ fields) { delete(body, "success") },
	"success_1":    func(body, _ fields) { body["success"] = 1 },
	"success_text": func(body, _ fields) { body["success"] = "true" },
	"no_order_id":  func(_, data fields) { delete(data, "order_id") },

	"old_names": func(_, data fields) {
		rename(data, "events_token", "event_token")
		rename(data, "events_stream_url", "event_stream_url")
	},
	"event_url": func(_, data fields) {
		rename(data, "events_token", "event_token")
		rename(data, "events_stream_url", "event_url")
	},
	"no_token": func(_, data fields) {
		delete(data, "events_token")
		delete(data, "events_stream_url")
	},

	"other_order": func(_, data fields) {
		data["order_id"], data["transaction_id"], data["amount"] = "other-"+orders.RandomID(12), 9_007_199_254_740_993, 99
		data["status"], data["financial_status"] = scenario.StatusCompleted, scenario.StatusCompleted
	},
	"tip":               func(_, data fields) { scale(data, scenario.WithTip) },
	"partial_approval":  func(_, data fields) { scale(data, scenario.Half) },
	"terminal_spelling": func(_, data fields) { respell(data) },
	"text_numbers": func(_, data fields) {
		data["transaction_id"], data["amount"] = asText(data["transaction_id"]), asText(data["amount"])
		data["related_transactions"] = fields{}
	},
	"number_texts": func(_, data fields) {
		if details, ok := data["payment_details"].(fields); ok && details["last4"] != nil {
			details["last4"], details["card_expiry_date"] = json.Number(wire.CardLast4), json.Number(wire.CardExpiry)
		}
		data["related_transactions"] = []any{}
	},
	"empty_details": func(_, data fields) { data["payment_details"] = fields{} },
	"no_details":    func(_, data fields) { data["payment_details"] = nil },
	"time_zone": func(_, data fields) {
		for _, name := range []string{"created", "modified", "completed"} {
			if t, ok := data[name].(string); ok {
				data[name] = t + "+00:00"
			}
		}
	},

	"void": func(_, data fields) {
		delete(data, "order_id")
		data["status"], data["financial_status"] = "void", "void"
	},

	"group_id_text": func(body, _ fields) {
		eachRow(body, func(_ int, row fields) { row["group_id"] = asText(row["group_id"]) })
	},
	"group_id_mixed": func(body, _ fields) {
		eachRow(body, func(i int, row fields) {
			if i%2 == 1 {
				row["group_id"] = asText(row["group_id"])
			}
		})
	},
}

// odd is a written in the way that f asks for.
func odd(a wire.Answer, f fault.Fault) wire.Answer {
	body := object(a.Marshal())
	if body == nil {
		return a
	}
	if f.Mode == fault.OddPatch {
		merge(body, object([]byte(f.Data)))
	} else if data, ok := body["data"].(fields); ok && a.Status < 400 {
		oddities[f.Mode](body, data)
	} else if a.Status < 400 {
		oddities[f.Mode](body, fields{})
	}
	a.Body = body
	return a
}

// object reads a JSON object without rounding its numbers, nil if there is none.
func object(data []byte) (o fields) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(&o) != nil {
		return nil
	}
	return o
}

// merge puts patch over body, as RFC 7386 says.
func merge(body, patch fields) {
	for name, value := range patch {
		inner, isObject := value.(fields)
		below, isThere := body[name].(fields)
		switch {
		case value == nil:
			delete(body, name)
		case isObject && isThere:
			merge(below, inner)
		default:
			body[name] = value
		}
	}
}

func rename(data fields, from, to string) {
	if v, ok := data[from]; ok {
		data[to] = v
		delete(data, from)
	}
}

// asText is a JSON number as a text.
func asText(v any) any {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return v
}

func scale(data fields, charge func(int64) int64) {
	if n, ok := data["amount"].(json.Number); ok {
		if amount, err := n.Int64(); err == nil {
			data["amount"] = charge(amount)
		}
	}
}

// respell writes the terminal's id in small letters and without its zeros.
func respell(data fields) {
	if details, ok := data["payment_details"].(fields); ok {
		if id, ok := details["terminal_id"].(string); ok {
			details["terminal_id"] = strings.ToLower(strings.TrimLeft(id, "0"))
		}
	}
}

func eachRow(body fields, f func(i int, row fields)) {
	rows, _ := body["data"].([]any)
	for i := range rows {
		if row, ok := rows[i].(fields); ok {
			f(i, row)
		}
	}
}
