package api

import (
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// receipt answers GET pos/receipt/{id}. The caller holds the lock.
func (a API) receipt(o *orders.Order) wire.Answer {
	payment := map[string]any{"terminal_id": o.Terminal.ID}
	if o.CardShown {
		payment = wire.With(payment, map[string]any{
			"application_id":                 "a0000000041010",
			"authorization_code":             wire.CardAuthorizationCode,
			"card_acceptor_location":         "Simulated street 1",
			"card_entry_mode":                "ICC_CONTACTLESS",
			"card_expiry_date":               wire.CardExpiry,
			"cardholder_verification_method": "NO_CVM",
			"issuer_bin":                     "541333",
			"issuer_country_code":            "NL",
			"last4":                          wire.CardLast4,
			"payment_method":                 "MASTERCARD",
			"response_code":                  wire.ResponseCode(o.Status),
		})
	}
	tip := map[string]any{"amount": max(0, o.Amount()-o.Create.Amount), "employee": nil}
	if o.Charged > o.Create.Amount {
		tip["employee"] = "Simulated employee"
	}
	var refunded int64
	if o.Status == scenario.Afterwards[scenario.ActRefund] {
		refunded = o.Amount()
	}
	return wire.Success(map[string]any{
		"merchant": map[string]any{"name": "Simulated merchant", "address": "Simulated street 1"},
		"order": map[string]any{
			"amount": o.Amount(), "amountrefunded": refunded, "currency": o.Create.Currency,
			"completed":      wire.LocalTime(o.Completed),
			"items":          map[string]any{"items": []any{}},
			"tip":            tip,
			"transaction_id": strconv.FormatInt(o.Number, 10),
		},
		"payment":              payment,
		"printed_on":           wire.LocalTime(a.s.Now()),
		"related_transactions": nil,
	})
}
