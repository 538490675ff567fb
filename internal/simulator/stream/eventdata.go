package stream

import (
	"encoding/json"
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/orders"
)

// eventData is what the stream says of an order: in the order of the provider's
// example, the transaction id as text.
type eventData struct {
	FinancialStatus string `json:"financial_status"`
	OrderID         string `json:"order_id"`
	Padding         string `json:"padding,omitempty"` // of a huge event
	SessionID       string `json:"session_id"`
	Status          string `json:"status"`
	TransactionID   string `json:"transaction_id"`
}

func eventOf(o *orders.Order, e orders.Event) eventData {
	return eventData{
		FinancialStatus: e.FinancialStatus, OrderID: o.ID(), SessionID: o.Session,
		Status: e.Status, TransactionID: strconv.FormatInt(e.TransactionID, 10),
	}
}

func (d eventData) String() string {
	b, err := json.Marshal(d)
	if err != nil { // strings only
		panic(err)
	}
	return string(b)
}
