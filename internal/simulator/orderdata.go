package simulator

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
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

// data is what GET orders/{id} and webhooks say of an order. The caller holds
// the simulator's lock.
func (o *order) data() map[string]any { return o.dataAs(o.status, o.financial) }

// getOrder answers GET orders/{id}. The caller holds mu.
func (s *Simulator) getOrder(o *order, at occasion) answer {
	if _, stale := s.takeFault(FaultStaleGet, at); !stale {
		return success(o.data())
	}
	if n := len(o.events); n > 1 {
		return success(o.dataAs(o.events[n-2].Status, o.events[n-2].FinancialStatus))
	}
	return success(o.dataAs(statusInitialized, statusInitialized))
}

func (o *order) dataAs(status, financial string) map[string]any {
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
	if o.cardShown {
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
			"amount": o.create.Amount, "currency": o.create.Currency,
			"description": o.create.Description, "payment_description": "Mastercard",
			"status": status,
		})}
		details = with(details, card)
	}
	return map[string]any{
		"amount":               o.create.Amount,
		"amount_refunded":      0,
		"completed":            localTime(o.completed),
		"costs":                []any{},
		"created":              localTime(o.created),
		"currency":             o.create.Currency,
		"custom_info":          map[string]any{"custom_1": orNull(o.create.CustomInfo.Custom1), "custom_2": orNull(o.create.CustomInfo.Custom2), "custom_3": orNull(o.create.CustomInfo.Custom3)},
		"customer":             customerData(o.create.Customer),
		"description":          o.create.Description,
		"fastcheckout":         "NO",
		"financial_status":     financial,
		"items":                nil,
		"modified":             localTime(o.modified),
		"order_id":             o.create.OrderID,
		"payment_details":      details,
		"payment_methods":      methods,
		"reason":               "",
		"reason_code":          nil,
		"related_transactions": nil,
		"status":               status,
		"transaction_id":       o.number,
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
	case statusCompleted, statusReversed:
		return "00"
	case statusDeclined:
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

// cancelOrder answers POST orders/{id}/cancel. The caller holds mu.
func (s *Simulator) cancelOrder(o *order) answer {
	if o.final() && o.status != statusCancelled {
		return refusal(http.StatusBadRequest, codeUnspecified, "Unspecified error: the order is already "+o.status)
	}
	if o.status != statusCancelled {
		s.stopSteps(o)
		o.stuck = false
		s.showResult(o, ScreenCancelled)
		s.change(o, statusCancelled, statusCancelled)
	}
	return success(map[string]any{
		"costs":            []any{},
		"created":          localTime(o.created),
		"custom_info":      map[string]any{"custom_1": nil, "custom_2": nil, "custom_3": nil},
		"fastcheckout":     "NO",
		"financial_status": nil,
		"modified":         localTime(o.modified),
		"order_id":         o.create.OrderID,
		"payment_details":  map[string]any{},
		"payment_methods":  nil,
		"status":           statusCancelled,
	})
}

// patchOrder answers PATCH orders/{id}, which does not work for terminals: the
// provider says yes and leaves the order declined for good, with its terminal
// still busy. The caller holds mu.
func (s *Simulator) patchOrder(o *order) answer {
	if !o.final() && !o.stuck {
		s.stopSteps(o)
		s.stopAlarm(o.idle)
		o.idle = nil
		o.stuck = true
		s.showResult(o, ScreenDeclined)
		s.change(o, statusDeclined, statusDeclined)
	}
	return success(map[string]any{})
}

// receipt answers GET pos/receipt/{id}. The caller holds mu.
func (s *Simulator) receipt(o *order) answer {
	payment := map[string]any{"terminal_id": o.terminal.id}
	if o.cardShown {
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
			"response_code":                  responseCode(o.status),
		})
	}
	return success(map[string]any{
		"merchant": map[string]any{"name": "Simulated merchant", "address": "Simulated street 1"},
		"order": map[string]any{
			"amount": o.create.Amount, "amountrefunded": 0, "currency": o.create.Currency,
			"completed":      localTime(o.completed),
			"items":          map[string]any{"items": []any{}},
			"tip":            map[string]any{"amount": 0, "employee": nil},
			"transaction_id": strconv.FormatInt(o.number, 10),
		},
		"payment":              payment,
		"printed_on":           localTime(s.now()),
		"related_transactions": nil,
	})
}

// Pages of the terminals list.
const (
	defaultPageSize = 100
	maxPageSize     = 500
)

// listTerminals answers GET terminals. The caller holds mu.
func (s *Simulator) listTerminals(g *group, query url.Values) answer {
	page, ok := positive(query.Get("page"), 1, 1_000_000)
	if !ok {
		return validationFailure(violation{"page", clip(query.Get("page"), 64), "The page must be a positive number."})
	}
	limit, ok := positive(query.Get("limit"), defaultPageSize, 1_000_000)
	if !ok {
		return validationFailure(violation{"limit", clip(query.Get("limit"), 64), "The limit must be a positive number."})
	}
	limit = min(limit, maxPageSize)
	from := min((page-1)*limit, len(g.terminals))
	to := min(from+limit, len(g.terminals))
	data := make([]any, 0, to-from)
	for _, t := range g.terminals[from:to] {
		data = append(data, map[string]any{
			"id": t.id, "provider": "SMARTPOS", "name": "Terminal " + t.id, "code": "sim-" + t.id,
			"created": "2025-05-13T10:00:00Z", "last_updated": t.since.Format(time.RFC3339),
			"manufacturer_id": nil, "serial_number": nil,
			"active": true, "group_id": g.number, "country": "NL",
		})
	}
	a := success(data)
	a.body.(map[string]any)["pager"] = map[string]any{"total_items": len(g.terminals)}
	return a
}

// positive reads a number of a query; empty stands for standard.
func positive(text string, standard, limit int) (int, bool) {
	if text == "" {
		return standard, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= limit
}
