package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Error codes of the provider that the simulator answers with. The first group
// stands in the provider's documents with this meaning.
const (
	codeUnknown            = 1000 // also "not found"
	codeIncorrectFormat    = 1001
	codeInvalidCurrency    = 1002
	codeInvalidOrderID     = 1006 // already used; and, with 404, not found
	codeInvalidDescription = 1008
	codeNoGateway          = 1023
	codeInvalidAPIKey      = 1032

	// What the provider answers here is not documented; these are the nearest.
	codeUnspecified    = 1014 // cancel of an order that is over
	codeCannotInitiate = 1022 // a second payment on a busy terminal
)

// answer is a whole answer of the order API: what would be sent, before faults.
type answer struct {
	status int
	header http.Header // nil for none besides the content type
	body   any         // marshalled as JSON; a []byte goes out as it is
}

func success(data any) answer {
	return answer{status: http.StatusOK, body: map[string]any{"success": true, "data": data}}
}

// refusal is the provider's usual error.
func refusal(status, code int, info string) answer {
	return answer{status: status, body: map[string]any{
		"success": false, "data": map[string]any{}, "error_code": code, "error_info": info,
	}}
}

// violation is one entry of a 422.
type violation struct {
	Attribute string   `json:"attribute"`
	Details   []string `json:"details"`
	Message   string   `json:"message"`
}

// validationFailure is the provider's 422.
func validationFailure(v ...violation) answer {
	return answer{status: http.StatusUnprocessableEntity, body: map[string]any{
		"success": false, "message": "Validation failure", "errors": v,
	}}
}

func forbidden() answer {
	return answer{status: http.StatusForbidden, body: map[string]any{"message": "Forbidden"}}
}

func notFound() answer { return refusal(http.StatusNotFound, codeInvalidOrderID, "Not found") }

// marshal returns the body's bytes.
func (a answer) marshal() []byte {
	if raw, ok := a.body.([]byte); ok {
		return raw
	}
	b, err := json.Marshal(a.body)
	if err != nil { // bodies are made of plain values
		panic(err)
	}
	return b
}

// send writes the answer.
func (a answer) send(w http.ResponseWriter) {
	body := a.marshal()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	w.Write(body) //nolint:errcheck // the client is gone: nobody is left to be told
}

// bearer returns the token of an Authorization header in either accepted form.
func bearer(header string) string {
	header = strings.TrimSpace(header)
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return header
}
