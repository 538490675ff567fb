package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/currency"

	"github.com/posbridge/bridge/subjects"
)

// createRequest is what POST orders understands. Unknown fields are ignored, as
// the provider does.
type createRequest struct {
	Type           string
	OrderID        string
	Gateway        string
	Currency       string
	Amount         int64
	Description    string
	PaymentOptions struct {
		NotificationURL    string `json:"notification_url"`
		NotificationMethod string `json:"notification_method"`
	}
	Customer   customer
	CustomInfo customInfo
	TerminalID string
}

type customer struct {
	Locale    string `json:"locale"`
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

type customInfo struct {
	Custom1 string `json:"custom_1"`
	Custom2 string `json:"custom_2"`
	Custom3 string `json:"custom_3"`
}

// The provider's limits, in characters.
const (
	maxDescription     = 200
	maxNotificationURL = 150
	maxEmail           = 64
	maxPhone           = 25
	maxAmount          = 999_999_999
)

var locales = []string{
	"cs_CZ", "de_AT", "de_DE", "en_US", "fi_FI", "fr_BE", "fr_FR",
	"it_IT", "nl_BE", "nl_NL", "pl_PL", "es_ES", "sv_SE", "zh_CN",
}

// parseCreate reads and checks a create request. bad is the provider's answer
// to what is wrong with it.
func parseCreate(body []byte) (req createRequest, bad *answer) {
	refuse := func(a answer) (createRequest, *answer) { return createRequest{}, &a }
	var wire struct {
		Type           *string          `json:"type"`
		OrderID        *string          `json:"order_id"`
		Gateway        *string          `json:"gateway"`
		Currency       *string          `json:"currency"`
		Amount         *json.RawMessage `json:"amount"`
		Description    *string          `json:"description"`
		PaymentOptions *struct {
			NotificationURL    string `json:"notification_url"`
			NotificationMethod string `json:"notification_method"`
		} `json:"payment_options"`
		Customer    *customer   `json:"customer"`
		CustomInfo  *customInfo `json:"custom_info"`
		GatewayInfo *struct {
			TerminalID string `json:"terminal_id"`
		} `json:"gateway_info"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&wire); err != nil || decoder.More() {
		return refuse(refusal(http.StatusBadRequest, codeIncorrectFormat, "Incorrect format: the body is not one JSON object of an order"))
	}

	var wrong []violation
	missing := func(name string) {
		wrong = append(wrong, violation{name, "", "The " + name + " field is required."})
	}
	invalid := func(name, value, message string) {
		wrong = append(wrong, violation{name, clip(value, 64), message})
	}
	switch {
	case wire.Type == nil:
		missing("type")
	case *wire.Type != "redirect":
		invalid("type", *wire.Type, "A terminal payment has the type redirect.")
	}
	switch {
	case wire.OrderID == nil || *wire.OrderID == "":
		missing("order_id")
	case subjects.CheckOrder(*wire.OrderID) != nil:
		invalid("order_id", *wire.OrderID, "The order_id may have 50 characters of a-z A-Z 0-9 / - _ and the dot.")
	default:
		req.OrderID = *wire.OrderID
	}
	if wire.GatewayInfo == nil || wire.GatewayInfo.TerminalID == "" {
		missing("gateway_info.terminal_id")
	} else {
		req.TerminalID = wire.GatewayInfo.TerminalID
	}
	if c := wire.Customer; c != nil {
		if c.Locale != "" && !slices.Contains(locales, c.Locale) {
			invalid("customer.locale", c.Locale, "The selected customer.locale is invalid.")
		}
		if utf8.RuneCountInString(c.Email) > maxEmail {
			invalid("customer.email", c.Email, fmt.Sprintf("The customer.email may not be longer than %d characters.", maxEmail))
		}
		if utf8.RuneCountInString(c.Phone) > maxPhone {
			invalid("customer.phone", c.Phone, fmt.Sprintf("The customer.phone may not be longer than %d characters.", maxPhone))
		}
		req.Customer = *c
	}
	if p := wire.PaymentOptions; p != nil && p.NotificationURL != "" {
		u, err := url.Parse(p.NotificationURL)
		switch {
		case utf8.RuneCountInString(p.NotificationURL) > maxNotificationURL:
			invalid("payment_options.notification_url", p.NotificationURL,
				fmt.Sprintf("The notification_url may not be longer than %d characters.", maxNotificationURL))
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
			invalid("payment_options.notification_url", p.NotificationURL, "The notification_url is not an http or https URL.")
		}
		req.PaymentOptions.NotificationURL = p.NotificationURL
		req.PaymentOptions.NotificationMethod = p.NotificationMethod
	}
	if len(wrong) > 0 {
		return refuse(validationFailure(wrong...))
	}

	req.Type = *wire.Type
	if wire.Gateway != nil {
		req.Gateway = *wire.Gateway
	}
	if wire.Amount == nil || json.Unmarshal(*wire.Amount, &req.Amount) != nil || req.Amount < 1 || req.Amount > maxAmount {
		return refuse(refusal(http.StatusBadRequest, codeIncorrectFormat, "Invalid amount"))
	}
	if wire.Currency == nil || !isCurrency(*wire.Currency) {
		return refuse(refusal(http.StatusBadRequest, codeInvalidCurrency, "Invalid currency"))
	}
	req.Currency = *wire.Currency
	if wire.Description == nil || *wire.Description == "" || utf8.RuneCountInString(*wire.Description) > maxDescription {
		return refuse(refusal(http.StatusBadRequest, codeInvalidDescription, "Invalid description"))
	}
	req.Description = *wire.Description
	if wire.CustomInfo != nil {
		req.CustomInfo = *wire.CustomInfo
	}
	return req, nil
}

// isCurrency accepts the ISO 4217 codes, in capitals as the standard has them.
func isCurrency(code string) bool {
	if code != strings.ToUpper(code) {
		return false
	}
	_, err := currency.ParseISO(code)
	return err == nil
}

// clip cuts text for an answer or a log line.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// create answers POST orders. The caller holds mu.
func (s *Simulator) create(g *group, r *http.Request, req createRequest) answer {
	t := s.terminals[req.TerminalID]
	if t == nil || t.group != g {
		return refusal(http.StatusBadRequest, codeNoGateway,
			"No gateway available: the terminal is not one of this terminal group")
	}
	if s.orders[req.OrderID] != nil {
		return refusal(http.StatusBadRequest, codeInvalidOrderID,
			"Invalid order ID: it has already been used")
	}
	if t.order != nil {
		return refusal(http.StatusBadRequest, codeCannotInitiate,
			"Cannot initiate transaction: another payment is open on terminal "+t.id)
	}
	sc, err := chooseScenario(req.CustomInfo.Custom1, req.Amount, t.scenario)
	if err != nil {
		return validationFailure(violation{"custom_info.custom_1", clip(req.CustomInfo.Custom1, 64), "Simulator: " + err.Error()})
	}
	at := occasion{OpCreate, req.OrderID, t.id}
	_, eager := s.takeFault(FaultEagerTerminal, at)
	o := s.open(req, t, sc, eager)
	s.calls.at(req.OrderID).Made++

	expires := s.now().Add(s.opts.TokenTTL)
	if f, ok := s.takeFault(FaultExpiredToken, at); ok {
		expires = s.now().Add(f.Delay)
		if f.Delay > 0 {
			expires = expires.Add(time.Second - 1) // a token's expiry is in whole seconds: rounded up
		}
	}
	streamURL := origin(r) + eventsPath
	if f, ok := s.takeFault(FaultOtherHostStreamURL, at); ok {
		streamURL = f.URL
		if streamURL == "" {
			streamURL = otherOrigin(r) + eventsPath
		}
	}
	return success(map[string]any{
		"order_id":          req.OrderID,
		"session_id":        o.session,
		"payment_url":       origin(r) + "/connect/" + o.session + "/?lang=nl_NL",
		"events_token":      s.sign(o.session, expires),
		"events_stream_url": streamURL,
	})
}
