package bridge_test

import (
	"strings"
	"testing"

	"github.com/posbridge/bridge/schema"
)

// A value that stands in the wrong place may be a card number.
func TestRefusalsShowNoValue(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	r := b.run()
	const card = "5413330089009917"
	for _, body := range []string{
		`{"order_id":"a","terminal_id":"T","amount":` + card + `,"currency":"EUR"}`,
		`{"order_id":"` + card + ` ","terminal_id":"T","amount":1,"currency":"EUR"}`,
		`{"order_id":"a","terminal_id":"` + card + `!","amount":1,"currency":"EUR"}`,
		`{"order_id":"a","terminal_id":"T","amount":1,"currency":"` + card + `"}`,
		`{"order_id":"a","terminal_id":"T","amount":1,"currency":"EUR","` + card + `":1}`,
		`{"order_id":"a","terminal_id":"T","amount":1,"currency":"EUR","customer":{"locale":"` + card + `"}}`,
		`{"order_id":"a","terminal_id":"T","amount":1,"currency":"EUR","notification_url":"` + card + `"}`,
	} {
		e := b.do("pos.payment.start", body).failed(schema.InvalidRequest)
		if strings.Contains(e.Message, card) {
			t.Errorf("the message shows the card: %q", e.Message)
		}
	}
	if strings.Contains(r.logs.String(), card) {
		t.Errorf("the log shows the card:\n%s", r.logs)
	}
	if p.called("create") > 0 || len(b.list()) > 0 {
		t.Error("something was begun all the same")
	}
}
