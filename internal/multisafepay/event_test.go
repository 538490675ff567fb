package multisafepay

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posbridge/bridge/subjects"

	"github.com/posbridge/bridge/internal/redact"
)

// shortToken is one that could be an id.
const shortToken = "EVTOKEN1"

// documents returns what the data of one event gives.
func documents(data string) (orders []OrderEvent, invalid []InvalidEvent) {
	r := eventReader{hide: func() redact.Scrubber {
		return redact.NewScrubber(redact.NewSecret(testToken), redact.NewSecret(shortToken))
	}}
	for _, e := range r.read(orderEventType, "", data) {
		if e.Order != nil {
			orders = append(orders, *e.Order)
		}
		if e.Invalid != nil {
			invalid = append(invalid, *e.Invalid)
		}
	}
	return orders, invalid
}

func TestOrderEventUnderstood(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data string
		want OrderEvent
	}{
		"seed": {
			`{"financial_status":"initialized","order_id":"example_order_id","session_id":"d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei","status":"initialized","transaction_id":"89000000"}`,
			OrderEvent{OrderID: "example_order_id", SessionID: "d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei", Status: "initialized", FinancialStatus: "initialized", TransactionID: "89000000"},
		},
		"least":                   {`{"order_id":"A1","status":"x"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"order with all letters":  {`{"order_id":"a.B_9/-","status":"x"}`, OrderEvent{OrderID: "a.B_9/-", Status: "x"}},
		"capitals":                {`{"order_id":"A1","status":"COMPLETED","financial_status":"Completed"}`, OrderEvent{OrderID: "A1", Status: "completed", FinancialStatus: "completed"}},
		"new name":                {`{"order_id":"A1","status":"Partial_refund-2 b"}`, OrderEvent{OrderID: "A1", Status: "partial_refund-2 b"}},
		"longest name":            {`{"order_id":"A1","status":"` + strings.Repeat("x", 64) + `"}`, OrderEvent{OrderID: "A1", Status: strings.Repeat("x", 64)}},
		"blanks around":           {`{"order_id":"A1","status":"  completed "}`, OrderEvent{OrderID: "A1", Status: "completed"}},
		"transaction is a number": {`{"order_id":"A1","status":"x","transaction_id":9007199254740993}`, OrderEvent{OrderID: "A1", Status: "x", TransactionID: "9007199254740993"}},
		"nulls":                   {`{"order_id":"A1","status":"x","transaction_id":null,"session_id":null,"financial_status":null}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"odd text is left out":    {`{"order_id":"A1","status":"x","transaction_id":"a\nb","session_id":"é","financial_status":"<b>"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"token as an id":          {`{"order_id":"A1","status":"x","transaction_id":"` + shortToken + `","session_id":"of-` + shortToken + `"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"token as financial":      {`{"order_id":"A1","status":"x","financial_status":"` + shortToken + `"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"card as financial":       {`{"order_id":"A1","status":"x","financial_status":"4111111111111111"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"session is a number":     {`{"order_id":"A1","status":"x","session_id":7}`, OrderEvent{OrderID: "A1", Status: "x", SessionID: "7"}},
		"with a tip":              {`{"order_id":"A1","status":"x","amount":"1247"}`, OrderEvent{OrderID: "A1", Status: "x", Amount: 1247}},
		"list":                    {`[{"order_id":"A1","status":"x"}]`, OrderEvent{OrderID: "A1", Status: "x"}},
		"envelope":                {`{"type":"session.order","data":{"order_id":"A1","status":"x"}}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"envelope of a list":      {`{"type":"session.order","data":[{"order_id":"A1","status":"x"}]}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"envelope of text":        {`{"type":"session.order","data":"{\"order_id\":\"A1\",\"status\":\"x\"}"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"envelope of a channel":   {`{"type":"session.order","channel":"c","payload":{"order_id":"A1","status":"x"}}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"list of envelopes":       {`[{"type":"session.order","payload":[{"order_id":"A1","status":"x"}]}]`, OrderEvent{OrderID: "A1", Status: "x"}},
		"more fields":             {`{"order_id":"A1","status":"x","amount":{"a":[1,2]},"last4":"1111"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"other spelling is other": {`{"order_id":"A1","status":"x","STATUS":"y","Order_ID":"A2"}`, OrderEvent{OrderID: "A1", Status: "x"}},
		"the last of two counts":  {`{"order_id":"A1","status":"x","status":"y"}`, OrderEvent{OrderID: "A1", Status: "y"}},
		"blanks and lines":        {"\n\t {\n\"order_id\" : \"A1\",\n \"status\":\"x\" }\n ", OrderEvent{OrderID: "A1", Status: "x"}},
		"escapes":                 {`{"order_id":"\u0041\u0031","status":"\u0078"}`, OrderEvent{OrderID: "A1", Status: "x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orders, invalid := documents(test.data)
			if len(invalid) != 0 || len(orders) != 1 || orders[0] != test.want {
				t.Errorf("got %+v and invalid %+v, want %+v", orders, invalid, test.want)
			}
		})
	}
}

func TestOrderEventInvalid(t *testing.T) {
	t.Parallel()
	good := `{"order_id":"A1","status":"x"}`
	tests := map[string]struct {
		data   string
		reason error
		shown  string
	}{
		"word":                           {"hello", errNotJSON, "hello"},
		"half":                           {`{"order_id":"A1","sta`, errNotJSON, `{"order_id":"A1","sta`},
		"comma":                          {`{"order_id":"A1","status":"x",}`, errNotJSON, `{"order_id":"A1","status":"x",}`},
		"too deep":                       {strings.Repeat("[", 30_000), errNotJSON, strings.Repeat("[", maxInvalidData)},
		"list of lists":                  {`[[[` + good + `]]]`, errNotObject, `[` + good + `]`},
		"list of a word":                 {`["x"]`, errNotObject, `"x"`},
		"envelope in an envelope":        {`{"type":"a","data":{"type":"session.order","data":` + good + `}}`, errEventOrder, `{"type":"session.order","data":` + good + `}`},
		"null":                           {"null", errNotObject, "null"},
		"number":                         {"7", errNotObject, "7"},
		"string":                         {`"x"`, errNotObject, `"x"`},
		"no order":                       {`{"status":"x"}`, errEventOrder, `{"status":"x"}`},
		"order is a number":              {`{"order_id":7,"status":"x"}`, errEventOrder, `{"order_id":7,"status":"x"}`},
		"order is empty":                 {`{"order_id":"","status":"x"}`, errEventOrder, `{"order_id":"","status":"x"}`},
		"order is no order id":           {`{"order_id":"a b","status":"x"}`, errEventOrder, `{"order_id":"a b","status":"x"}`},
		"order is a wildcard":            {`{"order_id":"*","status":"x"}`, errEventOrder, `{"order_id":"*","status":"x"}`},
		"order too long":                 {`{"order_id":"` + strings.Repeat("ab", 26) + `","status":"x"}`, errEventOrder, `{"order_id":"[redacted]","status":"x"}`},
		"no status":                      {`{"order_id":"A1"}`, errEventStatus, `{"order_id":"A1"}`},
		"status null":                    {`{"order_id":"A1","status":null}`, errEventStatus, `{"order_id":"A1","status":null}`},
		"status is a number":             {`{"order_id":"A1","status":7}`, errEventStatus, `{"order_id":"A1","status":7}`},
		"status empty":                   {`{"order_id":"A1","status":""}`, errEventStatus, `{"order_id":"A1","status":""}`},
		"status of blanks":               {`{"order_id":"A1","status":"  "}`, errEventStatus, `{"order_id":"A1","status":"  "}`},
		"status of two lines":            {`{"order_id":"A1","status":"a\nb"}`, errEventStatus, `{"order_id":"A1","status":"a\nb"}`},
		"status too long":                {`{"order_id":"A1","status":"` + strings.Repeat("a ", 40) + `"}`, errEventStatus, `{"order_id":"A1","status":"` + strings.Repeat("a ", 40) + `"}`},
		"status in another script":       {`{"order_id":"A1","status":"сompleted"}`, errEventStatus, `{"order_id":"A1","status":"сompleted"}`},
		"session is a list":              {`{"order_id":"A1","status":"x","session_id":[]}`, errEventSession, `{"order_id":"A1","status":"x","session_id":[]}`},
		"financial is a list":            {`{"order_id":"A1","status":"x","financial_status":[]}`, errEventFinance, `{"order_id":"A1","status":"x","financial_status":[]}`},
		"transaction is a bool":          {`{"order_id":"A1","status":"x","transaction_id":true}`, errEventTransact, `{"order_id":"A1","status":"x","transaction_id":true}`},
		"transaction is a broken number": {`{"order_id":"A1","status":"x","transaction_id":1.5}`, errEventTransact, `{"order_id":"A1","status":"x","transaction_id":1.5}`},
		"card number":                    {`{"order_id":"A1","card":"4111 1111 1111 1111"}`, errEventStatus, `{"order_id":"A1","card":"[redacted]"}`},
		"status is a card number":        {`{"order_id":"A1","status":"4111 1111 1111 1111"}`, errEventStatus, `{"order_id":"A1","status":"[redacted]"}`},
		"status is the stream's token":   {`{"order_id":"A1","status":"` + shortToken + `"}`, errEventStatus, `{"order_id":"A1","status":"[redacted]"}`},
		"the stream's token":             {`{"x":"` + strings.ReplaceAll(testToken, "\t", `\t`) + `"}`, errEventOrder, `{"x":"[redacted]"}`},
		"not UTF-8":                      {"a\xffb", errNotJSON, "a�b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orders, invalid := documents(test.data)
			want := []InvalidEvent{{Reason: test.reason.Error(), Data: test.shown}}
			if len(orders) != 0 || !reflect.DeepEqual(invalid, want) {
				t.Errorf("got %+v and invalid\n     %.300q\nwant %.300q", orders, invalid, want)
			}
		})
	}
}

func TestSeveralDocuments(t *testing.T) {
	t.Parallel()
	const a, b = `{"order_id":"A1","status":"a"}`, `{"order_id":"A1","status":"b"}`
	tests := map[string]struct {
		data, orders, invalid string
	}{
		"two lines":                 {a + "\n" + b, "ab", ""},
		"one line":                  {a + b, "ab", ""},
		"bad one in between":        {a + `{"order_id":"A1"}` + b, "ab", `{"order_id":"A1"}`},
		"null in between":           {a + "null" + b, "ab", "null"},
		"rubbish behind":            {a + b + " and more ", "ab", "and more"},
		"rubbish in between":        {a + "," + b, "a", "," + b},
		"half behind":               {a + `{"order_id":`, "a", `{"order_id":`},
		"as many as are allowed":    {strings.Repeat(a, maxDocuments), strings.Repeat("a", maxDocuments), ""},
		"too many":                  {strings.Repeat(a, maxDocuments) + b + b, strings.Repeat("a", maxDocuments), b + b},
		"too many that are invalid": {strings.Repeat("1 ", maxDocuments+3), "", strings.Repeat("1", maxDocuments) + "1 1 1"},
		"nothing":                   {"", "", ""},
		"blanks":                    {" \n\t ", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orders, invalid := documents(test.data)
			var gotOrders, gotInvalid string
			for _, o := range orders {
				gotOrders += o.Status
			}
			for _, i := range invalid {
				gotInvalid += i.Data
			}
			if gotOrders != test.orders || gotInvalid != test.invalid {
				t.Errorf("got %q and invalid %q, want %q and %q", gotOrders, gotInvalid, test.orders, test.invalid)
			}
		})
	}
}

// FuzzStreamEvent: whatever an event's data is, what comes of it obeys the
// rules, and good documents in front are not lost.
func FuzzStreamEvent(f *testing.F) {
	for _, data := range []string{
		`{"financial_status":"initialized","order_id":"A1","session_id":"S","status":"initialized","transaction_id":"89000000"}`,
		`{"order_id":"A1","status":"a"}` + "\n" + `{"order_id":"A1","status":"b"}`,
		`{"order_id":"A1","status":5}`, `{"order_id":"A1","status":"x","transaction_id":1e400}`, "null", "[", `{"card":"4111 1111 1111 1111"}`,
		"ping", `{"order_id":1,"status":"x","transaction_id":89000000,"amount":"1247","session_id":7,"financial_status":null}`,
		`{"type":"session.order","data":{"order_id":"A1","status":"x"}}`, `{"type":"session.order","channel":"S","payload":"{\"order_id\":\"A1\",\"status\":\"x\"}"}`,
		"\xef\xbb\xbf{}", `[]`, `[[{"order_id":"A1","status":"x"}],7]`, `{"type":"a","channel":"b","payload":[{"order_id":"A1","status":"x","amount":"12"}]}`, `{"type":1,"data":"[{}]"}`,
		`{"status":"x","order_id":"A1"`, `"` + testToken + `"`, strings.Repeat(`{"order_id":"A1","status":"a"}`, 70), `{"order_id":"A1","status":"a","status":"İ"}`,
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		const front = `{"order_id":"FRONT","status":"completed","transaction_id":9007199254740993}`
		orders, invalid := documents(front + "\n" + data)
		if len(orders) == 0 || orders[0] != (OrderEvent{OrderID: "FRONT", Status: "completed", TransactionID: "9007199254740993"}) {
			t.Fatalf("the first document is lost: %+v", orders)
		}
		if len(orders)+len(invalid) > maxDocuments+1 {
			t.Errorf("%d documents", len(orders)+len(invalid))
		}
		for _, o := range orders {
			if status, ok := normalStatus(o.Status); !ok || status != o.Status || subjects.CheckOrder(o.OrderID) != nil ||
				len(o.SessionID) > maxSessionID || len(o.TransactionID) > maxTransactionID || len(o.FinancialStatus) > 64 {
				t.Errorf("order = %+v", o)
			}
			if b, err := json.Marshal(o); err != nil || strings.ContainsAny(o.SessionID+o.TransactionID+o.FinancialStatus, "\x00\r\n") {
				t.Errorf("order = %s, %v", b, err)
			}
		}
		for _, i := range invalid {
			if i.Reason == "" || len(i.Data) > maxInvalidData || !utf8.ValidString(i.Data) || strings.Contains(i.Data, testToken) || redact.HoldsCardNumber(i.Data) {
				t.Errorf("invalid = %q %q", i.Reason, i.Data)
			}
		}
		if strings.TrimSpace(data) != "" && len(orders)+len(invalid) < 2 {
			t.Errorf("%q vanished", data)
		}
	})
}
