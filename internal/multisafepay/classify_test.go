package multisafepay

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	const ok = Kind(0)
	no := func(code string) string {
		return `{"success":false,"data":[],"error_code":` + code + `,"error_info":"x"}`
	}
	everyOp := []string{OpCreate, OpGet, OpCancel, OpTerminals, OpReceipt}
	aboutOrder := []string{OpGet, OpCancel, OpReceipt}
	tests := []struct {
		name   string
		ops    []string
		status int
		body   string
		want   Kind
	}{
		{"yes", everyOp, 200, `{"success":true,"data":{}}`, ok},
		{"yes with another 2xx", everyOp, 201, `{"success":true,"data":{}}`, ok},
		{"yes with a byte order mark", everyOp, 200, "\ufeff{\"success\":true}", ok},
		{"absent body", everyOp, 200, "", KindLost},
		{"no content", everyOp, 204, "", KindLost},
		{"half a body", everyOp, 200, `{"success":true,"data":{"order_id":`, KindLost},
		{"HTML", everyOp, 200, "<html>", KindLost},
		{"list", everyOp, 200, "[]", KindLost},
		{"null", everyOp, 200, "null", KindLost},
		{"garbage behind", everyOp, 200, `{"success":true}{`, KindLost},
		{"does not say", everyOp, 200, `{"data":{}}`, ok},
		{"says so as text", everyOp, 200, `{"success":"true","data":{}}`, ok},
		{"says so as a number", everyOp, 200, `{"success":1,"data":{}}`, ok},
		{"says what cannot be read", everyOp, 200, `{"success":["yes"],"data":{}}`, ok},
		{"no as text, without a code", everyOp, 200, `{"success":"false","data":{}}`, KindLost},
		{"no as a number, with a code", everyOp, 200, `{"success":0,"error_code":1001}`, KindRejected},
		{"a code alone", everyOp, 200, `{"error_code":1001,"data":[]}`, KindRejected},
		{"nested too deeply", everyOp, 200, `{"success":true,"data":` + strings.Repeat("[", 20_000), KindLost},

		{"no without a reason", everyOp, 200, `{"success":false}`, KindLost},
		{"no without a reason, with 400", everyOp, 400, `{"success":false}`, KindNonsense},
		{"words alone, with 400", everyOp, 400, `{"message":"no"}`, KindRejected},
		{"words alone, with 409", everyOp, 409, `{"success":false,"message":"Terminal 00000ABC is busy"}`, KindRejected},
		{"words alone, with 404", everyOp[:1], 404, `{"message":"no such route"}`, KindNonsense},
		{"code 0", everyOp, 418, no("0"), KindNonsense},
		{"negative code", everyOp, 418, no("-1006"), KindNonsense},
		{"huge code", everyOp, 418, no("99999999999999999999"), KindNonsense},
		{"code in words", everyOp, 418, no(`"many"`), KindNonsense},
		{"4xx and success", everyOp, 400, `{"success":true}`, KindNonsense},
		{"4xx with HTML", everyOp, 400, "<html>", KindNonsense},
		{"4xx without a body", everyOp, 418, "", KindNonsense},
		{"moved", everyOp, 301, `{"success":true}`, KindNonsense},
		{"found", everyOp, 302, "", KindNonsense},
		{"moved for good", everyOp, 308, "", KindNonsense},
		{"not modified", everyOp, 304, "", KindNonsense},

		{"rejected with 4xx", everyOp, 400, no("1001"), KindRejected},
		{"rejected with 200", everyOp, 200, no("1023"), KindRejected},
		{"code as a string", everyOp, 400, no(`"1001"`), KindRejected},
		{"code alone", everyOp, 409, `{"error_code":1001}`, KindRejected},
		{"attributes", everyOp, 422, `{"success":false,"message":"The given data was invalid.","errors":[{"attribute":"amount","message":"too small"}]}`, KindRejected},
		{"attributes elsewhere", everyOp, 400, `{"success":false,"errors":[{"attribute":"amount","message":"too small"}]}`, KindRejected},
		{"422 with a message", everyOp, 422, `{"success":false,"message":"no"}`, KindRejected},
		{"422 with nothing", everyOp, 422, "", KindNonsense},

		{"used", []string{OpCreate}, 400, no("1006"), KindUsed},
		{"used with 200", []string{OpCreate}, 200, no("1006"), KindUsed},
		{"used with 404", []string{OpCreate}, 404, no("1006"), KindUsed},
		{"create: something not there", []string{OpCreate}, 404, no("1000"), KindRejected},
		{"create: site blocked", []string{OpCreate}, 404, no("1019"), KindRejected},
		{"unknown error with 200", everyOp, 200, no("1000"), KindUnavailable},
		{"unknown error with 400", everyOp, 400, no("1000"), KindUnavailable},
		{"unknown error with 410", everyOp, 410, no("1000"), KindUnavailable},
		{"fault of the provider", everyOp, 400, no("5001"), KindUnavailable},
		{"another unknown error", everyOp, 400, no("9999"), KindUnavailable},
		{"create: no such path", []string{OpCreate}, 404, "Not found", KindNonsense},
		{"terminals: no such path", []string{OpTerminals}, 404, "Not found", KindNonsense},
		{"terminals: 1006", []string{OpTerminals}, 404, no("1006"), KindRejected},
		{"not found", aboutOrder, 404, no("1006"), KindNotFound},
		{"not found 1000", aboutOrder, 404, no("1000"), KindNotFound},
		{"not found with 400", aboutOrder, 400, no("1006"), KindNotFound},
		{"not found with 200", aboutOrder, 200, no("1006"), KindNotFound},
		{"not found without a code", aboutOrder, 404, `{"success":false}`, KindNotFound},
		{"404 of somebody on the way", aboutOrder, 404, "<html>", KindNonsense},
		{"404 without a body", aboutOrder, 404, "", KindNonsense},
		{"404 about the site", aboutOrder, 404, no("1019"), KindRejected},

		{"unauthorized", everyOp, 401, "", KindKey},
		{"forbidden", everyOp, 403, `{"message":"Forbidden"}`, KindKey},
		{"invalid key", everyOp, 400, no("1032"), KindKey},
		{"invalid key with 200", everyOp, 200, no("1032"), KindKey},
		{"invalid key with 404", everyOp, 404, no("1032"), KindKey},

		{"limited", everyOp, 429, "", KindLimited},
		{"limited with a body", everyOp, 429, no("1001"), KindLimited},
		{"request time-out", everyOp, 408, "", KindTimeout},
		{"gateway time-out", everyOp, 504, "<html>", KindTimeout},
		{"server error", everyOp, 500, "", KindUnavailable},
		{"bad gateway", everyOp, 502, "<html>", KindTimeout},
		{"gateway 520", everyOp, 520, no("1006"), KindTimeout},
		{"gateway 522", everyOp, 522, "<html>", KindTimeout},
		{"gateway 524", everyOp, 524, "", KindTimeout},
		{"525", everyOp, 525, "", KindUnavailable},
		{"unavailable", everyOp, 503, no("1001"), KindUnavailable},
		{"server error that says yes", everyOp, 500, `{"success":true}`, KindUnavailable},
		{"server error about a key", everyOp, 500, no("1032"), KindUnavailable},
		{"beyond", everyOp, 599, "", KindUnavailable},
	}
	for _, test := range tests {
		for _, op := range test.ops {
			t.Run(test.name+"/"+op, func(t *testing.T) {
				t.Parallel()
				if got := classify(op, test.status, parseEnvelope([]byte(test.body))); got != test.want {
					t.Errorf("classify = %v, want %v", got, test.want)
				}
			})
		}
	}
}

