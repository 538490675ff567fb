package multisafepay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/posbridge/bridge/schema"

	"github.com/posbridge/bridge/internal/redact"
)

// Order is a payment to be made on a terminal.
type Order struct {
	OrderID    string
	TerminalID string
	// Amount in the currency's smallest unit.
	Amount int64
	// Currency is an ISO 4217 code.
	Currency    string
	Description string
	// NotificationURL is the provider's webhook target; empty for none.
	NotificationURL string
	// Customer and CustomInfo are passed on; nil for none.
	Customer   *schema.Customer
	CustomInfo *schema.CustomInfo
}

// Created is what the provider answered to a new order.
type Created struct {
	// SessionID is empty when the answer had none.
	SessionID string
	// Stream is zero when the answer had no usable token or URL.
	Stream Stream
}

// OrderState is what the provider answered when asked for an order. Everything
// else of that answer, card data above all, is dropped unread.
type OrderState struct {
	OrderID    string
	TerminalID string
	// Status in lower case.
	Status string
	// FinancialStatus in lower case, empty when there is none.
	FinancialStatus string
	TransactionID   string
	Currency        string
	// Amount in the currency's smallest unit, 0 when the answer had none.
	Amount int64
}

// Bounds of ids in answers, in characters; longer ones are dropped.
const (
	maxSessionID     = 256
	maxTransactionID = 64
	maxTerminalID    = 64
)

