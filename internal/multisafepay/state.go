package multisafepay

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// OrderState is what the provider answered when asked for an order. Everything
// else of that answer, card data above all, is dropped unread.
type OrderState struct {
	TerminalID string
	// Status in lower case.
	Status string
	// FinancialStatus in lower case, empty when there is none.
	FinancialStatus string
	TransactionID   string
	Currency        string
	// Amount in the currency's smallest unit as the provider reports it: with a tip
	// that the customer added, or less than asked for after a partial approval. 0
	// when the answer had none.
	Amount int64
	// Created is zero when the answer did not say, or not in which time zone.
	Created time.Time
	// CreatedAbout is Created; without a time zone it is at most 14 hours off.
	CreatedAbout time.Time
}

// Get asks for an order. KindNotFound means that the provider does not have it;
// the provider also answers to its own numeric ids, so an answer about another
// order means the same.
func (c *Client) Get(ctx context.Context, key redact.Secret, orderID string) (OrderState, error) {
	a, err := c.calls.call(ctx, c.request(OpGet, http.MethodGet, "/orders/"+segment(orderID), orderID, key))
	if err != nil {
		return OrderState{}, err
	}
	return a.state()
}

// state reads the answer to a get request.
func (a answer) state() (OrderState, error) {
	var data struct {
		OrderID         json.RawMessage `json:"order_id"`
		Status          json.RawMessage `json:"status"`
		FinancialStatus json.RawMessage `json:"financial_status"`
		TransactionID   json.RawMessage `json:"transaction_id"`
		Currency        json.RawMessage `json:"currency"`
		Amount          json.RawMessage `json:"amount"`
		Created         json.RawMessage `json:"created"`
		PaymentDetails  json.RawMessage `json:"payment_details"`
	}
	if json.Unmarshal(a.data, &data) != nil {
		return OrderState{}, a.unusable(KindLost, errNoData)
	}
	if err := whose(data.OrderID, a.order); err != nil {
		return OrderState{}, a.foreign(err)
	}
	var s OrderState
	var ok bool
	if s.Status, ok = safeStatus(a.hide, plainString(data.Status)); !ok {
		return OrderState{}, a.unusable(KindLost, errNoStatus)
	}
	s.FinancialStatus, _ = safeStatus(a.hide, plainString(data.FinancialStatus))
	transaction, _ := text(data.TransactionID)
	s.TransactionID = safeID(a.hide, transaction, maxTransactionID)
	s.Currency = label(plainString(data.Currency), 3)
	s.Amount = amount(data.Amount)
	s.Created, s.CreatedAbout = instant(data.Created), about(data.Created)
	var details struct {
		TerminalID json.RawMessage `json:"terminal_id"`
	}
	if json.Unmarshal(data.PaymentDetails, &details) == nil {
		terminal, _ := text(details.TerminalID)
		s.TerminalID = label(terminal, maxTerminalID)
	}
	return s, nil
}