func TestErrorInfo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"info":            {`{"error_code":1,"error_info":"Invalid amount"}`, "Invalid amount"},
		"message":         {`{"message":"Forbidden"}`, "Forbidden"},
		"info first":      {`{"message":"Forbidden","error_info":"Invalid amount"}`, "Invalid amount"},
		"attributes":      {`{"message":"Invalid.","errors":[{"attribute":"amount","message":"too small"},{"message":"no"},{"attribute":"x"},7]}`, "Invalid.; amount: too small; no; x"},
		"details":         {`{"message":"Invalid.","errors":[{"attribute":"terminal_id","details":["Terminal is busy","again",{}],"message":"Terminal is busy","uri":"https://x"}]}`, "Invalid.; terminal_id: Terminal is busy, again"},
		"one detail":      {`{"errors":[{"attribute":"amount","details":"too small"}]}`, "amount: too small"},
		"good attributes": {`{"message":"Invalid.","errors":[{"attribute":"amount","message":"too small"},{"message":"no"},{"attribute":"x"}]}`, "Invalid.; amount: too small; no; x"},
		"only attributes": {`{"errors":[{"attribute":"amount","message":"too small"}]}`, "amount: too small"},
		"wrong types":     {`{"error_info":{"a":1},"message":[1]}`, ""},
		"lines":           {`{"error_info":"a\nb\u0000c"}`, "a b c"},
		"key":             {`{"error_info":"key ` + testKey + ` is bad"}`, "key [redacted] is bad"},
		"card":            {`{"error_info":"4111 1111 1111 1111 declined"}`, "[redacted] declined"},
		"long":            {`{"error_info":"` + strings.Repeat("ab ", 200) + `"}`, strings.Repeat("ab ", 100)[:299] + "…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := answer{request: testRequest(OpCreate), status: 400, body: []byte(test.body)}
			if err := asError(t, a.check()); err.Info != test.want {
				t.Errorf("error = %+v, want info %q", err, test.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"1.5":                           1500 * time.Millisecond,
		"0":                             0,
		"-7":                            0,
		"1e9":                           time.Hour,
		"999999999999999999999999":      time.Hour,
		"NaN":                           0,
		"Inf":                           time.Hour,
		"soon":                          0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:03:05 GMT": 0,
		"Fri, 02 Jan 2099 03:03:05 GMT": time.Hour,
	}
	for value, want := range tests {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want string
		ok   bool
	}{
		"":                        {"", true},
		"null":                    {"", true},
		`""`:                      {"", true},
		`"a\u00e9\n"`:             {"aé\n", true},
		"890000000":               {"890000000", true},
		"12345678901234567890123": {"12345678901234567890123", true},
		"9007199254740993":        {"9007199254740993", true},
		"-5":                      {"-5", true},
		"8.9e7":                   {"89000000", true},
		"890000000.0":             {"890000000", true},
		"9007199254740992":        {"9007199254740992", true},
		"1e400":                   {"", false},
		"1e300":                   {"", false},
		"0.5":                     {"", false},
		"true":                    {"", false},
		"[]":                      {"", false},
		"{}":                      {"", false},
	}
	for raw, test := range tests {
		if got, ok := text([]byte(raw)); got != test.want || ok != test.ok {
			t.Errorf("text(%s) = %q, %v; want %q, %v", raw, got, ok, test.want, test.ok)
		}
	}
}
