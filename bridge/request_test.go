package bridge_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posbridge/bridge/schema"
)

// Whatever is wrong with a request is refused before anything is done, with a
// message that names the field and never shows the value.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	b.run()
	const good = `"order_id":"a","terminal_id":"T","amount":1,"currency":"EUR"`
	for _, tt := range []struct {
		name, command, body string
		// names is what the message must contain.
		names string
	}{
		{"nothing", "start", ``, ""},
		{"no JSON", "start", `hello`, ""},
		{"cut JSON", "start", `{` + good, ""},
		{"array", "start", `[]`, ""},
		{"null", "start", `null`, ""},
		{"text", "start", `"a"`, ""},
		{"two documents", "start", `{` + good + `}{}`, ""},
		{"not UTF-8", "start", "{" + good + `,"description":"` + "\xff" + `"}`, ""},
		{"too long", "start", `{` + good + `,"description":"` + strings.Repeat("x", 1<<17) + `"}`, ""},
		{"unknown field", "start", `{` + good + `,"tip":1}`, "tip"},
		{"unknown field of the customer", "start", `{` + good + `,"customer":{"name":"x"}}`, "name"},
		{"field in capitals", "start", `{` + good + `,"Description":"x"}`, "Description"},
		{"field twice", "start", `{` + good + `,"amount":2}`, "amount"},
		{"order missing", "start", `{"terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order empty", "start", `{"order_id":"","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order null", "start", `{"order_id":null,"terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order with a star", "start", `{"order_id":"*","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order with a blank", "start", `{"order_id":"a b","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order with a line end", "start", `{"order_id":"a\nb","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order in another script", "start", `{"order_id":"аб","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order of 51", "start", `{"order_id":"` + strings.Repeat("a", 51) + `","terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"order is a number", "start", `{"order_id":1,"terminal_id":"T","amount":1,"currency":"EUR"}`, "order_id"},
		{"terminal missing", "start", `{"order_id":"a","amount":1,"currency":"EUR"}`, "terminal_id"},
		{"terminal null", "start", `{"order_id":"a","terminal_id":null,"amount":1,"currency":"EUR"}`, "terminal_id"},
		{"terminal with a dot", "start", `{"order_id":"a","terminal_id":"a.b","amount":1,"currency":"EUR"}`, "terminal_id"},
		{"terminal with >", "start", `{"order_id":"a","terminal_id":">","amount":1,"currency":"EUR"}`, "terminal_id"},
		{"terminal of 37", "start", `{"order_id":"a","terminal_id":"` + strings.Repeat("a", 37) + `","amount":1,"currency":"EUR"}`, "terminal_id"},
		{"amount missing", "start", `{"order_id":"a","terminal_id":"T","currency":"EUR"}`, "amount"},
		{"amount 0", "start", `{"order_id":"a","terminal_id":"T","amount":0,"currency":"EUR"}`, "amount"},
		{"amount negative", "start", `{"order_id":"a","terminal_id":"T","amount":-1,"currency":"EUR"}`, "amount"},
		{"amount too large", "start", `{"order_id":"a","terminal_id":"T","amount":1000000000,"currency":"EUR"}`, "amount"},
		{"amount far too large", "start", `{"order_id":"a","terminal_id":"T","amount":1e30,"currency":"EUR"}`, "amount"},
		{"amount with a fraction", "start", `{"order_id":"a","terminal_id":"T","amount":1.5,"currency":"EUR"}`, "amount"},
		{"amount is a text", "start", `{"order_id":"a","terminal_id":"T","amount":"1","currency":"EUR"}`, "amount"},
		{"amount is null", "start", `{"order_id":"a","terminal_id":"T","amount":null,"currency":"EUR"}`, "amount"},
		{"currency missing", "start", `{"order_id":"a","terminal_id":"T","amount":1}`, "currency"},
		{"currency in small letters", "start", `{"order_id":"a","terminal_id":"T","amount":1,"currency":"eur"}`, "currency"},
		{"currency unknown", "start", `{"order_id":"a","terminal_id":"T","amount":1,"currency":"XYZ"}`, "currency"},
		{"currency of the past", "start", `{"order_id":"a","terminal_id":"T","amount":1,"currency":"NLG"}`, "currency"},
		{"description too long", "start", `{` + good + `,"description":"` + strings.Repeat("é", 201) + `"}`, "description"},
		{"description null", "start", `{` + good + `,"description":null}`, "description"},
		{"customer null", "start", `{` + good + `,"customer":null}`, "customer"},
		{"customer is a text", "start", `{` + good + `,"customer":"x"}`, "customer"},
		{"locale", "start", `{` + good + `,"customer":{"locale":"dutch"}}`, "customer.locale"},
		{"email too long", "start", `{` + good + `,"customer":{"email":"` + strings.Repeat("x", 65) + `"}}`, "customer.email"},
		{"phone too long", "start", `{` + good + `,"customer":{"phone":"` + strings.Repeat("1", 26) + `"}}`, "customer.phone"},
		{"notification URL too long", "start", `{` + good + `,"notification_url":"https://` + strings.Repeat("x", 150) + `"}`, "notification_url"},
		{"notification URL of another kind", "start", `{` + good + `,"notification_url":"ftp://x"}`, "notification_url"},
		{"custom info is a list", "start", `{` + good + `,"custom_info":[]}`, "custom_info"},
		{"cancel without order", "cancel", `{"terminal_id":"T"}`, "order_id"},
		{"cancel without terminal", "cancel", `{"order_id":"a"}`, "terminal_id"},
		{"cancel with more", "cancel", `{"order_id":"a","terminal_id":"T","amount":1}`, "amount"},
		{"cancel of a star", "cancel", `{"order_id":"*","terminal_id":"T"}`, "order_id"},
		{"get without order", "get", `{"terminal_id":"T"}`, "order_id"},
		{"get with more", "get", `{"order_id":"a","terminal_id":"T","x":1}`, "x"},
		{"get of nothing", "get", ``, ""},
		{"list with more", "list", `{"terminal_id":"T"}`, "terminal_id"},
		{"list of nothing", "list", `no`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := b.do("pos.payment."+tt.command, tt.body).failed(schema.InvalidRequest)
			if !strings.Contains(e.Message, tt.names) {
				t.Errorf("the message does not name %s: %q", tt.names, e.Message)
			}
			if len(e.Message) > 300 || strings.ContainsAny(e.Message, "\r\n") || !utf8.ValidString(e.Message) {
				t.Errorf("the message cannot be shown: %q", e.Message)
			}
		})
	}
	if p.called("create")+p.called("get")+p.called("cancel") > 0 {
		t.Errorf("the provider was asked: %v", p.calls)
	}
	if got := b.list(); len(got) != 0 {
		t.Errorf("sessions came to be: %+v", got)
	}
}

// A value that stands in the wrong place may be a card number.
func TestRefusalsShowNoValue(t *testing.T) {
	t.Parallel()
	b := setup(t, options{provider: &provider{}})
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
}
