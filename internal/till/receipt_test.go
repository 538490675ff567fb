package till_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

func receiptOf(change func(*schema.Receipt)) schema.ReceiptReply {
	r := schema.ReceiptReply{OrderID: "pay-20261123-AB12CD", TerminalID: "SIM00001", Receipt: schema.Receipt{
		Merchant: schema.ReceiptMerchant{Name: "Café Zuiderzee", Address: "Kade 12, 1234 AB Enkhuizen"},
		Order: schema.ReceiptOrder{
			Amount: 1458, Tip: 208, AmountRefunded: 350, Currency: "EUR", Status: "completed", TransactionID: "4051823", Completed: "2026-11-23T14:05:07",
			Items: []schema.ReceiptItem{
				{Name: "Coffee", Quantity: "2", UnitPrice: 350, Price: 700},
				{Name: "Apple cake with whipped cream and a second helping of it", Quantity: "1", UnitPrice: 550, Price: 550},
			},
		},
		Payment: schema.ReceiptPayment{
			Method: "MASTERCARD", Last4: "0042", EntryMode: "ICC_CONTACTLESS", Verification: "NO_CVM", ApplicationID: "a0000000041010", AuthorizationCode: "123456", ResponseCode: "00",
		},
		Related:   []schema.ReceiptTransaction{{Type: "refund", Amount: -350, Currency: "EUR", Status: "completed", TransactionID: "4051999", Created: "2026-11-24T09:00:00"}},
		PrintedOn: "2026-11-24T10:00:00",
	}}
	if change != nil {
		change(&r.Receipt)
	}
	return r
}

func showReceipt(t *testing.T, s stand, json bool) (string, error) {
	t.Helper()
	out := &bridgetest.Output{}
	err := till.Receipt{
		Till: s.till, Screen: till.NewScreen(out, &bridgetest.Output{}, env{}.get), Terminal: "SIM00001", Order: "pay-20261123-AB12CD", JSON: json,
	}.Run(limited(t))
	return out.String(), err
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Receipt: func(r schema.OrderRequest) (any, error) {
		if r != (schema.OrderRequest{TerminalID: "SIM00001", OrderID: "pay-20261123-AB12CD"}) {
			t.Errorf("asked for %+v", r)
		}
		return receiptOf(nil), nil
	}}, bridgetest.Options{NoStream: true})
	got, err := showReceipt(t, s, false)
	want := `              Café Zuiderzee
        Kade 12, 1234 AB Enkhuizen
------------------------------------------
2 x Coffee                        7.00 EUR
Apple cake with whipped cream and a second
helping of it                     5.50 EUR
------------------------------------------
Tip                               2.08 EUR
TOTAL                            14.58 EUR
Refunded                         -3.50 EUR
------------------------------------------
Card                   **** **** **** 0042
Method                          MASTERCARD
Entry                      ICC_CONTACTLESS
Verification                        NO_CVM
AID                         a0000000041010
Authorization                       123456
Response                                00
Terminal                          SIM00001
Order                  pay-20261123-AB12CD
Transaction                        4051823
Status                           completed
Completed              2026-11-23T14:05:07
------------------------------------------
refund                           -3.50 EUR
Status                           completed
Transaction                        4051999
Created                2026-11-24T09:00:00
------------------------------------------
Printed                2026-11-24T10:00:00
`
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	got, err = showReceipt(t, s, true)
	if err != nil || !strings.HasPrefix(got, `{"order_id":"pay-20261123-AB12CD","terminal_id":"SIM00001","receipt":{"merchant":{"name":"Café Zuiderzee"`) {
		t.Errorf("got %v\n%s", err, got)
	}
}

// Whatever the provider sends, no line is wider than the paper, and nothing is
// obeyed by a terminal window.
func TestReceiptFitsThePaper(t *testing.T) {
	t.Parallel()
	odd := receiptOf(func(r *schema.Receipt) {
		r.Merchant.Name = strings.Repeat("ä", 100) + "\x1b[2J"
		r.Order.Items[0].Name = strings.Repeat("word ", 30)
		r.Order.Currency = "???"
		r.Payment.AuthorizationCode = strings.Repeat("x", 64)
		r.Payment.Last4, r.Merchant.Address, r.PrintedOn = "", "", ""
	})
	s := setup(t, bridgetest.Handlers{Receipt: func(schema.OrderRequest) (any, error) { return odd, nil }}, bridgetest.Options{NoStream: true})
	got, err := showReceipt(t, s, false)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 42 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, "****") {
		t.Errorf("got\n%s", got)
	}
}

func TestReceiptRefused(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	_, err := showReceipt(t, s, false)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Reply.Code != schema.NotFound {
		t.Errorf("got %v", err)
	}
}
