package simulator

import (
	"time"

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

// localTime is how the provider writes the times of an order.
func localTime(t time.Time) any {
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

// orderData is what GET orders/{id} and webhooks say of an order. The caller holds
// the simulator's lock.
func orderData(o *order) map[string]any { return orderDataAs(o, o.Status, o.Financial) }

// orderDataAs is orderData with another status.
func orderDataAs(o *order, status, financial string) map[string]any {
	details := map[string]any{
		"terminal_id":             o.terminal.id,
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
			"response_code":       responseCode(status),
		}
		methods = []any{with(card, map[string]any{
			"amount": o.amount(), "currency": o.Create.Currency,
			"description": o.Create.Description, "payment_description": "Mastercard",
			"status": status,
		})}
		details = with(details, card)
	}
	return map[string]any{
		"amount":               o.amount(),
		"amount_refunded":      0,
		"completed":            localTime(o.Completed),
		"costs":                []any{},
		"created":              localTime(o.Created),
		"currency":             o.Create.Currency,
		"custom_info":          map[string]any{"custom_1": orNull(o.Create.CustomInfo.Custom1), "custom_2": orNull(o.Create.CustomInfo.Custom2), "custom_3": orNull(o.Create.CustomInfo.Custom3)},
		"customer":             customerData(o.Create.Customer),
		"description":          o.Create.Description,
		"fastcheckout":         "NO",
		"financial_status":     financial,
		"items":                nil,
		"modified":             localTime(o.Modified),
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

func customerData(c customer) map[string]any {
	return map[string]any{
		"locale": orNull(c.Locale), "email": orNull(c.Email), "phone1": orNull(c.Phone),
		"first_name": orNull(c.FirstName), "last_name": orNull(c.LastName),
		"address1": nil, "address2": nil, "house_number": nil, "zip_code": nil, "city": nil,
		"state": nil, "country": nil, "country_name": nil, "phone2": nil,
		"company_name": nil, "cocnumber": nil,
	}
}

// responseCode is the issuer's answer as card schemes number it.
func responseCode(status string) any {
	switch status {
	case scenario.StatusCompleted, scenario.StatusReversed:
		return "00"
	case scenario.StatusDeclined:
		return "65"
	}
	return nil
}

// with returns m with more put over it.
func with(m, more map[string]any) map[string]any {
	all := make(map[string]any, len(m)+len(more))
	for k, v := range m {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}
