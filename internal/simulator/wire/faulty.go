package wire

import (
	"cmp"
	"net/http"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// FaultRefusal is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func FaultRefusal(f fault.Fault) Answer {
	f.Status = cmp.Or(f.Status, http.StatusInternalServerError)
	f.ErrorCode = cmp.Or(f.ErrorCode, CodeUnknown)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Simulated fault")
	a := Refusal(f.Status, f.ErrorCode, f.ErrorInfo)
	switch f.Mode {
	case fault.ShapeList:
		a.Body.(map[string]any)["data"] = []any{}
	case fault.ShapeMessage:
		a.Body = map[string]any{"message": f.ErrorInfo}
	case fault.ShapeValidation:
		a.Body = ValidationFailure(Violation{"gateway_info.terminal_id", []string{f.ErrorInfo}, f.ErrorInfo}).Body
	}
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// BusyTerminal is the answer of busy_terminal.
func BusyTerminal(f fault.Fault, terminal string) Answer {
	standard := map[string]int{"": http.StatusConflict, fault.ShapeUsual: http.StatusBadRequest, fault.ShapeValidation: http.StatusUnprocessableEntity}[f.Mode]
	f.Status = cmp.Or(f.Status, standard, http.StatusConflict)
	f.ErrorCode = cmp.Or(f.ErrorCode, CodeCannotInitiate)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Cannot initiate transaction: another payment is open on terminal "+terminal)
	return FaultRefusal(f)
}

// Redirection is the answer of redirect.
func Redirection(f fault.Fault, r *http.Request) Answer {
	f.Status = cmp.Or(f.Status, http.StatusTemporaryRedirect)
	f.URL = cmp.Or(f.URL, OtherOrigin(r)+TrapPath)
	return Answer{
		Status: f.Status, header: http.Header{"Location": {f.URL}},
		Body: map[string]any{"message": "Moved"},
	}
}
