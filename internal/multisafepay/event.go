package multisafepay

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/posbridge/bridge/subjects"

	"github.com/posbridge/bridge/internal/redact"
)

// orderEventType is the one type of event that is of interest.
const orderEventType = "session.order"

// maxInvalidData is the longest InvalidEvent.Data, in bytes.
const maxInvalidData = 4 << 10

// maxDocuments bounds the JSON documents that are read of one event.
const maxDocuments = 64

// StreamEvent is one JSON document of an event stream: understood or not.
type StreamEvent struct {
	// Type of the server-sent event.
	Type string
	// Order is the document, when it was understood.
	Order *OrderEvent
	// Invalid is what could not be understood, else nil.
	Invalid *InvalidEvent
}

// OrderEvent is the news of an order.
type OrderEvent struct {
	// OrderID has passed subjects.CheckOrder; it need not be the order that was asked about.
	OrderID string
	// SessionID is empty when there was none.
	SessionID string
	// Status in lower case, 1 to 64 of a-z 0-9 _ - and blanks.
	Status string
	// FinancialStatus in lower case, empty when there was none.
	FinancialStatus string
	// TransactionID is empty when there was none.
	TransactionID string
}

// InvalidEvent is what could not be understood.
type InvalidEvent struct {
	// Reason in a few words of our own.
	Reason string
	// Data is what came, at most 4 KiB, secrets and card numbers removed.
	Data string
}

// What can be wrong with a document.
var (
	errNotJSON       = errors.New("data is not JSON")
	errNotObject     = errors.New("data is not a JSON object")
	errManyDocuments = errors.New("too many JSON documents in one event")
	errEventOrder    = errors.New("order_id: want a string that is an order id")
	errEventStatus   = errors.New("status: want a string of 1 to 64 letters, digits, blanks, dashes and underscores")
	errEventSession  = errors.New("session_id: want a string")
	errEventFinance  = errors.New("financial_status: want a string")
	errEventTransact = errors.New("transaction_id: want a string or a number")
)

// orderEvents yields the documents in the data of one event: those that were
// understood, and what was not. Empty data yields nothing. hide knows what must
// not be shown.
func orderEvents(data string, hide func() redact.Scrubber) iter.Seq[StreamEvent] {
	return func(yield func(StreamEvent) bool) {
		invalid := func(err error, what string) bool {
			return yield(StreamEvent{Type: orderEventType, Invalid: &InvalidEvent{
				Reason: err.Error(),
				Data:   redact.Cut(hide().Text(what), maxInvalidData),
			}})
		}
		d := json.NewDecoder(strings.NewReader(data))
		for n, from := 0, int64(0); ; n++ {
			var doc json.RawMessage
			err := d.Decode(&doc)
			rest := strings.TrimSpace(data[from:])
			switch {
			case err == io.EOF: //nolint:errorlint // the decoder's own end, unwrapped
				return
			case err != nil:
				invalid(errNotJSON, rest)
				return
			case n == maxDocuments:
				invalid(errManyDocuments, rest)
				return
			}
			from = d.InputOffset()
			order, err := parseOrderEvent(doc, hide)
			if err != nil {
				if !invalid(err, string(doc)) {
					return
				}
				continue
			}
			if !yield(StreamEvent{Type: orderEventType, Order: &order}) {
				return
			}
		}
	}
}

// parseOrderEvent reads one document. Names are matched exactly; a name that
// stands twice counts as it stands last. An id or a status that holds a secret counts as none.
func parseOrderEvent(doc []byte, hide func() redact.Scrubber) (OrderEvent, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(doc, &fields) != nil || fields == nil {
		return OrderEvent{}, errNotObject
	}
	var e OrderEvent
	if e.OrderID = plainString(fields["order_id"]); subjects.CheckOrder(e.OrderID) != nil {
		return OrderEvent{}, errEventOrder
	}
	secrets := hide()
	var ok bool
	if e.Status, ok = safeStatus(secrets, plainString(fields["status"])); !ok {
		return OrderEvent{}, errEventStatus
	}
	session, ok := optionalString(fields["session_id"])
	if !ok {
		return OrderEvent{}, errEventSession
	}
	e.SessionID = safeID(secrets, session, maxSessionID)
	financial, ok := optionalString(fields["financial_status"])
	if !ok {
		return OrderEvent{}, errEventFinance
	}
	e.FinancialStatus, _ = safeStatus(secrets, financial)
	transaction, ok := text(fields["transaction_id"])
	if !ok {
		return OrderEvent{}, errEventTransact
	}
	e.TransactionID = safeID(secrets, transaction, maxTransactionID)
	return e, nil
}

// optionalString returns a JSON string, "" for nothing and null; ok is false
// for anything else.
func optionalString(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	return plainString(raw), raw[0] == '"'
}
