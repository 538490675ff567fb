package wire

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// The card that every virtual customer uses. The provider shows card data when
// an order is asked for; these values are unmistakable, so that a test can
// prove that its program shows none of them. CardData lists them.
const (
	CardHolder            = "SIMULATED CARDHOLDER"
	CardMaskedPAN         = "541333XXXXXX9917"
	CardLast4             = "9917"
	CardExpiry            = "3112"
	CardAuthorizationCode = "SIM7Q4"
	CardEMV               = "9F2608SIMULATEDCRYPTOGRAM9F1012"
	// CardPAN appears only in the data of the garbage_event fault.
	CardPAN = "5413330089009917"
)

// CardData lists the card data that answers and faults carry and that cannot
// appear in a program's output by chance.
func CardData() []string {
	return []string{CardHolder, CardMaskedPAN, CardAuthorizationCode, CardEMV, CardPAN}
}

// LocalTime is how the provider writes the times of an order.
func LocalTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format("2006-01-02T15:04:05")
}

// orNull is the text, or JSON's null for an empty one.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// OrderData is what GET orders/{id} and webhooks say of an order. The caller holds
// the state's lock.
func OrderData(o *orders.Order) map[string]any { return OrderDataAs(o, o.Status, o.Financial) }

// OrderDataAs is orderData with another status.
func OrderDataAs(o *orders.Order, status, financial string) map[string]any {
	details := map[string]any{
		"terminal_id":             o.Terminal.ID,
		"type":                    nil,
		"recurring_id":            nil,
		"recurring_model":         nil,
		"recurring_flow":          nil,
		"account_id":              nil,
		"account_holder_name":     nil,
		"external_transaction_id": nil,
		"response_code":           nil,
	}
	var methods any
	if o.CardShown {
		card := map[string]any{
			"account_holder_name": CardHolder,
			"account_id":          CardMaskedPAN,
			"authorization_code":  CardAuthorizationCode,
			"card_entry_mode":     "ICC_CONTACTLESS",
			"card_expiry_date":    CardExpiry,
			"last4":               CardLast4,
			"issuer_bin":          "541333",
			"emv":                 CardEMV,
			"type":                "MASTERCARD",
			"response_code":       ResponseCode(status),
		}
		methods = []any{With(card, map[string]any{
			"amount": o.Amount(), "currency": o.Create.Currency,
			"description": o.Create.Description, "payment_description": "Mastercard",
			"status": status,
		})}
		details = With(details, card)
	}
	return map[string]any{
		"amount":               o.Amount(),
		"amount_refunded":      0,
		"completed":            LocalTime(o.Completed),
		"costs":                []any{},
		"created":              LocalTime(o.Created),
		"currency":             o.Create.Currency,
		"custom_info":          map[string]any{"custom_1": orNull(o.Create.CustomInfo.Custom1), "custom_2": orNull(o.Create.CustomInfo.Custom2), "custom_3": orNull(o.Create.CustomInfo.Custom3)},
		"customer":             customerData(o.Create.Customer),
		"description":          o.Create.Description,
		"fastcheckout":         "NO",
		"financial_status":     financial,
		"items":                nil,
		"modified":             LocalTime(o.Modified),
		"order_id":             o.Create.OrderID,
		"payment_details":      details,
		"payment_methods":      methods,
		"reason":               "",
		"reason_code":          nil,
		"related_transactions": nil,
		"status":               status,
		"transaction_id":       o.Number,
		"var1":                 nil,
		"var2":                 nil,
		"var3":                 nil,
	}
}

func customerData(c orders.CustomerData) map[string]any {
	return map[string]any{
		"locale": orNull(c.Locale), "email": orNull(c.Email), "phone1": orNull(c.Phone),
		"first_name": orNull(c.FirstName), "last_name": orNull(c.LastName),
		"address1": nil, "address2": nil, "house_number": nil, "zip_code": nil, "city": nil,
		"state": nil, "country": nil, "country_name": nil, "phone2": nil,
		"company_name": nil, "cocnumber": nil,
	}
}

// ResponseCode is the issuer's answer as card schemes number it.
func ResponseCode(status string) any {
	switch status {
	case scenario.StatusCompleted, scenario.StatusReversed:
		return "00"
	case scenario.StatusDeclined:
		return "65"
	}
	return nil
}

// With returns m with more put over it.
func With(m, more map[string]any) map[string]any {
	all := make(map[string]any, len(m)+len(more))
	for k, v := range m {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}
