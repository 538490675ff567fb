package simulator

import "time"

// Statuses that the simulator itself gives an order. SetStatus can give any.
const (
	statusInitialized = "initialized"
	statusDeclined    = "declined"
	statusCompleted   = "completed"
	statusCancelled   = "cancelled"
	statusReversed    = "reversed"
)

// isFinal tells whether a status ends a payment.
func isFinal(status string) bool {
	switch status {
	case statusCompleted, statusCancelled, "expired", "void", statusReversed,
		"refunded", "partial_refunded", "chargeback", "chargedback":
		return true
	}
	return false
}

// Event is one status change of an order, as its event stream tells it.
type Event struct {
	Status          string    `json:"status"`
	FinancialStatus string    `json:"financial_status"`
	At              time.Time `json:"at"`
	// TransactionID at that time: a step-up is a transaction of its own.
	TransactionID int64 `json:"transaction_id"`
}
