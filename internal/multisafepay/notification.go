package multisafepay

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// maxAuthHeader is the longest Auth header that is looked at, in bytes: base64 of
// a timestamp, a colon and 128 hexadecimal digits.
const maxAuthHeader = 256

// VerifyNotification tells with which of the keys a notification of the
// provider's was signed. The header is base64(timestamp ":" hex(HMAC-SHA512(key,
// timestamp ":" body))). It takes as long for a wrong signature as for a right
// one, whichever key it was made with: all keys are tried to the end. A
// notification that is sent again is signed as well as the first one.
func VerifyNotification(keys []redact.Secret, authHeader string, body []byte) (keyIndex int, ok bool) {
	if len(authHeader) > maxAuthHeader {
		return 0, false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(authHeader))
	if err != nil {
		return 0, false
	}
	timestamp, signature, found := strings.Cut(string(decoded), ":")
	given, err := hex.DecodeString(signature)
	if !found || err != nil || len(given) != sha512.Size {
		return 0, false
	}
	matched := -1
	for i, key := range keys {
		mac := hmac.New(sha512.New, []byte(key.Reveal()))
		_, _ = mac.Write([]byte(timestamp + ":"))
		_, _ = mac.Write(body)
		equal := subtle.ConstantTimeCompare(mac.Sum(nil), given)
		if key.IsZero() {
			equal = 0
		}
		matched = subtle.ConstantTimeSelect(equal, i, matched)
	}
	return max(matched, 0), matched >= 0
}

// Notification is what the provider tells a webhook: no more than that there is
// a reason to ask for the order.
type Notification struct {
	// OrderID has passed subjects.CheckOrder.
	OrderID string
	// PreTransaction is set for a notification about a payment that has not begun:
	// there is nothing to ask for.
	PreTransaction bool
}

// What can be wrong with a notification.
var (
	// ErrNotificationOrder means that it names no order id.
	ErrNotificationOrder = errors.New("notification names no order")
	// ErrNotificationOrders means that its address and its body name different orders.
	ErrNotificationOrders = errors.New("notification names two orders")
)

// ParseNotification reads a notification: the query of the address that the
// provider called, and the body of a POST, empty for a GET. The signature covers
// the body alone, so an order that only the address names is not proven.
func ParseNotification(query url.Values, body []byte) (Notification, error) {
	n := Notification{
		OrderID:        query.Get("transactionid"),
		PreTransaction: strings.EqualFold(query.Get("payload_type"), "pretransaction"),
	}
	var raw struct {
		OrderID json.RawMessage `json:"order_id"`
	}
	if decode(body, &raw) {
		id, _ := text(raw.OrderID)
		switch {
		case id == "":
		case n.OrderID == "":
			n.OrderID = id
		case n.OrderID != id:
			return Notification{}, ErrNotificationOrders
		}
	}
	if subjects.CheckOrder(n.OrderID) != nil {
		return Notification{}, ErrNotificationOrder
	}
	return n, nil
}
