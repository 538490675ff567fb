package simulator

import (
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// receipt answers GET pos/receipt/{id}. The caller holds the lock.
func (a api) receipt(o *order) answer {
	payment := map[string]any{"terminal_id": o.terminal.id}
	if o.CardShown {
		payment = with(payment, map[string]any{
			"application_id":                 "a0000000041010",
			"authorization_code":             CardAuthorizationCode,
			"card_acceptor_location":         "Simulated street 1",
			"card_entry_mode":                "ICC_CONTACTLESS",
			"card_expiry_date":               CardExpiry,
			"cardholder_verification_method": "NO_CVM",
			"issuer_bin":                     "541333",
			"issuer_country_code":            "NL",
			"last4":                          CardLast4,
			"payment_method":                 "MASTERCARD",
			"response_code":                  responseCode(o.Status),
		})
	}
	tip := map[string]any{"amount": max(0, o.amount()-o.Create.Amount), "employee": nil}
	if o.Charged > o.Create.Amount {
		tip["employee"] = "Simulated employee"
	}
	var refunded int64
	if o.Status == scenario.Afterwards[scenario.ActRefund] {
		refunded = o.amount()
	}
	return success(map[string]any{
		"merchant": map[string]any{"name": "Simulated merchant", "address": "Simulated street 1"},
		"order": map[string]any{
			"amount": o.amount(), "amountrefunded": refunded, "currency": o.Create.Currency,
			"completed":      localTime(o.Completed),
			"items":          map[string]any{"items": []any{}},
			"tip":            tip,
			"transaction_id": strconv.FormatInt(o.Number, 10),
		},
		"payment":              payment,
		"printed_on":           localTime(a.s.now()),
		"related_transactions": nil,
	})
}
