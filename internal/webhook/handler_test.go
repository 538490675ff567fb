package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The keys of two terminal groups.
const (
	firstKey  = "key-of-the-first-group"
	secondKey = "key-of-the-second-group"
)

// bundle is a handler and what it was made to ask for.
type bundle struct {
	*webhook.Handler
	metrics *telemetry.Metrics
	logs    *observer.ObservedLogs
	asked   []string
	// answer is what comes of asking.
	answer error
}

func setup() *bundle {
	core, logs := observer.New(zap.DebugLevel)
	b := &bundle{metrics: telemetry.NewMetrics("", "", ""), logs: logs}
	keys := func() []redact.Secret {
		return []redact.Secret{redact.NewSecret(firstKey), redact.NewSecret(secondKey)}
	}
	b.Handler = webhook.New(webhook.Options{Keys: keys, Metrics: b.metrics, Log: zap.New(core)})
	b.Connect(func(_ context.Context, order string) error {
		b.asked = append(b.asked, order)
		return b.answer
	})
	return b
}

// send sends a notification and returns the answer.
func (b *bundle) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// counted returns how many notifications had which result.
func (b *bundle) counted(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := b.metrics.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "pos_bridge_webhook_notifications_total" {
			for _, m := range family.GetMetric() {
				counted[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return counted
}

// signed is a notification as the provider sends it.
func signed(key, query string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/any/path?"+query, bytes.NewReader(body))
	r.Header.Set("Auth", simulator.WebhookAuth(key, "1764245000", body))
	return r
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	paid := []byte(`{"order_id":"INV/7","status":"completed"}`)
	const query = "transactionid=INV%2F7&timestamp=1764245000"
	forged := signed(firstKey, query, paid)
	forged.Body = io.NopCloser(strings.NewReader(`{"order_id":"INV/8"}`))
	plain := httptest.NewRequest(http.MethodPost, "/?"+query, bytes.NewReader(paid))
	signedGet := signed(firstKey, query, nil)
	signedGet.Method = http.MethodGet
	endless := httptest.NewRequest(http.MethodPost, "/", io.LimitReader(endlessly('x'), 1<<30))
	endless.Header.Set("Auth", simulator.WebhookAuth(firstKey, "1", nil))
	broken := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), failing{}))
	broken.Header.Set("Auth", simulator.WebhookAuth(firstKey, "1", []byte("{")))
	tests := map[string]struct {
		request *http.Request
		answer  error
		result  telemetry.NotificationResult
		status  int
		asked   bool
	}{
		"first group's":        {signed(firstKey, query, paid), nil, telemetry.NotificationAsked, 200, true},
		"second group's":       {signed(secondKey, query, paid), nil, telemetry.NotificationAsked, 200, true},
		"order in body alone":  {signed(firstKey, "", paid), nil, telemetry.NotificationAsked, 200, true},
		"body of 64 KiB":       {signed(firstKey, query, append(paid, bytes.Repeat([]byte(" "), 64<<10-len(paid))...)), nil, telemetry.NotificationAsked, 200, true},
		"unknown order":        {signed(firstKey, query, paid), webhook.ErrUnknown, telemetry.NotificationUnknown, 200, true},
		"NATS away":            {signed(firstKey, query, paid), errors.New("no responders"), telemetry.NotificationPutOff, 503, true},
		"pre-transaction":      {signed(firstKey, query+"&payload_type=pretransaction", paid), nil, telemetry.NotificationSkipped, 200, false},
		"stranger's key":       {signed("guessed", query, paid), nil, telemetry.NotificationForged, 401, false},
		"other body":           {forged, nil, telemetry.NotificationForged, 401, false},
		"no signature":         {plain, nil, telemetry.NotificationUnsigned, 401, false},
		"GET":                  {httptest.NewRequest(http.MethodGet, "/?"+query, nil), nil, telemetry.NotificationUnsigned, 401, false},
		"GET with a signature": {signedGet, nil, telemetry.NotificationUnsigned, 401, false},
		"two orders":           {signed(firstKey, "transactionid=other", paid), nil, telemetry.NotificationMalformed, 400, false},
		"no order":             {signed(firstKey, "", []byte("<html>")), nil, telemetry.NotificationMalformed, 400, false},
		"order of no form":     {signed(firstKey, "transactionid=a.*", nil), nil, telemetry.NotificationMalformed, 400, false},
		"body that ends early": {broken, nil, telemetry.NotificationMalformed, 400, false},
		"a byte too long":      {signed(firstKey, query, bytes.Repeat([]byte(" "), 64<<10+1)), nil, telemetry.NotificationTooLarge, 413, false},
		"endless body":         {endless, nil, telemetry.NotificationTooLarge, 413, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup()
			b.answer = test.answer
			got := b.send(test.request)
			body := got.Body.String()
			if got.Code != test.status || (body == "OK") != (test.status == 200) || test.status != 200 && strings.Contains(body, "OK") {
				t.Errorf("got %d %q, want %d", got.Code, body, test.status)
			}
			if asked := len(b.asked) == 1 && b.asked[0] == "INV/7"; asked != test.asked || len(b.asked) > 1 {
				t.Errorf("asked for %q, want %v", b.asked, test.asked)
			}
			want := map[string]float64{ // every result is there from the start
				"asked": 0, "malformed": 0, "pretransaction": 0, "too_large": 0, "unavailable": 0, "unknown_order": 0, "unsigned": 0, "wrong_signature": 0,
			}
			want[string(test.result)] = 1
			if counted := b.counted(t); !maps.Equal(counted, want) {
				t.Errorf("counted %v, want %v", counted, want)
			}
		})
	}
}

