package multisafepay

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// receiptAnswer is an answer as the provider gives it, with more than anybody may see.
const receiptAnswer = `{"success":true,"data":{
"merchant":{"name":"Café\nZoë","address":"Street 1","vat":"NL1"},
"order":{"amount":1247,"amountrefunded":"208","currency":"EUR","status":"Completed","financial_status":"completed","created":"2025-08-01 12:00:00","completed":"2025-08-01 12:00:05",
 "items":{"items":[{"name":"Cup 4111111111111111","quantity":"2","unit_price":500,"price":1000,"secret":"x"},{"name":"Cake","quantity":0.5,"price":39}]},
 "tip":{"amount":208,"employee":"Carl Holder"},"transaction_id":890000001},
"payment":{"application_id":"a0000000041010","authorization_code":"T7X3Q1","card_acceptor_location":"x","card_entry_mode":"ICC_CONTACTLESS","card_expiry_date":"2912",
 "cardholder_verification_method":"NO_CVM","issuer_bin":"541333","last4":7,"payment_method":"MASTERCARD","response_code":"00","terminal_id":"00000ABC","emv":{"a":"b"}},
"printed_on":"2025-08-01 12:01:00",
"related_transactions":{"r1":{"type":"refund","amount":208,"currency":"EUR","status":"completed","transaction_id":"890000002","created":"2025-08-02 12:00:00"}}}}`

func TestReceipt(t *testing.T) {
	t.Parallel()
	full := schema.Receipt{
		Merchant: schema.ReceiptMerchant{Name: "Café Zoë", Address: "Street 1"},
		Order: schema.ReceiptOrder{
			Amount: 1247, AmountRefunded: 208, Currency: "EUR", Tip: 208, Status: "completed", FinancialStatus: "completed",
			TransactionID: "890000001", Created: "2025-08-01 12:00:00", Completed: "2025-08-01 12:00:05",
			Items: []schema.ReceiptItem{{Name: "Cup [redacted]", Quantity: "2", UnitPrice: 500, Price: 1000}, {Name: "Cake", Quantity: "0.5", Price: 39}},
		},
		Payment: schema.ReceiptPayment{
			Method: "MASTERCARD", Last4: "0007", EntryMode: "ICC_CONTACTLESS", Verification: "NO_CVM", ApplicationID: "a0000000041010",
			AuthorizationCode: "T7X3Q1", ResponseCode: "00", TerminalID: "00000ABC",
		},
		Related:   []schema.ReceiptTransaction{{Type: "refund", Amount: 208, Currency: "EUR", Status: "completed", TransactionID: "890000002", Created: "2025-08-02 12:00:00"}},
		PrintedOn: "2025-08-01 12:01:00",
	}
	least := schema.Receipt{Order: schema.ReceiptOrder{Amount: 5, Items: []schema.ReceiptItem{}}, Related: []schema.ReceiptTransaction{}}
	with := func(change func(*schema.Receipt)) schema.Receipt { r := least; change(&r); return r }
	yes := func(order, rest string) string {
		return `{"success":true,"data":{"order":{"amount":5` + order + `}` + rest + `}}`
	}
	tests := map[string]struct {
		status int
		body   string
		want   schema.Receipt
		kind   Kind
	}{
		"docs":                {200, receiptAnswer, full, 0},
		"least":               {200, yes("", ""), least, 0},
		"with the order's id": {200, yes(`,"order_id":"A1"`, `,"order_id":"A1"`), least, 0},
		"odd types":           {200, yes(`,"tip":null,"items":[],"currency":7`, `,"merchant":[],"payment":[],"related_transactions":[7,null],"printed_on":{}`), least, 0},
		"small currency":      {200, yes(`,"currency":"eur"`, ""), with(func(r *schema.Receipt) { r.Order.Currency = "EUR" }), 0},
		"no currency code":    {200, yes(`,"currency":"E1R"`, ""), least, 0},
		"tip as a number":     {200, yes(`,"tip":"12"`, ""), with(func(r *schema.Receipt) { r.Order.Tip = 12 }), 0},
		"one refund alone":    {200, yes("", `,"related_transactions":{"amount":3}`), with(func(r *schema.Receipt) { r.Related = []schema.ReceiptTransaction{{Amount: 3}} }), 0},
		"list of payments":    {200, yes("", `,"payment":[{"last4":"1111"},{"last4":"2222"}]`), with(func(r *schema.Receipt) { r.Payment.Last4 = "1111" }), 0},
		"whole card number":   {200, yes("", `,"payment":{"last4":"4111 1111 1111 1234","application_id":"4111111111111111","authorization_code":"4111111111111111","payment_method":"a b"}`), with(func(r *schema.Receipt) { r.Payment.Last4 = "1234" }), 0},
		"another order":       {200, yes(`,"order_id":"A2"`, ""), schema.Receipt{}, KindNotFound},
		"another order above": {200, yes("", `,"order_id":"A2"`), schema.Receipt{}, KindNotFound},
		"no order":            {200, `{"success":true,"data":{"merchant":{}}}`, schema.Receipt{}, KindLost},
		"not known":           {404, `{"success":false,"error_code":1006,"error_info":"Not found"}`, schema.Receipt{}, KindNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/v1/json/pos/receipt/A1" {
					t.Errorf("request = %s %s", r.Method, r.URL.Path)
				}
				reply(test.status, test.body)(w, r)
			})
			got, err := client.Receipt(t.Context(), redact.NewSecret(testKey), "A1")
			if test.kind != 0 {
				wantKind(t, err, test.kind)
			} else if err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("receipt\n got %+v\nwant %+v", got, test.want)
			}
			shown, _ := json.Marshal(got)
			for _, hidden := range []string{"Holder", "2912", "541333", "4111", "emv", "NL1"} {
				if strings.Contains(string(shown), hidden) {
					t.Errorf("receipt shows %s: %s", hidden, shown)
				}
			}
		})
	}
}
