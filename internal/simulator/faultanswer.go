package simulator

import (
	"cmp"
	"net/http"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// refusalOf is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func refusalOf(f fault.Fault) answer {
	f.Status = cmp.Or(f.Status, http.StatusInternalServerError)
	f.ErrorCode = cmp.Or(f.ErrorCode, codeUnknown)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Simulated fault")
	a := refusal(f.Status, f.ErrorCode, f.ErrorInfo)
	switch f.Mode {
	case fault.ShapeList:
		a.body.(map[string]any)["data"] = []any{}
	case fault.ShapeMessage:
		a.body = map[string]any{"message": f.ErrorInfo}
	case fault.ShapeValidation:
		a.body = validationFailure(violation{"gateway_info.terminal_id", []string{f.ErrorInfo}, f.ErrorInfo}).body
	}
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// busyTerminal is the answer of busy_terminal.
func busyTerminal(f fault.Fault, terminal string) answer {
	standard := map[string]int{"": http.StatusConflict, fault.ShapeUsual: http.StatusBadRequest, fault.ShapeValidation: http.StatusUnprocessableEntity}[f.Mode]
	f.Status = cmp.Or(f.Status, standard, http.StatusConflict)
	f.ErrorCode = cmp.Or(f.ErrorCode, codeCannotInitiate)
	f.ErrorInfo = cmp.Or(f.ErrorInfo, "Cannot initiate transaction: another payment is open on terminal "+terminal)
	return refusalOf(f)
}

// redirection is the answer of redirect.
func redirection(f fault.Fault, r *http.Request) answer {
	f.Status = cmp.Or(f.Status, http.StatusTemporaryRedirect)
	f.URL = cmp.Or(f.URL, otherOrigin(r)+trapPath)
	return answer{
		status: f.Status, header: http.Header{"Location": {f.URL}},
		body: map[string]any{"message": "Moved"},
	}
}
