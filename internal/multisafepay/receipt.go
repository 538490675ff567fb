package multisafepay

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// Bounds of a receipt; what is beyond them is left out.
const (
	maxReceiptItems  = 500
	maxReceiptText   = 200 // characters
	maxReceiptCode   = 64  // characters
	maxApplicationID = 32  // digits
	cardDigitsShown  = 4
)

// Receipt asks for what a printed receipt of an order says. Only the fields of
// schema.Receipt are read, and the last four digits of the card number.
func (c *Client) Receipt(ctx context.Context, key redact.Secret, orderID string) (schema.Receipt, error) {
	a, err := c.calls.call(ctx, c.request(OpReceipt, http.MethodGet, "/pos/receipt/"+segment(orderID), orderID, key))
	if err != nil {
		return schema.Receipt{}, err
	}
	return a.receipt()
}

// receipt reads the answer to a request for a receipt.
func (a answer) receipt() (schema.Receipt, error) {
	var data struct {
		Merchant json.RawMessage `json:"merchant"`
		Order    json.RawMessage `json:"order"`
		Payment  json.RawMessage `json:"payment"`
		Related  json.RawMessage `json:"related_transactions"`
		Printed  json.RawMessage `json:"printed_on"`
		OrderID  json.RawMessage `json:"order_id"`
	}
	if json.Unmarshal(a.data, &data) != nil || len(data.Order) == 0 || data.Order[0] != '{' {
		return schema.Receipt{}, a.unusable(KindLost, errNoData)
	}
	order := members(data.Order)
	for _, id := range []json.RawMessage{data.OrderID, order["order_id"]} {
		if len(id) == 0 {
			continue
		}
		if err := whose(id, a.order); err != nil {
			return schema.Receipt{}, a.foreign(err)
		}
	}
	t := receiptText{a.hide}
	merchant := members(data.Merchant)
	return schema.Receipt{
		Merchant:  schema.ReceiptMerchant{Name: t.line(merchant["name"]), Address: t.line(merchant["address"])},
		Order:     t.order(order),
		Payment:   t.payment(first(data.Payment)),
		Related:   t.related(data.Related),
		PrintedOn: t.line(data.Printed),
	}, nil
}

// first returns a JSON object, or the first entry of a list of them.
func first(raw json.RawMessage) map[string]json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		raw = list[0]
	}
	return members(raw)
}

// receiptText reads the texts of a receipt; hide knows what must not be shown.
type receiptText struct{ hide redact.Scrubber }

// line returns text for people, on one line.
func (t receiptText) line(raw json.RawMessage) string {
	s, _ := text(raw)
	return t.hide.Line(s, maxReceiptText)
}

// code returns text of the machines', "" for what is not or may be a card number.
func (t receiptText) code(raw json.RawMessage) string {
	s, _ := text(raw)
	if redact.HoldsCardNumber(s) {
		return ""
	}
	return safeID(t.hide, s, maxReceiptCode)
}

func (t receiptText) status(raw json.RawMessage) string {
	status, _ := safeStatus(t.hide, plainString(raw))
	return status
}

func (t receiptText) id(raw json.RawMessage) string {
	s, _ := text(raw)
	return safeID(t.hide, s, maxTransactionID)
}

func (t receiptText) order(m map[string]json.RawMessage) schema.ReceiptOrder {
	o := schema.ReceiptOrder{
		Amount:          amount(m["amount"]),
		AmountRefunded:  max(amount(m["amountrefunded"]), amount(m["amount_refunded"])),
		Currency:        currencyCode(m["currency"]),
		Tip:             max(amount(m["tip"]), amount(members(m["tip"])["amount"])),
		Items:           []schema.ReceiptItem{},
		Status:          t.status(m["status"]),
		FinancialStatus: t.status(m["financial_status"]),
		TransactionID:   t.id(m["transaction_id"]),
		Created:         t.line(m["created"]),
		Completed:       t.line(m["completed"]),
	}
	items := m["items"]
	if inner, wrapped := members(items)["items"]; wrapped {
		items = inner
	}
	var list []json.RawMessage
	if json.Unmarshal(items, &list) != nil {
		return o
	}
	for _, raw := range list[:min(len(list), maxReceiptItems)] {
		item := members(raw)
		o.Items = append(o.Items, schema.ReceiptItem{
			Name:      t.line(item["name"]),
			Quantity:  quantity(item["quantity"]),
			UnitPrice: amount(item["unit_price"]),
			Price:     amount(item["price"]),
		})
	}
	return o
}

func (t receiptText) payment(m map[string]json.RawMessage) schema.ReceiptPayment {
	return schema.ReceiptPayment{
		Method:            t.code(m["payment_method"]),
		Last4:             lastDigits(m["last4"]),
		EntryMode:         t.code(m["card_entry_mode"]),
		Verification:      t.code(m["cardholder_verification_method"]),
		ApplicationID:     applicationID(plainString(m["application_id"])),
		AuthorizationCode: t.code(m["authorization_code"]),
		ResponseCode:      t.code(m["response_code"]),
		TerminalID:        t.code(m["terminal_id"]),
	}
}

// related reads the refunds and reversals: a list, an object of them by name, or
// one alone.
func (t receiptText) related(raw json.RawMessage) []schema.ReceiptTransaction {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		m := members(raw)
		if m["amount"] != nil || m["transaction_id"] != nil {
			list = []json.RawMessage{raw}
		} else {
			for _, name := range slices.Sorted(maps.Keys(m)) {
				list = append(list, m[name])
			}
		}
	}
	related := []schema.ReceiptTransaction{}
	for _, raw := range list[:min(len(list), maxReceiptItems)] {
		m := members(raw)
		if m == nil {
			continue
		}
		related = append(related, schema.ReceiptTransaction{
			Type:          t.code(m["type"]),
			Amount:        amount(m["amount"]),
			Currency:      currencyCode(m["currency"]),
			Status:        t.status(m["status"]),
			TransactionID: t.id(m["transaction_id"]),
			Created:       t.line(m["created"]),
		})
	}
	return related
}

// currencyCode returns a code of three capitals, "" for anything else.
func currencyCode(raw json.RawMessage) string {
	code := strings.ToUpper(plainString(raw))
	if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return code
}

// quantity returns a decimal number as it is written, "" for anything else.
func quantity(raw json.RawMessage) string {
	s := strings.Trim(string(raw), `"`)
	if len(s) == 0 || len(s) > 12 || strings.Trim(s, "0123456789.") != "" || strings.Count(s, ".") > 1 || s == "." {
		return ""
	}
	return s
}

// lastDigits returns the last four digits of a card number, of which the
// provider should send no more. A number has lost its leading zeros.
func lastDigits(raw json.RawMessage) string {
	s, _ := text(raw)
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	if digits == "" {
		return ""
	}
	digits = strings.Repeat("0", cardDigitsShown) + digits
	return digits[len(digits)-cardDigitsShown:]
}

// applicationID returns the name of a card's application: hexadecimal digits that
// begin with a letter, which a card number does not.
func applicationID(s string) string {
	if len(s) == 0 || len(s) > maxApplicationID || s[0] >= '0' && s[0] <= '9' || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return ""
	}
	return s
}
