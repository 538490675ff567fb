package multisafepay

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/posbridge/bridge/schema"
)

type createBody struct {
	Type           string             `json:"type"`
	OrderID        string             `json:"order_id"`
	Gateway        string             `json:"gateway"`
	Currency       string             `json:"currency"`
	Amount         int64              `json:"amount"`
	Description    string             `json:"description"`
	PaymentOptions *paymentOptions    `json:"payment_options,omitempty"`
	Customer       *schema.Customer   `json:"customer,omitempty"`
	CustomInfo     *schema.CustomInfo `json:"custom_info,omitempty"`
	GatewayInfo    gatewayInfo        `json:"gateway_info"`
}

type paymentOptions struct {
	NotificationURL    string `json:"notification_url"`
	NotificationMethod string `json:"notification_method"`
}

type gatewayInfo struct {
	TerminalID string `json:"terminal_id"`
}

// encode writes the body of a create request.
func encode(o schema.StartRequest) ([]byte, error) {
	body := createBody{
		Type:        "redirect",
		OrderID:     o.OrderID,
		Currency:    o.Currency,
		Amount:      o.Amount,
		Description: o.Description,
		GatewayInfo: gatewayInfo{TerminalID: o.TerminalID},
	}
	if o.NotificationURL != "" {
		body.PaymentOptions = &paymentOptions{NotificationURL: o.NotificationURL, NotificationMethod: "POST"}
	}
	if o.Customer != nil && *o.Customer != (schema.Customer{}) {
		body.Customer = o.Customer
	}
	if o.CustomInfo != nil && *o.CustomInfo != (schema.CustomInfo{}) {
		body.CustomInfo = o.CustomInfo
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, fmt.Errorf("encode order: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
