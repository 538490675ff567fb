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
	OrderID    string
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
		Created         json.RawMessage `json:"created"`
		PaymentDetails  json.RawMessage `json:"payment_details"`
	}
	if json.Unmarshal(e.data, &data) != nil {
		return OrderState{}, a.unusable(r, KindLost, errNoData)
	}
	if err := whose(data.OrderID, orderID); err != nil {
		return OrderState{}, a.foreign(r, err)
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
