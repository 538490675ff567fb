package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/webhook"
)

// hook is one webhook that arrived.
type hook struct {
	query  map[string]string
	status string
	signed bool
}

// receiver takes webhooks; answer says how the n-th is answered.
func receiver(t *testing.T, answer func(n int, w http.ResponseWriter)) (url string, hooks <-chan hook) {
	t.Helper()
	arrived := make(chan hook, 100)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var order struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(body, &order); err != nil {
			t.Errorf("webhook body: %v", err)
		}
		query := r.URL.Query()
		stamp := query.Get("timestamp")
		n++
		answer(n, w)
		arrived <- hook{
			query:  map[string]string{"transactionid": query.Get("transactionid"), "mine": query.Get("mine"), "payload_type": query.Get("payload_type")},
			status: order.Status,
			signed: r.Header.Get("Auth") == webhook.Auth("demo-key", stamp, body) && stamp != "",
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook?mine=1", arrived
}

func notify(url string) fields {
	return fields{"payment_options": fields{"notification_url": url, "notification_method": "POST"}}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	url, hooks := receiver(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, "OK") })
	b := setup(t, simulator.Options{Manual: true})
	b.create("order/1", "SIM00001", notify(url))
	b.act("SIM00001", scenario.ActDecline, scenario.ActApprove)
	for _, want := range []string{"initialized", "declined", "initialized", "completed"} {
		got := <-hooks
		if got.status != want || !got.signed || got.query["transactionid"] != "order/1" || got.query["mine"] != "1" {
			t.Errorf("got %+v, want status %s, signed, for order/1", got, want)
		}
	}
}

// What follows a payment is notified as well; a new order only if that is asked for.
func TestWebhooksAfterwards(t *testing.T) {
	t.Parallel()
	for action, want := range map[scenario.Action]string{
		scenario.ActReverse: "reversed", scenario.ActRefund: "refunded", scenario.ActChargeback: "chargeback",
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			url, hooks := receiver(t, func(_ int, w http.ResponseWriter) { io.WriteString(w, "OK") })
			b := setup(t, simulator.Options{Manual: true})
			b.setFault(fault.Fault{Name: fault.Pretransaction})
			b.create("order", "SIM00001", notify(url))
			b.act("SIM00001", scenario.ActApprove, action)
			for i, status := range []string{"initialized", "initialized", "completed", want} {
				got := <-hooks
				payload := map[bool]string{true: "pretransaction"}[i == 0]
				if got.status != status || !got.signed || got.query["payload_type"] != payload {
					t.Errorf("got %+v, want status %s, signed, payload %q", got, status, payload)
				}
			}
		})
	}
}

// The GET form has neither body nor signature.
func TestWebhookByGet(t *testing.T) {
	t.Parallel()
	arrived := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "MULTISAFEPAY_OK")
		arrived <- r
	}))
	t.Cleanup(server.Close)
	b := setup(t, simulator.Options{Manual: true})
	b.create("order/1", "SIM00001", fields{"payment_options": fields{"notification_url": server.URL + "/hook", "notification_method": "GET"}})
	b.act("SIM00001", scenario.ActCancel)
	r := <-arrived
	query := r.URL.Query()
	if r.Method != "GET" || query.Get("transactionid") != "order/1" || query.Get("timestamp") == "" || r.Header.Get("Auth") != "" || r.ContentLength > 0 {
		t.Errorf("got %s %s, %v", r.Method, r.URL, r.Header)
	}
}

// A webhook that is not taken is sent three times more.
func TestWebhookRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(n int, w http.ResponseWriter)
		want   int
		taken  bool
	}{
		"500 at first": {func(n int, w http.ResponseWriter) {
			if n < 3 {
				w.WriteHeader(500)
			}
			io.WriteString(w, "OK")
		}, 3, true},
		"never OK":    {func(_ int, w http.ResponseWriter) { io.WriteString(w, "thanks") }, 4, false},
		"OK too late": {func(_ int, w http.ResponseWriter) { io.WriteString(w, strings.Repeat(" ", 100)+"OK") }, 4, false},
		"redirect":    {func(_ int, w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, hooks := receiver(t, tc.answer)
			b := setup(t, simulator.Options{Manual: true, WebhookRetry: time.Millisecond})
			b.create("order", "SIM00001", notify(url))
			b.act("SIM00001", scenario.ActCancel)
			e, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool {
				return e.Kind == journal.KindWebhook && (strings.Contains(e.Text, "given up") || strings.HasSuffix(e.Text, "webhook taken"))
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(hooks); got != tc.want || strings.Contains(e.Text, "given up") == tc.taken {
				t.Errorf("got %d webhooks and %q, want %d", got, e.Text, tc.want)
			}
		})
	}
}

// Webhooks do not leave the machine unless that is asked for.
func TestWebhooksStayHere(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", notify("http://192.0.2.1:9/hook")) // an address for documentation
	b.act("SIM00001", scenario.ActCancel)
	e, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return e.Kind == journal.KindWebhook })
	if err != nil || !strings.Contains(e.Text, "loopback") {
		t.Errorf("got %+v, %v; want it refused", e, err)
	}
}

// More webhooks than a worker can hold are given up, not kept.
func TestWebhookQueueIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", notify(server.URL))
	for range 300 {
		b.act("SIM00001", scenario.ActDecline)
	}
	if _, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool {
		return e.Kind == journal.KindWebhook && strings.Contains(e.Text, "too many")
	}); err != nil {
		t.Error(err)
	}
}

func TestWebhookAuth(t *testing.T) {
	t.Parallel()
	// Computed with openssl dgst -sha512 -hmac key over "1:{}".
	const want = "MTo1YzQ4ZjJlNDEzZWJiM2NhNjZmNGI2ZDA5MmVhYzdkMTk4OTI5MjQwNTI1"
	if got := webhook.Auth("key", "1", []byte("{}")); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want it to begin with %s", got, want)
	}
}
