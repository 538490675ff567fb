package multisafepay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/schema"

	"github.com/posbridge/bridge/internal/redact"
)

// reply answers every request with a status and a body.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// asError returns the *Error that every call must fail with.
func asError(t *testing.T, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error = %v (%T), want an *Error", err, err)
	}
	return e
}

func wantKind(t *testing.T, err error, want Kind) *Error {
	t.Helper()
	e := asError(t, err)
	if e.Kind != want {
		t.Errorf("error = %v, want kind %q", err, want)
	}
	return e
}

func TestCreateRequest(t *testing.T) {
	t.Parallel()
	full := schema.StartRequest{
		OrderID: "example_order_id", TerminalID: "00000ABC", Amount: 1, Currency: "EUR", Description: "example description",
		NotificationURL: "https://example.webhook.com",
		Customer:        &schema.Customer{Locale: "nl_NL", Email: "a&b@example.com", Phone: "+31 20 1234567", FirstName: "Zoë", LastName: "<O'Neill>"},
		CustomInfo:      &schema.CustomInfo{Custom1: "one", Custom3: "three"},
	}
	least := schema.StartRequest{
		OrderID: "A/1", TerminalID: "T1", Amount: 999999999, Currency: "JPY",
		Customer: &schema.Customer{}, CustomInfo: &schema.CustomInfo{},
	}
	for golden, order := range map[string]schema.StartRequest{"create_full.json": full, "create_least.json": least} {
		t.Run(golden, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile("testdata/" + golden)
			if err != nil {
				t.Fatal(err)
			}
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if string(body) != string(want) {
					t.Errorf("body\n got %s\nwant %s", body, want)
				}
				if r.Method != http.MethodPost || r.URL.Path != "/v1/json/orders" || r.ContentLength != int64(len(want)) {
					t.Errorf("request = %s %s, %d bytes", r.Method, r.URL.Path, r.ContentLength)
				}
				if got := r.URL.Query()["api_key"]; len(r.URL.Query()) != 1 || len(got) != 1 || got[0] != testKey {
					t.Errorf("query = %v, want the key alone", r.URL.Query())
				}
				want := http.Header{
					"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"till/7"},
					"Content-Length": r.Header["Content-Length"],
				}
				if !reflect.DeepEqual(r.Header, want) {
					t.Errorf("header = %v, want %v", r.Header, want)
				}
				reply(200, `{"success":true,"data":{"order_id":"`+order.OrderID+`"}}`)(w, r)
			}, func(o *Options) { o.UserAgent = "till/7" })
			if _, err := client.Create(t.Context(), redact.NewSecret(testKey), order, time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCreateAnswer(t *testing.T) {
	t.Parallel()
	yes := func(data string) string { return `{"success":true,"data":` + data + `}` }
	tests := map[string]struct {
		body    string
		session string
		url     string
		token   string
		kind    Kind
	}{
		"seed": {
			body:    yes(`{"order_id":"A1","session_id":"d5Mr","payment_url":"https://x","events_token":"WkYy\t\tBs","events_stream_url":"https://h/e"}`),
			session: "d5Mr", url: "https://h/e", token: "WkYy\t\tBs",
		},
		"white space around both": {
			body:    yes(`{"order_id":"A1","session_id":"S","events_token":"\t a\tb\t\r\n","events_stream_url":" https://h/e\t"}`),
			session: "S", url: "https://h/e", token: "a\tb",
		},
		"raw control characters": {
			body:    yes("{\"order_id\":\"A1\",\"session_id\":\"S\",\"payment_url\":\"\x00\\\"\n\",\"events_token\":\"\ta\tb\",\"events_stream_url\":\"https://h/e\t\"}"),
			session: "S", url: "https://h/e", token: "a\tb",
		},
		"raw tab behind a backslash": {body: yes("{\"order_id\":\"A1\",\"x\":\"\\\t\"}"), kind: KindLost},
		"raw tab, cut off":           {body: yes("{\"order_id\":\"A1\",\"events_token\":\"\ta"), kind: KindLost},
		"the other name":             {body: yes(`{"order_id":"A1","session_id":"S","events_token":"T","event_stream_url":"https://h/e"}`), session: "S", url: "https://h/e", token: "T"},
		"session but no order":       {body: yes(`{"session_id":"S","events_token":"T","events_stream_url":"https://h/e"}`), session: "S", url: "https://h/e", token: "T"},
		"no order and no token":      {body: yes(`{"session_id":"S","events_stream_url":"https://h/e"}`), kind: KindLost},
		"no token":                   {body: yes(`{"order_id":"A1","session_id":"S","events_stream_url":"https://h/e"}`), session: "S"},
		"null token":                 {body: yes(`{"order_id":"A1","session_id":"S","events_token":null,"events_stream_url":"https://h/e"}`), session: "S"},
		"token of two lines":         {body: yes(`{"order_id":"A1","session_id":"S","events_token":"a\r\nX: y","events_stream_url":"https://h/e"}`), session: "S"},
		"token with a NUL":           {body: yes(`{"order_id":"A1","session_id":"S","events_token":"a\u0000","events_stream_url":"https://h/e"}`), session: "S"},
		"token not ASCII":            {body: yes(`{"order_id":"A1","session_id":"S","events_token":"ä","events_stream_url":"https://h/e"}`), session: "S"},
		"token of blanks":            {body: yes(`{"order_id":"A1","session_id":"S","events_token":" ","events_stream_url":"https://h/e"}`), session: "S"},
		"huge token":                 {body: yes(`{"order_id":"A1","session_id":"S","events_token":"` + strings.Repeat("x", maxToken+1) + `","events_stream_url":"https://h/e"}`), session: "S"},
		"token is a number":          {body: yes(`{"order_id":"A1","session_id":"S","events_token":5,"events_stream_url":"https://h/e"}`), session: "S"},
		"no URL":                     {body: yes(`{"order_id":"A1","session_id":"S","events_token":"T"}`), session: "S"},
		"relative URL":               {body: yes(`{"order_id":"A1","session_id":"S","events_token":"T","events_stream_url":"/e"}`), session: "S"},
		"not a URL":                  {body: yes(`{"order_id":"A1","session_id":"S","events_token":"T","events_stream_url":"https://h/%zz"}`), session: "S"},
		"huge URL":                   {body: yes(`{"order_id":"A1","session_id":"S","events_token":"T","events_stream_url":"https://h/` + strings.Repeat("x", maxStreamURL) + `"}`), session: "S"},
		"no session":                 {body: yes(`{"order_id":"A1"}`)},
		"session of nonsense":        {body: yes(`{"order_id":"A1","session_id":"a\nb"}`)},
		"huge session":               {body: yes(`{"order_id":"A1","session_id":"` + strings.Repeat("x", maxSessionID+1) + `"}`)},
		"session is the key":         {body: yes(`{"order_id":"A1","session_id":"` + testKey + `","events_token":"T0ken","events_stream_url":"https://h/e"}`), url: "https://h/e", token: "T0ken"},
		"session is the token":       {body: yes(`{"order_id":"A1","session_id":"is-T0ken","events_token":"T0ken","events_stream_url":"https://h/e"}`), url: "https://h/e", token: "T0ken"},
		"session is a list":          {body: yes(`{"order_id":"A1","session_id":[1]}`)},
		"another order":              {body: yes(`{"order_id":"A2","session_id":"S","events_token":"T","events_stream_url":"https://h/e"}`), kind: KindLost},
		"another spelling":           {body: yes(`{"order_id":"a1"}`), kind: KindLost},
		"no order":                   {body: yes(`{"session_id":"S"}`), kind: KindLost},
		"no data":                    {body: `{"success":true}`, kind: KindLost},
		"null data":                  {body: yes(`null`), kind: KindLost},
		"list of data":               {body: yes(`[]`), kind: KindLost},
		"huge body":                  {body: yes(`{"order_id":"A1","x":"` + strings.Repeat("x", maxBody) + `"}`), kind: KindLost},
		"used":                       {body: `{"success":false,"error_code":1006,"error_info":"Order id already used"}`, kind: KindUsed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, reply(200, test.body))
			got, err := client.Create(t.Context(), redact.NewSecret(testKey), schema.StartRequest{OrderID: "A1"}, time.Time{})
			if test.kind != 0 {
				if e := wantKind(t, err, test.kind); !e.Sent || e.Status != 200 || e.Op != OpCreate || !reflect.DeepEqual(got, Created{}) {
					t.Errorf("created = %+v, error %+v", got, e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.SessionID != test.session || got.Stream.URL != test.url || got.Stream.Token.Reveal() != test.token || got.Stream.IsZero() != (test.token == "") {
				t.Errorf("created = %+v with token %q, want %+v", got, got.Stream.Token.Reveal(), test)
			}
		})
	}
}

// The answer that the provider's page shows, byte for byte, has tabs in its URL
// and in its token, and the page sends the token as it is.
func TestCreateAnswerOfThePage(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/create_seed.json")
	if err != nil {
		t.Fatal(err)
	}
	const token = "WkYyQBSMvjg3nJ7dtneQT7jd-\t\t\t\t\t\t\t\tBsyAwFlMHoqwL7FNbMuC0xkpkF.bVjgMzRRDezylsixMegHEnVFW:tnWrRblQeJNy8ZAv_x4QfOoRruySEQa2U3aZPmBcLWKVFYLDAHVKzP1YpaBykMA0u9xCD7ZRHBiznkb.FmpOsHtsOPU7o_A4.eFK2LvMhg9Pad6BbLC2x4SdczFT1RKLHcQwkVPfBPMEGcOfedQNr"
	if !bytes.Contains(body, []byte(token)) {
		t.Fatal("the file is not what the page shows")
	}
	var sent string
	client, server := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			reply(200, string(body))(w, r)
			return
		}
		sent = r.Header.Get("Authorization")
		eventStream(orderLine("example_order_id", "initialized"))(w, r)
	})
	got, err := client.Create(t.Context(), redact.NewSecret(testKey), schema.StartRequest{OrderID: "example_order_id"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if got.SessionID != "d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei" || got.Stream.URL != "https://api.multisafepay.com/events/stream/" || got.Stream.Token.Reveal() != token {
		t.Errorf("created = %+v with token %q", got, got.Stream.Token.Reveal())
	}
	var statuses []string
	_ = client.Follow(t.Context(), Stream{URL: server.URL + "/events/", Token: got.Stream.Token}, "", collect(&statuses)) // it always ends
	if sent != token || !slices.Equal(statuses, []string{"initialized"}) {
		t.Errorf("the stream was asked for with %q and told %q", sent, statuses)
	}
}

// getAnswer is an answer as the provider gives it, card data and all.
const getAnswer = `{"success":true,"data":{"order_id":"A1","created":"2025-01-01T00:00:00","currency":"EUR","amount":1250,"description":"x",
"status":"Completed","financial_status":"COMPLETED","transaction_id":9007199254740993,"reason":"",
"payment_details":{"type":"VISA","terminal_id":"00000ABC","last4":"1111","card_expiry_date":"2912","account_holder_name":"C Holder","emv":{"aid":"A0000000031010"}},
"customer":{"first_name":"Carl","email":"carl@example.com"}}}`

func TestGet(t *testing.T) {
	t.Parallel()
	yes := func(fields string) string { return `{"success":true,"data":{` + fields + `}}` }
	tests := map[string]struct {
		body string
		want OrderState
		kind Kind
	}{
		"docs": {body: getAnswer, want: OrderState{
			TerminalID: "00000ABC", Status: "completed", FinancialStatus: "completed",
			TransactionID: "9007199254740993", Currency: "EUR", Amount: 1250,
			CreatedAbout: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), // which time zone that is, is not said
		}},
		"least":              {body: yes(`"order_id":"A1","status":"initialized"`), want: OrderState{Status: "initialized"}},
		"strings":            {body: yes(`"order_id":"A1","status":" new name ","transaction_id":"tx-1","amount":"12"`), want: OrderState{Status: "new name", TransactionID: "tx-1", Amount: 12}},
		"odd fields dropped": {body: yes(`"order_id":"A1","status":"x","financial_status":7,"transaction_id":[],"currency":"EUROS","amount":1.5,"payment_details":[]`), want: OrderState{Status: "x"}},
		"odd text dropped":   {body: yes(`"order_id":"A1","status":"x","financial_status":"é","transaction_id":"a b","payment_details":{"terminal_id":"a\nb"}`), want: OrderState{Status: "x"}},
		"key as transaction": {body: yes(`"order_id":"A1","status":"x","transaction_id":"` + testKey + `"`), want: OrderState{Status: "x"}},
		"card as financial":  {body: yes(`"order_id":"A1","status":"x","financial_status":"4111 1111 1111 1111"`), want: OrderState{Status: "x"}},
		"card as status":     {body: yes(`"order_id":"A1","status":"4111111111111111"`), kind: KindLost},
		"another order":      {body: yes(`"order_id":"A2","status":"x"`), kind: KindNotFound},
		"number of another":  {body: yes(`"order_id":4711,"status":"x"`), kind: KindNotFound},
		"other letters":      {body: yes(`"order_id":"a1","status":"x"`), kind: KindNonsense},
		"no word of success": {body: `{"data":{"order_id":"A1","status":"x"}}`, want: OrderState{Status: "x"}},
		"success as text":    {body: `{"success":"true","data":{"order_id":"A1","status":"x"}}`, want: OrderState{Status: "x"}},
		"success as number":  {body: `{"success":1,"data":{"order_id":"A1","status":"x"}}`, want: OrderState{Status: "x"}},
		"odd types": {
			body: yes(`"order_id":"A1","status":"x","transaction_id":"8900","amount":"1247","order_total":"12.47","created":"2025-08-01T12:00:00+02:00","payment_details":{"terminal_id":123,"last4":1111,"card_expiry_date":2912},"related_transactions":null`),
			want: OrderState{
				Status: "x", TransactionID: "8900", Amount: 1247, TerminalID: "123",
				Created: time.Date(2025, 8, 1, 10, 0, 0, 0, time.UTC), CreatedAbout: time.Date(2025, 8, 1, 10, 0, 0, 0, time.UTC),
			},
		},
		"negative amount":     {body: yes(`"order_id":"A1","status":"x","amount":-5,"payment_details":{},"related_transactions":{"a":1}`), want: OrderState{Status: "x"}},
		"unknown without 404": {body: `{"success":false,"error_code":1000,"error_info":"Unknown error"}`, kind: KindUnavailable},
		"no order":            {body: yes(`"status":"x"`), kind: KindLost},
		"no status":           {body: yes(`"order_id":"A1"`), kind: KindLost},
		"status is a number":  {body: yes(`"order_id":"A1","status":7`), kind: KindLost},
		"status of nonsense":  {body: yes(`"order_id":"A1","status":"<b>"`), kind: KindLost},
		"status too long":     {body: yes(`"order_id":"A1","status":"` + strings.Repeat("x", 65) + `"`), kind: KindLost},
		"list of data":        {body: `{"success":true,"data":[]}`, kind: KindLost},
		"not found":           {body: `{"success":false,"error_code":1006,"error_info":"Not found"}`, kind: KindNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/v1/json/orders/A1" {
					t.Errorf("request = %s %s", r.Method, r.URL.Path)
				}
				reply(200, test.body)(w, r)
			})
			got, err := client.Get(t.Context(), redact.NewSecret(testKey), "A1")
			if test.kind != 0 {
				wantKind(t, err, test.kind)
			} else if err != nil {
				t.Error(err)
			}
			if got != test.want {
				t.Errorf("state = %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		want   string
		kind   Kind
	}{
		"cancelled":     {200, `{"success":true,"data":{"order_id":"A1","status":"Cancelled"}}`, "cancelled", 0},
		"no order id":   {200, `{"success":true,"data":{"status":"void"}}`, "void", 0},
		"another order": {200, `{"success":true,"data":{"order_id":"A2","status":"cancelled"}}`, "", KindNotFound},
		"unknown error": {410, `{"success":false,"error_code":1000,"error_info":"Unknown error"}`, "", KindUnavailable},
		"no status":     {200, `{"success":true,"data":{"order_id":"A1"}}`, "", KindLost},
		"list of data":  {200, `{"success":true,"data":[]}`, "", KindLost},
		"no data":       {200, `{"success":true}`, "", KindLost},
		"refused":       {400, `{"success":false,"error_code":1001,"error_info":"Order is completed"}`, "", KindRejected},
		"not known":     {404, `{"success":false,"error_code":1000,"error_info":"Not found"}`, "", KindNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/v1/json/orders/A1/cancel" || r.ContentLength != 0 {
					t.Errorf("request = %s %s with %d bytes", r.Method, r.URL.Path, r.ContentLength)
				}
				reply(test.status, test.body)(w, r)
			})
			got, err := client.Cancel(t.Context(), redact.NewSecret(testKey), "A1")
			if test.kind != 0 {
				wantKind(t, err, test.kind)
			} else if err != nil {
				t.Error(err)
			}
			if got != test.want {
				t.Errorf("status = %q, want %q", got, test.want)
			}
		})
	}
}

