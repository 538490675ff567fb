package orders

import "time"

// Event is one status change of an order, as its event stream tells it.
type Event struct {
	Status          string    `json:"status"`
	FinancialStatus string    `json:"financial_status"`
	At              time.Time `json:"at"`
	// TransactionID at that time: a step-up is a transaction of its own.
	TransactionID int64 `json:"transaction_id"`
}
