package multisafepay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// orderEventType is the type that the provider documents for news of an order.
const orderEventType = "session.order"

// Bounds of an event.
const (
	// maxDocuments bounds the JSON documents that are read of one event.
	maxDocuments = 64
	// maxInvalidData is the longest InvalidEvent.Data, in bytes.
	maxInvalidData = 4 << 10
	// maxEventID and maxEventType are the longest of each, in characters.
	maxEventID   = 256
	maxEventType = 64
)

// StreamEvent is one thing that an event stream said. Exactly one of Order,
// Invalid, Foreign and Other is set.
type StreamEvent struct {
	// ID is the event's own id, "" when it has none. When an event says several
	// things, the last one of them has the id: only then is it dealt with.
	ID string
	// Type is the event's, or that of the envelope within it; "message" for none.
	Type string
	// Order is the news of the order.
	Order *OrderEvent
	// Invalid is what should have been news and could not be understood.
	Invalid *InvalidEvent
	// Foreign is the order that the event is about when it is not the one whose
	// events are wanted.
	Foreign string
	// Other is the type of an event that tells no status, as a label: one of a few
	// known types, else "other". Ask is set when it named the order all the same: whoever
	// follows should ask for it.
	Other string
	Ask   bool
}

// OrderEvent is the news of an order.
type OrderEvent struct {
	// OrderID has passed subjects.CheckOrder.
	OrderID string
	// SessionID is empty when there was none.
	SessionID string
	// Status in lower case, 1 to 64 of a-z 0-9 _ - and blanks.
	Status string
	// FinancialStatus in lower case, empty when there was none.
	FinancialStatus string
	// TransactionID is empty when there was none.
	TransactionID string
	// Amount in the currency's smallest unit, 0 when there was none.
	Amount int64
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
	errEventOrder    = errors.New("order_id must be a string with an order id")
	errEventStatus   = errors.New("status must be a string of 1 to 64 letters, digits, blanks, dashes and underscores")
	errEventSession  = errors.New("session_id must be a string")
	errEventFinance  = errors.New("financial_status must be a string")
	errEventTransact = errors.New("transaction_id must be a string or a number")
)

// eventReader understands the events of one connection.
type eventReader struct {
	// order is the one whose events are wanted, "" for every order's.
	order string
	// hide knows what must not be shown.
	hide func() redact.Scrubber
	// lastID is the id of the event before.
	lastID string
}

// read returns what an event says. id is the last one of the connection, which
// need not be the event's own. Empty data says nothing.
func (r *eventReader) read(typ, id, data string) []StreamEvent {
	own := id != r.lastID
	r.lastID = id
	w := walk{eventReader: r}
	w.text(typ, data)
	if own && len(w.found) > 0 && len(id) <= maxEventID && sendable(id) && !r.hide().Holds(id) {
		w.found[len(w.found)-1].ID = id
	}
	return w.found
}

// walk goes through the data of one event.
type walk struct {
	*eventReader
	found []StreamEvent
	// documents counts the JSON documents so far; full is true when there were too many.
	documents int
	full      bool
}

// text reads the JSON documents in a text, one after the other.
func (w *walk) text(typ, data string) {
	if doc := []byte(strings.TrimSpace(data)); w.object(typ, doc, nesting{}) {
		return // as a rule there is one
	}
	d := json.NewDecoder(strings.NewReader(data))
	for from := int64(0); !w.full; {
		var doc json.RawMessage
		err := d.Decode(&doc)
		rest := strings.TrimSpace(data[from:])
		switch {
		case err == io.EOF: //nolint:errorlint // the decoder's own end, unwrapped
			return
		case err != nil:
			w.notUnderstood(typ, errNotJSON, rest)
			return
		case w.documents == maxDocuments:
			w.notUnderstood(typ, errManyDocuments, rest)
			return
		}
		from = d.InputOffset()
		w.document(typ, doc, nesting{})
	}
}

// nesting is what a document was found in.
type nesting struct{ lists, envelopes int }

// document reads one JSON document: news, a list of news, or one envelope
// ({type, data} or {type, channel, payload}) around either.
func (w *walk) document(typ string, doc json.RawMessage, within nesting) {
	var list []json.RawMessage
	if doc[0] == '[' && within.lists < 2 && json.Unmarshal(doc, &list) == nil {
		within.lists++
		if len(list) == 0 {
			w.notUnderstood(typ, errNotObject, string(doc))
		}
		for _, entry := range list {
			if w.full {
				return
			}
			w.document(typ, entry, within)
		}
		return
	}
	switch {
	case w.documents >= maxDocuments:
		w.full = true
		w.notUnderstood(typ, errManyDocuments, string(doc))
	case !w.object(typ, doc, within):
		w.documents++
		w.notUnderstood(typ, errNotObject, string(doc))
	}
}

