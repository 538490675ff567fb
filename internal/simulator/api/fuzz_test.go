package api

import (
	"encoding/json"
	"testing"

	"github.com/posbridge/bridge/internal/simulator/orders"
)

// Whatever is posted, the answer is an order within the provider's limits or a
// provider-shaped error.
func FuzzParseCreate(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[`, `{"type":"redirect","order_id":"a","currency":"EUR","amount":1,"description":"x","gateway_info":{"terminal_id":"T"}}`,
		`{"amount":1e2}`, `{"customer":{"locale":1}}`, `{"payment_options":{"notification_url":"http://%"}}`, `{"gateway_info":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, bad := parseCreate(body)
		if bad == nil {
			if req.OrderID == "" || req.GatewayInfo.TerminalID == "" || req.Amount < 1 || req.Amount > orders.MaxAmount || req.Description == "" {
				t.Errorf("%q: accepted as %+v", body, req)
			}
			return
		}
		var shape struct {
			Success *bool `json:"success"`
		}
		if err := json.Unmarshal(bad.Marshal(), &shape); err != nil || shape.Success == nil || *shape.Success || bad.Status < 400 {
			t.Errorf("%q: got %d %s", body, bad.Status, bad.Marshal())
		}
	})
}
