// Package wire is the provider's HTTP as far as the order API, the streams and the
// notifications share it: addresses, bodies, answers, and how faults spoil them.
package wire

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/journal"
)

// Error codes of the provider that the simulator answers with. The first group
// stands in the provider's documents with this meaning.
const (
	CodeUnknown            = 1000 // also "not found"
	CodeIncorrectFormat    = 1001
	CodeInvalidCurrency    = 1002
	CodeInvalidOrderID     = 1006 // already used; and, with 404, not found
	CodeInvalidDescription = 1008
	CodeNoGateway          = 1023
	CodeInvalidAPIKey      = 1032

	// What the provider answers here is not documented; these are the nearest.
	CodeUnspecified    = 1014 // cancel of an order that is over
	CodeCannotInitiate = 1022 // a second payment on a busy terminal
)

// Answer is a whole answer of the order API: what would be sent, before faults.
type Answer struct {
	Status int
	header http.Header // nil for none besides the content type
	Body   any         // marshalled as JSON; a []byte goes out as it is
}

// Success is the provider's usual answer.
func Success(data any) Answer {
	return Answer{Status: http.StatusOK, Body: map[string]any{"success": true, "data": data}}
}

// Refusal is the provider's usual error.
func Refusal(status, code int, info string) Answer {
	return Answer{Status: status, Body: map[string]any{
		"success": false, "data": map[string]any{}, "error_code": code, "error_info": info,
	}}
}

// Violation is one entry of a 422.
type Violation struct {
	Attribute string   `json:"attribute"`
	Details   []string `json:"details"`
	Message   string   `json:"message"`
}

// NewViolation says what is wrong with a field of a request.
func NewViolation(attribute, value, message string) Violation {
	return Violation{attribute, []string{journal.Clip(value, 64)}, message}
}

// ValidationFailure is the provider's 422.
func ValidationFailure(v ...Violation) Answer {
	return Answer{Status: http.StatusUnprocessableEntity, Body: map[string]any{
		"success": false, "message": "Validation failure", "errors": v,
	}}
}

// Forbidden is the answer to a key of another group.
func Forbidden() Answer {
	return Answer{Status: http.StatusForbidden, Body: map[string]any{"message": "Forbidden"}}
}

// NotFound is the answer to an order id that is no order's.
func NotFound() Answer { return Refusal(http.StatusNotFound, CodeInvalidOrderID, "Not found") }

// Marshal returns the body's bytes.
func (a Answer) Marshal() []byte {
	if raw, ok := a.Body.([]byte); ok {
		return raw
	}
	b, err := json.Marshal(a.Body)
	if err != nil { // bodies are made of plain values
		panic(err)
	}
	return b
}

// Send writes the answer.
func (a Answer) Send(w http.ResponseWriter) {
	body := a.Marshal()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.Status)
	w.Write(body) //nolint:errcheck // the client is gone: nobody is left to be told
}

// Bearer returns the token of an Authorization header in either accepted form.
func Bearer(header string) string {
	header = strings.TrimSpace(header)
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return header
}
