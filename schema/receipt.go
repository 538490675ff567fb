package schema

// ReceiptReply is what the provider has for a printed receipt of an order. The
// bridge neither stores nor logs it.
type ReceiptReply struct {
	OrderID    string  `json:"order_id"`
	TerminalID string  `json:"terminal_id"`
	Receipt    Receipt `json:"receipt"`
}

// Receipt holds the fields of the provider's receipt that are passed on; all
// others are dropped. A string that the provider did not send is absent. Times
// are as the provider writes them, which is local time without a zone.
type Receipt struct {
	Merchant ReceiptMerchant `json:"merchant"`
	Order    ReceiptOrder    `json:"order"`
	Payment  ReceiptPayment  `json:"payment"`
	// Related are the refunds and reversals of the order; empty when there are none.
	Related []ReceiptTransaction `json:"related_transactions"`
	// PrintedOn is when the provider wrote the receipt.
	PrintedOn string `json:"printed_on,omitempty"`
}

// ReceiptMerchant is the head of a receipt.
type ReceiptMerchant struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// ReceiptOrder is what was sold.
type ReceiptOrder struct {
	// Amount that was charged, with the tip, in the currency's smallest unit.
	Amount int64 `json:"amount"`
	// AmountRefunded is the part of Amount that was given back.
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"`
	// Tip is the part of Amount that the customer added; 0 when there is none.
	Tip             int64         `json:"tip"`
	Items           []ReceiptItem `json:"items"`
	Status          string        `json:"status,omitempty"`
	FinancialStatus string        `json:"financial_status,omitempty"`
	TransactionID   string        `json:"transaction_id,omitempty"`
	Created         string        `json:"created,omitempty"`
	Completed       string        `json:"completed,omitempty"`
}

// ReceiptItem is one line of what was sold.
type ReceiptItem struct {
	Name string `json:"name"`
	// Quantity is a decimal number as the provider writes it, such as "2" or "0.5".
	Quantity string `json:"quantity,omitempty"`
	// UnitPrice and Price (of the whole line) are in the currency's smallest unit.
	UnitPrice int64 `json:"unit_price"`
	Price     int64 `json:"price"`
}

// ReceiptPayment is how it was paid: the lines that a card receipt must have.
type ReceiptPayment struct {
	// Method such as MASTERCARD.
	Method string `json:"payment_method,omitempty"`
	// Last4 are the last four digits of the card number. No other digit of it is
	// ever passed on.
	Last4 string `json:"last4,omitempty"`
	// EntryMode is how the card was read, such as ICC_CONTACTLESS.
	EntryMode string `json:"card_entry_mode,omitempty"`
	// Verification is how the cardholder was verified, such as NO_CVM.
	Verification string `json:"cardholder_verification_method,omitempty"`
	// ApplicationID is the EMV application of the card (AID), in hexadecimal digits.
	ApplicationID     string `json:"application_id,omitempty"`
	AuthorizationCode string `json:"authorization_code,omitempty"`
	ResponseCode      string `json:"response_code,omitempty"`
	TerminalID        string `json:"terminal_id,omitempty"`
}

// ReceiptTransaction is a refund or a reversal of the order.
type ReceiptTransaction struct {
	// Type such as refund.
	Type string `json:"type,omitempty"`
	// Amount in the smallest unit of Currency.
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency,omitempty"`
	Status        string `json:"status,omitempty"`
	TransactionID string `json:"transaction_id,omitempty"`
	Created       string `json:"created,omitempty"`
}
