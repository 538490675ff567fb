package scenario

// Statuses that the simulator itself gives an order. SetStatus can give any.
const (
	StatusInitialized = "initialized"
	StatusDeclined    = "declined"
	StatusCompleted   = "completed"
	StatusCancelled   = "cancelled"
	StatusReversed    = "reversed"
)

// IsFinal tells whether a status ends a payment.
func IsFinal(status string) bool {
	switch status {
	case StatusCompleted, StatusCancelled, "expired", "void", StatusReversed,
		"refunded", "partial_refunded", "chargeback", "chargedback":
		return true
	}
	return false
}
