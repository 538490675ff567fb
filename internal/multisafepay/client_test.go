package multisafepay

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// testKey is long and odd enough to be recognised wherever it turns up.
const testKey = "k3y-0f-the-terminal-group/with+odd&chars="

// setup starts a provider that answers with handle and a client of it.
func setup(t *testing.T, handle http.HandlerFunc, change ...func(*Options)) (*Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o := Options{BaseURL: server.URL + "/v1/json", RequestTimeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	return newClient(t, o), server
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCreateAndFollow(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	client, server := setup(t, mux.ServeHTTP)
	mux.HandleFunc("POST /v1/json/orders", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("api_key"); got != testKey {
			t.Errorf("key = %q, want %q", got, testKey)
		}
		_, _ = w.Write([]byte(`{"success":true,"data":{"order_id":"INV/7","session_id":"S1","events_token":"tok\ten","events_stream_url":"` + server.URL + `/events"}}`))
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Header.Get("Authorization"), "tok\ten"; got != want {
			t.Errorf("Authorization = %q, want %q", got, want)
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = w.Write([]byte(": hello\n\nevent: session.order\ndata: {\"order_id\":\"INV/7\",\"status\":\"Initialized\",\"transaction_id\":890}\n" +
			"event: session.order\ndata: {\"order_id\":\"INV/7\",\"session_id\":\"S1\",\"status\":\"completed\",\"financial_status\":\"completed\",\"transaction_id\":\"891\"}\n\n"))
	})
	ctx := context.Background()
	created, err := client.Create(ctx, redact.NewSecret(testKey), Order{OrderID: "INV/7", TerminalID: "T1", Amount: 1, Currency: "EUR"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if created.SessionID != "S1" || created.Stream.IsZero() {
		t.Fatalf("created = %+v, want a session and a stream", created)
	}
	var opened int
	var got []OrderEvent
	err = client.Follow(ctx, created.Stream, "", StreamHandler{
		Opened: func() { opened++ },
		Event: func(e StreamEvent) {
			if e.Order == nil {
				t.Fatalf("event = %+v, want an order", e.Invalid)
			}
			got = append(got, *e.Order)
		},
	})
	if Reason(err) != ReasonEnded || opened != 1 {
		t.Errorf("Follow = %v (%s), opened %d times; want ended, 1", err, Reason(err), opened)
	}
	want := []OrderEvent{
		{OrderID: "INV/7", Status: "initialized", TransactionID: "890"},
		{OrderID: "INV/7", SessionID: "S1", Status: "completed", FinancialStatus: "completed", TransactionID: "891"},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("events = %+v, want %+v", got, want)
	}
}