// object reads a JSON object, and reports whether doc is one.
func (w *walk) object(typ string, doc []byte, within nesting) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(doc, &fields) != nil || fields == nil {
		return false
	}
	w.documents++
	if inner := envelopeContent(fields); inner != nil && within.envelopes == 0 {
		within.envelopes++
		if own := plainString(fields["type"]); own != "" && typ != orderEventType {
			typ = own
		}
		w.document(typ, inner, within)
		return true
	}
	w.order(typ, doc, fields)
	return true
}

// envelopeContent returns what an envelope is around, nil when it is none.
func envelopeContent(fields map[string]json.RawMessage) json.RawMessage {
	if fields["order_id"] != nil || fields["status"] != nil {
		return nil
	}
	for _, name := range []string{"data", "payload"} {
		inner := bytes.TrimSpace(fields[name])
		if s := plainString(inner); s != "" && json.Valid([]byte(s)) { // JSON in a string
			inner = bytes.TrimSpace([]byte(s))
		}
		if len(inner) > 0 && (inner[0] == '{' || inner[0] == '[') {
			return inner
		}
	}
	return nil
}

// order reads an object that should be news of an order.
func (w *walk) order(typ string, doc []byte, fields map[string]json.RawMessage) {
	id := plainString(fields["order_id"])
	if subjects.CheckOrder(id) != nil {
		w.notUnderstood(typ, errEventOrder, string(doc))
		return
	}
	if w.eventReader.order != "" {
		switch err := whose(fields["order_id"], w.eventReader.order); {
		case errors.Is(err, errOtherOrder):
			w.add(typ, StreamEvent{Foreign: id})
			return
		case err != nil:
			w.notUnderstood(typ, err, string(doc))
			return
		}
	}
	if typ != orderEventType && fields["status"] == nil {
		w.add(typ, StreamEvent{Other: typeLabel(typ), Ask: true})
		return
	}
	event, err := newOrderEvent(id, fields, w.hide())
	if err != nil {
		w.invalid(typ, err, string(doc))
		return
	}
	w.add(typ, StreamEvent{Order: &event})
}

// newOrderEvent reads the fields of one document. Names are matched exactly; a
// name that occurs twice counts as it occurs last. An id or a status that holds
// a secret counts as none.
func newOrderEvent(id string, fields map[string]json.RawMessage, hide redact.Scrubber) (OrderEvent, error) {
	e := OrderEvent{OrderID: id}
	var ok bool
	if e.Status, ok = safeStatus(hide, plainString(fields["status"])); !ok {
		return OrderEvent{}, errEventStatus
	}
	session, ok := text(fields["session_id"])
	if !ok {
		return OrderEvent{}, errEventSession
	}
	e.SessionID = safeID(hide, session, maxSessionID)
	financial, ok := optionalString(fields["financial_status"])
	if !ok {
		return OrderEvent{}, errEventFinance
	}
	e.FinancialStatus, _ = safeStatus(hide, financial)
	transaction, ok := text(fields["transaction_id"])
	if !ok {
		return OrderEvent{}, errEventTransact
	}
	e.TransactionID = safeID(hide, transaction, maxTransactionID)
	e.Amount = amount(fields["amount"])
	return e, nil
}

// notUnderstood adds what is no news: invalid if it should have been, because of
// its type or because it names the order, else of another type.
func (w *walk) notUnderstood(typ string, err error, what string) {
	if typ == orderEventType || w.eventReader.order != "" && strings.Contains(what, w.eventReader.order) {
		w.invalid(typ, err, what)
		return
	}
	w.add(typ, StreamEvent{Other: typeLabel(typ)})
}

func (w *walk) invalid(typ string, err error, what string) {
	w.add(typ, StreamEvent{Invalid: &InvalidEvent{
		Reason: err.Error(),
		Data:   redact.Cut(w.hide().Text(what), maxInvalidData),
	}})
}

func (w *walk) add(typ string, e StreamEvent) {
	switch typ {
	case orderEventType:
		e.Type = typ
	case "":
		e.Type = "message"
	default:
		e.Type = safeID(w.hide(), typ, maxEventType)
		if e.Type == "" || redact.HoldsCardNumber(e.Type) {
			e.Type = otherType
		}
	}
	w.found = append(w.found, e)
}

// otherType is the label of a type that is not known.
const otherType = "other"

// typeLabel returns the label of an event's type.
func typeLabel(typ string) string {
	switch typ {
	case "":
		return "message"
	case orderEventType, "session.qr", "order.updated", "message", "ping", "heartbeat", "keepalive", "error":
		return typ
	}
	return otherType
}

// optionalString returns a JSON string, "" for nothing and null; ok is false
// for anything else.
func optionalString(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	return plainString(raw), raw[0] == '"'
}
