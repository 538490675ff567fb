package multisafepay

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// The vectors were made with another implementation:
//
//	printf '%s' "$timestamp:$body" | openssl dgst -sha512 -hmac "$key"
const (
	notifiedKey  = "group-key-of-the-vectors-0123456789abcde"
	notifiedTime = "1764245000"
	notifiedBody = `{"order_id":"INV/7","status":"completed","amount":1250}`
	notifiedMAC  = "3263e6a15673a7d22c42fae68fc21a3594cd5f3871047b30eae18a7ee7b5fbaff80620c5a5b50ae49ea7fc7f49b8521a56aac9885c9a2dd4eb53e41f82b7966c"
	emptyMAC     = "a11abca8eb099c585d7adad31fd21a0cc81f4c46e38442936b430cf1d19ae47f7a48988096abe4de4ced8d8167ec824f60a83743632624f0a03257cbd1795dfc"
)

func authHeader(timestamp, mac string) string {
	return base64.StdEncoding.EncodeToString([]byte(timestamp + ":" + mac))
}

func TestVerifyNotification(t *testing.T) {
	t.Parallel()
	key, other := redact.NewSecret(notifiedKey), redact.NewSecret("another-key")
	good := authHeader(notifiedTime, notifiedMAC)
	tests := map[string]struct {
		keys   []redact.Secret
		header string
		body   string
		index  int
		ok     bool
	}{
		"only key":              {[]redact.Secret{key}, good, notifiedBody, 0, true},
		"last key":              {[]redact.Secret{other, {}, key}, good, notifiedBody, 2, true},
		"first key":             {[]redact.Secret{key, other, other}, good, notifiedBody, 0, true},
		"capital digits":        {[]redact.Secret{key}, authHeader(notifiedTime, strings.ToUpper(notifiedMAC)), notifiedBody, 0, true},
		"blanks around":         {[]redact.Secret{key}, " " + good + "\n", notifiedBody, 0, true},
		"no body":               {[]redact.Secret{key}, authHeader(notifiedTime, emptyMAC), "", 0, true},
		"no keys":               {nil, good, notifiedBody, 0, false},
		"another key":           {[]redact.Secret{other}, good, notifiedBody, 0, false},
		"another body":          {[]redact.Secret{key}, good, notifiedBody + " ", 0, false},
		"another time":          {[]redact.Secret{key}, authHeader("1764245001", notifiedMAC), notifiedBody, 0, false},
		"time moved into body":  {[]redact.Secret{key}, authHeader("", notifiedMAC), notifiedTime + ":" + notifiedBody, 0, false},
		"half a signature":      {[]redact.Secret{key}, authHeader(notifiedTime, notifiedMAC[:64]), notifiedBody, 0, false},
		"no signature":          {[]redact.Secret{key}, authHeader(notifiedTime, ""), notifiedBody, 0, false},
		"no time":               {[]redact.Secret{key}, base64.StdEncoding.EncodeToString([]byte(notifiedMAC)), notifiedBody, 0, false},
		"not base64":            {[]redact.Secret{key}, "!" + good, notifiedBody, 0, false},
		"not hexadecimal":       {[]redact.Secret{key}, authHeader(notifiedTime, strings.Repeat("x", 128)), notifiedBody, 0, false},
		"nothing":               {[]redact.Secret{key}, "", notifiedBody, 0, false},
		"huge":                  {[]redact.Secret{key}, strings.Repeat("A", 1<<20), notifiedBody, 0, false},
		"signed with no secret": {[]redact.Secret{{}}, authHeader(notifiedTime, "1a08ca23663006e15e2ee183ff9f854d9284afe3d670d088e245900ee50b1602dcf06e3e5fa42eaffcff0ff27700d5a470ce1d76985500d5c62a2b2d292583fa"), notifiedBody, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			index, ok := VerifyNotification(test.keys, test.header, []byte(test.body))
			if index != test.index || ok != test.ok {
				t.Errorf("got %d %v, want %d %v", index, ok, test.index, test.ok)
			}
		})
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query, body string
		want        Notification
		err         error
	}{
		"address and body":   {"transactionid=INV%2F7&timestamp=1", notifiedBody, Notification{OrderID: "INV/7"}, nil},
		"GET":                {"transactionid=A1&timestamp=1", "", Notification{OrderID: "A1"}, nil},
		"body alone":         {"", notifiedBody, Notification{OrderID: "INV/7"}, nil},
		"number":             {"", `{"order_id":7}`, Notification{OrderID: "7"}, nil},
		"before the payment": {"transactionid=A1&payload_type=preTransaction", "", Notification{OrderID: "A1", PreTransaction: true}, nil},
		"body is no JSON":    {"transactionid=A1", "<html>", Notification{OrderID: "A1"}, nil},
		"two orders":         {"transactionid=A1", notifiedBody, Notification{}, ErrNotificationOrders},
		"no order":           {"timestamp=1", `{"status":"completed"}`, Notification{}, ErrNotificationOrder},
		"no order id":        {"transactionid=a+b*", "", Notification{}, ErrNotificationOrder},
		"nothing":            {"", "", Notification{}, ErrNotificationOrder},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseNotification(query, []byte(test.body))
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %+v %v, want %+v %v", got, err, test.want, test.err)
			}
		})
	}
}

// FuzzNotification: no notification makes a panic, and none without a signature
// is taken for one with it.
func FuzzNotification(f *testing.F) {
	f.Add("transactionid=A1&payload_type=pretransaction", []byte(notifiedBody), authHeader(notifiedTime, emptyMAC))
	f.Add("%zz", []byte(`{"order_id":7}`), "bm8=")
	f.Fuzz(func(t *testing.T, query string, body []byte, auth string) {
		if _, ok := VerifyNotification([]redact.Secret{redact.NewSecret("secret"), {}}, auth, body); ok {
			t.Errorf("%q is a signature of %q", auth, body)
		}
		values, _ := url.ParseQuery(query)
		if n, err := ParseNotification(values, body); err == nil && subjects.CheckOrder(n.OrderID) != nil || err != nil && n != (Notification{}) {
			t.Errorf("notification = %+v, %v", n, err)
		}
	})
}
