package orders

// Request is what POST orders understands. Unknown fields are ignored, as
// the provider does.
type Request struct {
	Type           string         `json:"type"`
	OrderID        string         `json:"order_id"`
	Currency       string         `json:"currency"`
	Amount         int64          `json:"amount"`
	Description    string         `json:"description"`
	PaymentOptions paymentOptions `json:"payment_options"`
	Customer       CustomerData   `json:"customer"`
	CustomInfo     customInfo     `json:"custom_info"`
	GatewayInfo    struct {
		TerminalID string `json:"terminal_id"`
	} `json:"gateway_info"`
}

type paymentOptions struct {
	NotificationURL    string `json:"notification_url"`
	NotificationMethod string `json:"notification_method"`
}

// CustomerData is what the requester says of the customer.
type CustomerData struct {
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

// MaxAmount is the provider's limit, in the smallest unit.
const MaxAmount = 999_999_999