func TestOrderIDIsOneSegment(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"A1": "A1", "INV/7": "INV%2F7", "a/../b": "a%2F..%2Fb", ".": "%2E", "..": "%2E%2E", "...": "...", "a.b_c-d": "a.b_c-d",
		"a b": "a%20b", "a?b#c": "a%3Fb%23c", "a%2Fb": "a%252Fb", "ä": "%C3%A4", "a;b": "a%3Bb", "a&api_key=x": "a&api_key=x",
	}
	for order, want := range tests {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				path, query, _ := strings.Cut(r.RequestURI, "?")
				if path != "/v1/json/orders/"+want && path != "/v1/json/orders/"+want+"/cancel" {
					t.Errorf("path on the wire = %s, want …/orders/%s", path, want)
				}
				if query != "api_key=k" {
					t.Errorf("query on the wire = %s", query)
				}
				reply(404, `{"success":false,"error_code":1006}`)(w, r)
			})
			_, err := client.Get(t.Context(), redact.NewSecret("k"), order)
			wantKind(t, err, KindNotFound)
			_, err = client.Cancel(t.Context(), redact.NewSecret("k"), order)
			wantKind(t, err, KindNotFound)
		})
	}
}

func TestEmptyOrderIDIsNotSent(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	_, err := client.Create(t.Context(), redact.NewSecret("k"), schema.StartRequest{}, time.Time{})
	wantKind(t, err, KindNonsense)
	_, err = client.Get(t.Context(), redact.NewSecret("k"), "")
	wantKind(t, err, KindNonsense)
	_, err = client.Cancel(t.Context(), redact.NewSecret("k"), "")
	if e := wantKind(t, err, KindNonsense); e.Sent {
		t.Error("error says that it was sent")
	}
}

