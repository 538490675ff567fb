package processtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The bus as the contract describes it. Nothing here comes from the bridge's own
// packages: whoever checks must be able to disagree.
const (
	statusSubjects = "pos.*.*.status"
	statusStream   = "POS_STATUS"
	sessionStream  = "POS_SESSIONS"
)

// event is the body of a status event as the contract lists it.
type event struct {
	OrderID         string     `json:"order_id"`
	TerminalID      string     `json:"terminal_id"`
	SessionID       string     `json:"session_id"`
	TransactionID   *string    `json:"transaction_id"`
	Status          string     `json:"status"`
	FinancialStatus *string    `json:"financial_status"`
	PreviousStatus  *string    `json:"previous_status"`
	Final           *bool      `json:"final"`
	Sequence        int        `json:"sequence"`
	Source          string     `json:"source"`
	Amount          int64      `json:"amount"`
	AmountCharged   int64      `json:"amount_charged"`
	Currency        string     `json:"currency"`
	ObservedAt      *time.Time `json:"observed_at"`
}

// complete reports whether all fields are there that always must be.
func (e event) complete() bool {
	return e.TransactionID != nil && e.FinancialStatus != nil && e.PreviousStatus != nil && e.Final != nil && e.ObservedAt != nil
}

// message is a status event that came over the bus.
type message struct {
	subject, id, body string // id is the Nats-Msg-Id
	event             event
	at                time.Time
}

func messageOf(subject string, header nats.Header, body []byte) (message, error) {
	m := message{subject: subject, id: header.Get("Nats-Msg-Id"), body: string(body), at: time.Now()}
	if err := json.Unmarshal(body, &m.event); err != nil {
		return m, fmt.Errorf("read event on %s: %w", subject, err)
	}
	return m, nil
}

// same reports whether two messages are one: a repetition, not another event.
func (m message) same(other message) bool {
	return m.subject == other.subject && m.id == other.id && m.body == other.body
}

// orderToken is an order id as one token of a subject.
func orderToken(order string) string {
	return strings.NewReplacer(".", "%2E", "/", "%2F").Replace(order)
}

// endsPayment reports the final statuses of the contract.
func endsPayment(status string) bool {
	switch status {
	case "completed", "cancelled", "expired", "void", "unresolved", "not_created",
		"reversed", "refunded", "partial_refunded", "chargeback", "chargedback":
		return true
	}
	return false
}

func statusesOf(messages []message) (statuses []string) {
	for _, m := range messages {
		statuses = append(statuses, m.event.Status)
	}
	return statuses
}

// contents is what the status stream holds.
type contents struct {
	statuses []message
	claims   map[string]int // how many by subject
	invalid  []string
}

// add takes one message of the stream.
func (c *contents) add(m jetstream.Msg) error {
	switch subject := m.Subject(); subject[strings.LastIndexByte(subject, '.')+1:] {
	case "status":
		read, err := messageOf(subject, m.Headers(), m.Data())
		c.statuses = append(c.statuses, read)
		return err
	case "claim":
		c.claims[subject]++
	case "invalid":
		c.invalid = append(c.invalid, fmt.Sprintf("%s: %s", subject, m.Data()))
	default:
		return fmt.Errorf("unexpected subject %s in %s", subject, statusStream)
	}
	return nil
}