// endlessly reads one byte again and again.
type endlessly byte

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// failing is the rest of a body whose sender has gone.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Whoever replays a notification has the order asked for again, and no more.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup()
	for range 3 {
		if got := b.send(signed(firstKey, "transactionid=A", nil)); got.Code != 200 {
			t.Errorf("got %d", got.Code)
		}
	}
	if len(b.asked) != 3 {
		t.Errorf("asked for %q", b.asked)
	}
}

// Until the daemon is connected, the provider is told to send again.
func TestNotReady(t *testing.T) {
	t.Parallel()
	h := webhook.New(webhook.Options{
		Keys:    func() []redact.Secret { return []redact.Secret{redact.NewSecret(firstKey)} },
		Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(),
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, signed(firstKey, "transactionid=A", nil))
	if w.Code != 503 {
		t.Errorf("got %d, want 503", w.Code)
	}
}

// The provider does not wait longer than a few seconds, however many notifications
// there are.
func TestAnswerInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup()
		asking, most := make(chan int, 1), 0
		asking <- 0
		b.Connect(func(ctx context.Context, _ string) error {
			n := <-asking + 1
			most = max(most, n)
			asking <- n
			<-ctx.Done()
			asking <- <-asking - 1
			return ctx.Err()
		})
		began := time.Now()
		codes := make(chan int)
		for range 200 {
			go func() { codes <- b.send(signed(firstKey, "transactionid=A", nil)).Code }()
		}
		for range 200 {
			if code := <-codes; code != 503 {
				t.Errorf("got %d, want 503", code)
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the last answer came after %s", took)
		}
		if most > 64 {
			t.Errorf("%d orders were asked for at a time", most)
		}
	})
}

// A flood of forged notifications writes one line, without anything of theirs.
func TestLogOfForgeries(t *testing.T) {
	t.Parallel()
	b := setup()
	for range 50 {
		b.send(signed("guessed-key", "transactionid=SECRETORDER", []byte(`{"order_id":"SECRETORDER"}`)))
	}
	lines := b.logs.All()
	if len(lines) != 1 || lines[0].Level != zap.WarnLevel {
		t.Fatalf("got %d lines, want one warning", len(lines))
	}
	for _, f := range lines[0].Context {
		if strings.Contains(f.String, "SECRETORDER") || strings.Contains(f.String, firstKey) {
			t.Errorf("the line shows %q", f.String)
		}
	}
}
