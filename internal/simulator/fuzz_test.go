package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever an order asks for, it is either refused or within the checked bounds.
func FuzzParseFaults(f *testing.F) {
	for _, seed := range []string{
		"", "till 7", "fault:drop_stream", "fault:drop_stream:after=1,clean fault:refuse_stream:status=503,count=2",
		"fault:lose_create_answer:mode=huge,size=9999999999999999999", "fault:slow_api:delay=1s,late=false", "fault:::,=,",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseFaults(text)
		if err != nil {
			if list != nil {
				t.Errorf("%q: faults with error %v", text, err)
			}
			return
		}
		if !strings.HasPrefix(text, faultPrefix) && list != nil {
			t.Errorf("%q asks for nothing, got %v", text, list)
		}
		if len(list) > maxAskedFaults {
			t.Errorf("%q: got %d faults", text, len(list))
		}
		for _, fault := range list {
			if err := fault.check(); err != nil {
				t.Errorf("%q: got a fault that is wrong: %v", text, err)
			}
		}
	})
}

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
			if req.OrderID == "" || req.GatewayInfo.TerminalID == "" || req.Amount < 1 || req.Amount > maxAmount || req.Description == "" {
				t.Errorf("%q: accepted as %+v", body, req)
			}
			return
		}
		var shape struct {
			Success *bool `json:"success"`
		}
		if err := json.Unmarshal(bad.marshal(), &shape); err != nil || shape.Success == nil || *shape.Success || bad.status < 400 {
			t.Errorf("%q: got %d %s", body, bad.status, bad.marshal())
		}
	})
}

// A token opens its own session's stream and nothing that was changed does.
func FuzzVerify(f *testing.F) {
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	good := s.tokens.sign("session", s.now().Add(DefaultTokenTTL))
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		session, err := s.tokens.verify(token)
		if err == nil && (session != "session" || strings.TrimRight(token, "\r\n") == "") {
			t.Errorf("%q opens %q", token, session)
		}
	})
}