// FuzzProviderAnswer: no answer makes a call panic, leak or return what breaks
// the rules of this package's types.
func FuzzProviderAnswer(f *testing.F) {
	f.Add(200, []byte(getAnswer), "")
	f.Add(200, []byte(`{"success":true,"data":{"order_id":"A1","session_id":"S","events_token":"T","events_stream_url":"https://h/e"}}`), "5")
	f.Add(400, []byte(`{"success":false,"error_code":1006,"error_info":"used"}`), "")
	f.Add(422, []byte(`{"success":false,"message":"m","errors":[{"attribute":"a","message":"b"}]}`), "")
	f.Add(200, []byte(receiptAnswer), "")
	f.Add(200, []byte(`{"success":"true","data":{"order_id":1,"status":"x","transaction_id":"8","amount":"1247","payment_details":{},"related_transactions":[],"created":"2025-08-01T12:00:00"}}`), "")
	f.Add(200, []byte(`{"data":{"order_id":"A1","status":"void","amount":12.5,"payment_details":{"terminal_id":7,"last4":1111},"related_transactions":{"a":{}}}}`), "")
	f.Add(200, []byte(`{"success":1,"data":{"order_id":"A1","session_id":7,"event_token":"T","event_url":"https://h/e","events_url":"wss://h"}}`), "")
	f.Add(200, []byte(`{"success":true,"data":{"order_id":"A1","status":"completed","financial_status":null,"transaction_id":89000000,"amount":1247,"payment_details":null,"related_transactions":null,"order_total":"12.47"}}`), "")
	f.Add(200, []byte(`{"success":true,"data":{"order_id":"A1","status":"completed","payment_details":{"terminal_id":"00000ABC","last4":"1111","card_expiry_date":2612},"related_transactions":[{"amount":"100"},{}]}}`), "")
	f.Add(200, []byte(`{"success":true,"data":{"order_id":4051823,"status":"completed","amount":1}}`), "")
	f.Add(200, []byte(`{"success":true,"data":{"status":"void"}}`), "")
	f.Add(200, []byte(`{"data":{"merchant":[],"order":{"amount":"1247","tip":{"amount":"208","employee":7},"items":{}},"payment":{"last4":1111,"card_expiry_date":"2612"},"related_transactions":{"a":null}}}`), "")
	f.Add(200, []byte(`{"data":{"order":{"tip":208,"items":[{"quantity":"1","unit_price":10.5}]},"payment":null,"related_transactions":[null,{"created":1}]}}`), "")
	f.Add(410, []byte(`{"success":false,"data":{},"error_code":"1000","error_info":7}`), "")
	f.Add(522, []byte(`<html>error code: 522</html>`), "")
	f.Add(404, []byte(`{"success":false,"data":[],"error_code":1019,"error_info":"Site blocked"}`), "")
	f.Add(422, []byte(`{"success":false,"message":"m","errors":[{"attribute":"terminal_id","details":["busy",1,null],"message":"busy","uri":"https://x"}]}`), "")
	f.Add(400, []byte(`{"message":"Terminal is busy"}`), "")
	f.Add(200, []byte(`{"success":true,"data":[{"id":"T1","provider":"CTAP","active":1,"group_id":"57958","code":"x"}],"pager":{"total":1,"offset":0,"limit":100}}`), "")
	f.Add(200, []byte(`{"success":true,"data":[{"id":7,"provider":"VERIFONE","active":"0","group_id":57958}],"pager":{"limit":1,"page":1,"total_items":"7"}}`), "")
	f.Add(429, []byte(``), "Fri, 02 Jan 2026 03:05:05 GMT")
	f.Add(200, []byte(`{"success":true,"data":[{"id":"T1","active":true}],"pager":{"total_items":1}}`), "")
	f.Add(200, []byte("\xef\xbb\xbf{\"success\":true,\"data\":{\"order_id\":\"A1\",\"status\":\"x\",\"transaction_id\":1e30}}"), "NaN")
	f.Fuzz(func(t *testing.T, status int, body []byte, wait string) {
		status = 100 + (status%500+500)%500
		answers := map[string]answer{}
		for _, op := range []string{OpCreate, OpGet, OpCancel, OpTerminals, OpReceipt} {
			a := answer{request: testRequest(op), status: status, header: http.Header{"Retry-After": {wait}}, body: body}
			if err := a.check(); err != nil {
				checkError(t, err)
			} else if status < 200 || status > 299 {
				t.Errorf("HTTP %d is taken for a yes", status)
			}
			answers[op] = a
		}
		if created, err := answers[OpCreate].created(); err != nil {
			checkError(t, err)
		} else if token := created.Stream.Token.Reveal(); strings.ContainsAny(token+created.Stream.URL+created.SessionID, "\r\n\x00") {
			t.Errorf("created = %+v with token %q", created, token)
		}
		if state, err := answers[OpGet].state(); err != nil {
			checkError(t, err)
		} else if s, ok := normalStatus(state.Status); !ok || s != state.Status ||
			label(state.TransactionID+state.TerminalID+state.Currency, 200) != state.TransactionID+state.TerminalID+state.Currency {
			t.Errorf("state = %+v", state)
		}
		if status, err := answers[OpCancel].cancelled(); err != nil {
			checkError(t, err)
		} else if s, ok := normalStatus(status); !ok || s != status {
			t.Errorf("status = %q", status)
		}
		if receipt, err := answers[OpReceipt].receipt(); err != nil {
			checkError(t, err)
		} else if p := receipt.Payment; len(p.Last4) != 0 && len(p.Last4) != cardDigitsShown || redact.HoldsCardNumber(p.AuthorizationCode+p.Method+receipt.Merchant.Name) ||
			receipt.Order.Items == nil || receipt.Related == nil || receipt.Order.Amount < 0 || receipt.Order.Tip < 0 {
			t.Errorf("receipt = %+v", receipt)
		}
		if page, err := answers[OpTerminals].page(); err != nil {
			checkError(t, err)
		} else {
			for _, terminal := range page.terminals {
				if terminal.ID == "" || len(terminal.ID) > maxTerminalID {
					t.Errorf("terminal = %+v", terminal)
				}
			}
		}
	})
}

// testRequest is a request about order A1 that hides testKey.
func testRequest(op string) request {
	return request{op: op, order: "A1", key: redact.NewSecret(testKey), hide: redact.NewScrubber(redact.NewSecret(testKey))}
}

// checkError holds an error to the rules.
func checkError(t *testing.T, err error) {
	t.Helper()
	e := asError(t, err)
	if e.Kind <= 0 || int(e.Kind) >= len(kindNames) || e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || len([]rune(e.Info)) > maxInfo {
		t.Errorf("error = %+v", e)
	}
	if strings.Contains(e.Error(), testKey) || strings.ContainsAny(e.Error(), "\n\r\x00") {
		t.Errorf("error text = %q", e.Error())
	}
}