// Errors that an answer's content gives rise to.
var (
	errNoOrderID    = errors.New("no order id given")
	errOtherOrder   = errors.New("answer is about another order")
	errNoData       = errors.New("answer holds no data")
	errNoStatus     = errors.New("answer holds no status")
	errTooManyPages = errors.New("list of terminals does not end")
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
func (o Order) encode() ([]byte, error) {
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

// Create puts a new order to the provider, which makes the terminal ring. It is
// sent at most once. After KindLost, KindTimeout, KindUnavailable and a
// KindCancelled that was sent, the order may exist.
func (c *Client) Create(ctx context.Context, key redact.Secret, o Order) (Created, error) {
	r := c.request(OpCreate, http.MethodPost, "/orders", key)
	if o.OrderID == "" {
		return Created{}, &Error{Op: r.op, Kind: KindNonsense, Err: errNoOrderID}
	}
	body, err := o.encode()
	if err != nil {
		return Created{}, &Error{Op: r.op, Kind: KindNonsense, Err: err}
	}
	r.body = body
	a, failed := c.call(ctx, r)
	if failed != nil {
		return Created{}, failed
	}
	return a.created(r, o.OrderID)
}

// created reads the answer to a create request.
func (a answer) created(r request, orderID string) (Created, error) {
	e, failed := a.check(r)
	if failed != nil {
		return Created{}, failed
	}
	var data struct {
		OrderID   json.RawMessage `json:"order_id"`
		SessionID json.RawMessage `json:"session_id"`
		Token     json.RawMessage `json:"events_token"`
		URL       json.RawMessage `json:"events_stream_url"`
		OtherURL  json.RawMessage `json:"event_stream_url"` // the seed page has both names
	}
	if json.Unmarshal(e.data, &data) != nil {
		return Created{}, a.unusable(r, KindLost, errNoData)
	}
	session, _ := text(data.SessionID)
	switch id, _ := text(data.OrderID); {
	case id == orderID:
	case id == "" && session != "" && data.Token != nil: // nothing else is answered so
	case id == "":
		return Created{}, a.unusable(r, KindLost, errNoData)
	default:
		return Created{}, a.unusable(r, KindLost, errOtherOrder)
	}
	streamURL := plainString(data.URL)
	if streamURL == "" {
		streamURL = plainString(data.OtherURL)
	}
	token := strings.Trim(plainString(data.Token), around)
	return Created{
		SessionID: safeID(r.hide.And(redact.NewScrubber(redact.NewSecret(token))), session, maxSessionID),
		Stream:    newStream(streamURL, token),
	}, nil
}

// Get asks for an order.
func (c *Client) Get(ctx context.Context, key redact.Secret, orderID string) (OrderState, error) {
	r := c.request(OpGet, http.MethodGet, "/orders/"+segment(orderID), key)
	a, err := c.aboutOrder(ctx, r, orderID)
	if err != nil {
		return OrderState{}, err
	}
	return a.state(r, orderID)
}

// state reads the answer to a get request.
func (a answer) state(r request, orderID string) (OrderState, error) {
	e, failed := a.check(r)
	if failed != nil {
		return OrderState{}, failed
	}
	var data struct {
		OrderID         json.RawMessage `json:"order_id"`
		Status          json.RawMessage `json:"status"`
		FinancialStatus json.RawMessage `json:"financial_status"`
		TransactionID   json.RawMessage `json:"transaction_id"`
		Currency        json.RawMessage `json:"currency"`
		Amount          json.RawMessage `json:"amount"`
		PaymentDetails  json.RawMessage `json:"payment_details"`
	}
	if json.Unmarshal(e.data, &data) != nil {
		return OrderState{}, a.unusable(r, KindLost, errNoData)
	}
	switch id, _ := text(data.OrderID); id {
	case orderID:
	case "":
		return OrderState{}, a.unusable(r, KindLost, errNoData)
	default:
		return OrderState{}, a.unusable(r, KindNonsense, errOtherOrder)
	}
	s := OrderState{OrderID: orderID}
	var ok bool
	if s.Status, ok = safeStatus(r.hide, plainString(data.Status)); !ok {
		return OrderState{}, a.unusable(r, KindLost, errNoStatus)
	}
	s.FinancialStatus, _ = safeStatus(r.hide, plainString(data.FinancialStatus))
	transaction, _ := text(data.TransactionID)
	s.TransactionID = safeID(r.hide, transaction, maxTransactionID)
	s.Currency = label(plainString(data.Currency), 3)
	s.Amount, _ = integer(data.Amount)
	var details struct {
		TerminalID json.RawMessage `json:"terminal_id"`
	}
	if json.Unmarshal(data.PaymentDetails, &details) == nil {
		terminal, _ := text(details.TerminalID)
		s.TerminalID = label(terminal, maxTerminalID)
	}
	return s, nil
}

// Cancel asks the provider to cancel an order and returns the status that it
// has now, in lower case. After KindLost, KindTimeout, KindUnavailable and a
// KindCancelled that was sent, it may have been cancelled.
func (c *Client) Cancel(ctx context.Context, key redact.Secret, orderID string) (status string, err error) {
	r := c.request(OpCancel, http.MethodPost, "/orders/"+segment(orderID)+"/cancel", key)
	a, err := c.aboutOrder(ctx, r, orderID)
	if err != nil {
		return "", err
	}
	return a.cancelled(r, orderID)
}

// cancelled reads the answer to a cancel request.
func (a answer) cancelled(r request, orderID string) (status string, err error) {
	e, failed := a.check(r)
	if failed != nil {
		return "", failed
	}
	var data struct {
		OrderID json.RawMessage `json:"order_id"`
		Status  json.RawMessage `json:"status"`
	}
	if json.Unmarshal(e.data, &data) != nil {
		return "", a.unusable(r, KindLost, errNoData)
	}
	if id, _ := text(data.OrderID); id != "" && id != orderID {
		return "", a.unusable(r, KindNonsense, errOtherOrder)
	}
	status, ok := safeStatus(r.hide, plainString(data.Status))
	if !ok {
		return "", a.unusable(r, KindLost, errNoStatus)
	}
	return status, nil
}

// aboutOrder makes a request about one order.
func (c *Client) aboutOrder(ctx context.Context, r request, orderID string) (answer, error) {
	if orderID == "" { // the path would be that of all orders
		return answer{}, &Error{Op: r.op, Kind: KindNonsense, Err: errNoOrderID}
	}
	a, failed := c.call(ctx, r)
	if failed != nil {
		return answer{}, failed
	}
	return a, nil
}

// unusable is the error of a yes whose data cannot be used.
func (a answer) unusable(r request, kind Kind, err error) *Error {
	e := a.failure(r, kind, envelope{})
	e.Err = err
	return e
}

// plainString returns a JSON string, "" for anything else.
func plainString(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	s, _ := text(raw)
	return s
}

// segment escapes an order id as one segment of a path. "." and ".." would be
// taken for a step within it.
func segment(orderID string) string {
	if orderID == "." || orderID == ".." {
		return strings.ReplaceAll(orderID, ".", "%2E")
	}
	return url.PathEscape(orderID)
}
