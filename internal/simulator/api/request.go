package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/wire"
	"github.com/posbridge/bridge/subjects"
)

// The provider's limits, in characters.
const (
	maxDescription     = 200
	maxNotificationURL = 150
	maxEmail           = 64
	maxPhone           = 25
)

var locales = []string{
	"cs_CZ", "de_AT", "de_DE", "en_US", "fi_FI", "fr_BE", "fr_FR",
	"it_IT", "nl_BE", "nl_NL", "pl_PL", "es_ES", "sv_SE", "zh_CN",
}

// parseCreate reads and checks a create request. bad is the provider's answer
// to what is wrong with it.
func parseCreate(body []byte) (req orders.Request, bad *wire.Answer) {
	refuse := func(a wire.Answer) (orders.Request, *wire.Answer) { return orders.Request{}, &a }
	var raw struct {
		orders.Request
		Amount json.RawMessage `json:"amount"` // checked after the rest, whatever its type
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&raw); err != nil || decoder.More() {
		return refuse(wire.Refusal(http.StatusBadRequest, wire.CodeIncorrectFormat, "Incorrect format: the body is not one JSON object of an order"))
	}
	req = raw.Request
	if wrong := violations(req); len(wrong) > 0 {
		return refuse(wire.ValidationFailure(wrong...))
	}
	switch {
	case json.Unmarshal(raw.Amount, &req.Amount) != nil || req.Amount < 1 || req.Amount > orders.MaxAmount:
		return refuse(wire.Refusal(http.StatusBadRequest, wire.CodeIncorrectFormat, "Invalid amount"))
	case !orders.IsCurrency(req.Currency):
		return refuse(wire.Refusal(http.StatusBadRequest, wire.CodeInvalidCurrency, "Invalid currency"))
	case req.Description == "" || utf8.RuneCountInString(req.Description) > maxDescription:
		return refuse(wire.Refusal(http.StatusBadRequest, wire.CodeInvalidDescription, "Invalid description"))
	}
	return req, nil
}

// violations lists what the provider's 422 complains about.
func violations(r orders.Request) (wrong []wire.Violation) {
	complain := func(name, value, message string) {
		wrong = append(wrong, wire.NewViolation(name, value, message))
	}
	required := func(name, value string) bool {
		if value == "" {
			complain(name, "", "The "+name+" field is required.")
		}
		return value != ""
	}
	limited := func(name, value string, limit int) {
		if utf8.RuneCountInString(value) > limit {
			complain(name, value, fmt.Sprintf("The %s may not be longer than %d characters.", name, limit))
		}
	}
	if required("type", r.Type) && r.Type != "redirect" {
		complain("type", r.Type, "A terminal payment has the type redirect.")
	}
	if required("order_id", r.OrderID) && subjects.CheckOrder(r.OrderID) != nil {
		complain("order_id", r.OrderID, "The order_id may have 50 characters of a-z A-Z 0-9 / - _ and the dot.")
	}
	required("gateway_info.terminal_id", r.GatewayInfo.TerminalID)
	if r.Customer.Locale != "" && !slices.Contains(locales, r.Customer.Locale) {
		complain("customer.locale", r.Customer.Locale, "The selected customer.locale is invalid.")
	}
	limited("customer.email", r.Customer.Email, maxEmail)
	limited("customer.phone", r.Customer.Phone, maxPhone)
	to := r.PaymentOptions.NotificationURL
	limited("payment_options.notification_url", to, maxNotificationURL)
	if u, err := url.Parse(to); to != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		complain("payment_options.notification_url", to, "The notification_url is not an http or https URL.")
	}
	return wrong
}
