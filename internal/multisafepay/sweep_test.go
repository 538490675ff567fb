package multisafepay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/posbridge/bridge/internal/redact"
)

const testCard = "4111111111111111"

// forbidden is what must never be seen outside, in all its spellings.
func forbidden(server string) []string {
	list := []string{testCard, "4111 1111 1111 1111", "api_key=", "/v1/json/orders", "/v1/json/terminals", "/events-secret-path"}
	for _, secret := range []string{testKey, testToken} {
		quoted, _ := json.Marshal(secret)
		list = append(list, secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`))
	}
	return append(list, server)
}

// everyForm shows an error in every way that somebody may come up with, with
// all that it wraps.
func everyForm(err error) string {
	var b bytes.Buffer
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&b, verb+"\n", e)
		}
		j, _ := json.Marshal(e)
		b.Write(j)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(&b), zap.DebugLevel)
	zap.New(core, zap.AddStacktrace(zap.DebugLevel)).Debug("x", zap.Error(err), zap.Any("any", err), zap.Reflect("reflect", err))
	slog.New(slog.NewJSONHandler(&b, nil)).Error("x", "err", err)
	return b.String()
}

// TestNothingLeaks sweeps over providers that repeat key, token and card
// wherever an answer can hold text, and over every way a connection can fail.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	// What a hostile or chatty server says, as a function of what it was asked.
	echo := func(r *http.Request) string {
		return "key " + r.URL.Query().Get("api_key") + " or " + testKey + " and token " + r.Header.Get("Authorization") +
			" for card " + testCard + " alias 4111 1111 1111 1111"
	}
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	raw := func(format string) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, r *http.Request) bool {
			text := strings.ReplaceAll(strings.ReplaceAll(echo(r), "\n", " "), "\r", " ")
			send(conn, strings.ReplaceAll(strings.ReplaceAll(format, "{TEXT}", text), "{JSON}", quote(text)))
			return false
		}
	}
	answer := func(status, contentType, body string) func(net.Conn, *http.Request) bool {
		return raw("HTTP/1.1 " + status + "\r\nContent-Type: " + contentType + "\r\nX-Echo: {TEXT}\r\nLocation: /?{TEXT}\r\nConnection: close\r\n\r\n" + body)
	}
	servers := map[string]func(net.Conn, *http.Request) bool{
		"cut":               raw(""),
		"not HTTP":          raw("{TEXT}\r\n\r\n"),
		"bad status":        raw("HTTP/1.1 abc {TEXT}\r\n\r\n"),
		"bad header":        raw("HTTP/1.1 200 OK\r\n{TEXT}\r\n\r\n"),
		"bad length":        raw("HTTP/1.1 200 OK\r\nContent-Length: {TEXT}\r\n\r\n"),
		"bad encoding":      raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: {TEXT}\r\n\r\n"),
		"bad chunk":         raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{TEXT}\r\n"),
		"status text":       raw("HTTP/1.1 400 {TEXT}\r\nContent-Length: 0\r\n\r\n"),
		"half body":         raw("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{TEXT}"),
		"silence":           func(conn net.Conn, _ *http.Request) bool { _, _ = io.Copy(io.Discard, conn); return false },
		"plain 200":         answer("200 OK", "text/plain", "{TEXT}"),
		"rejected":          answer("400 No", "application/json", `{"success":false,"error_code":1001,"error_info":{JSON}}`),
		"rejected with 200": answer("200 OK", "application/json", `{"success":false,"error_code":1001,"error_info":{JSON}}`),
		"key refused":       answer("401 No", "application/json", `{"message":{JSON}}`),
		"unavailable":       answer("503 No", "application/json", `{"message":{JSON}}`),
		"attributes":        answer("422 No", "application/json", `{"success":false,"message":{JSON},"errors":[{"attribute":{JSON},"message":{JSON}}]}`),
		"redirect":          answer("302 Go", "text/plain", "{TEXT}"),
		"another order":     answer("200 OK", "application/json", `{"success":true,"data":{"order_id":{JSON},"status":{JSON},"session_id":{JSON}}}`),
		"odd fields":        answer("200 OK", "application/json", `{"success":true,"data":{"order_id":"A1","status":"x","financial_status":{JSON},"transaction_id":{JSON},"currency":{JSON},"payment_details":{"terminal_id":{JSON},"last4":"1111"},"order":{"amount":1,"currency":{JSON},"items":[{"name":{JSON},"quantity":{JSON}}],"transaction_id":{JSON},"created":{JSON}},"merchant":{"name":{JSON},"address":{JSON}},"payment":{"payment_method":{JSON},"last4":{JSON},"application_id":{JSON},"authorization_code":{JSON}},"printed_on":{JSON},"related_transactions":[{"type":{JSON},"status":{JSON}}]}}`),
		"stream":            answer("200 OK", "text/event-stream", "event: session.order\ndata: {\"order_id\":\"A1\",\"x\":{JSON}}\n\nevent: session.order\ndata: {TEXT}\n\nevent: session.order\ndata: {\"order_id\":\"A1\",\"status\":{JSON}}\n\n"),
		"huge event":        answer("200 OK", "text/event-stream", "event: session.order\ndata: "+strings.Repeat("{TEXT} ", 2000)+"\n\n"),
		"content type":      raw("HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\nContent-Length: 0\r\n\r\n"),
	}
	for name, handle := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 300 * time.Millisecond
			if name == "silence" { // every call waits for its end
				timeout = 50 * time.Millisecond
			}
			sweep(t, rawServer(t, handle), timeout)
		})
	}
	t.Run("no responders", func(t *testing.T) { t.Parallel(); sweep(t, deadURL(t), time.Second) })
	t.Run("no TLS there", func(t *testing.T) {
		t.Parallel()
		sweep(t, strings.Replace(rawServer(t, raw("{TEXT}")), "http:", "https:", 1), time.Second)
	})
}

// sweep makes every call of a server and looks at everything that comes out.
func sweep(t *testing.T, server string, timeout time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var observed []string
	client := newClient(t, Options{
		BaseURL: server + "/v1/json", RequestTimeout: timeout, IdleTimeout: timeout,
		Observe: func(op, code string, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			observed = append(observed, op+" "+code)
		},
	})
	look := func(what, shown string) {
		t.Helper()
		for _, bad := range forbidden(server) {
			if strings.Contains(shown, bad) {
				t.Errorf("%s shows %q: %.2000s", what, bad, shown)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		for op, call := range calls {
			if err := call(ctx, client); err != nil {
				look(op, everyForm(err))
			}
		}
		if receipt, err := client.Receipt(ctx, redact.NewSecret(testKey), "A1"); err == nil {
			look("receipt", fmt.Sprintf("%+v", receipt))
		}
		if state, err := client.Get(ctx, redact.NewSecret(testKey), "A1"); err == nil {
			look("state", fmt.Sprintf("%+v %#v", state, state))
		}
		for _, at := range []string{server + "/events-secret-path?token=" + url.QueryEscape(testToken), "http://elsewhere.invalid/events-secret-path?" + url.QueryEscape(testToken), "::" + testToken} {
			stream := Stream{URL: at, Token: redact.NewSecret(testToken)}
			err := client.Follow(ctx, stream, "", StreamHandler{Event: func(e StreamEvent) {
				b, _ := json.Marshal(e)
				look("event", string(b))
				if e.Invalid != nil {
					look("event", e.Invalid.Reason+e.Invalid.Data)
				}
				if e.Order != nil {
					look("event", fmt.Sprintf("%#v", *e.Order))
				}
			}})
			look("stream", everyForm(err)+Reason(err))
		}
	}
	look("observation", strings.Join(observed, " "))
	look("client", fmt.Sprintf("%v %+v", Created{Stream: Stream{Token: redact.NewSecret(testToken)}}, request{key: redact.NewSecret(testKey)}))
}
