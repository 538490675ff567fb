package simulator

import "net/http"

// refusal is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func (f Fault) refusal() answer {
	fill(&f.Status, http.StatusInternalServerError)
	fill(&f.ErrorCode, codeUnknown)
	fill(&f.ErrorInfo, "Simulated fault")
	a := refusal(f.Status, f.ErrorCode, f.ErrorInfo)
	switch f.Mode {
	case ShapeList:
		a.body.(map[string]any)["data"] = []any{}
	case ShapeMessage:
		a.body = map[string]any{"message": f.ErrorInfo}
	case ShapeValidation:
		a.body = validationFailure(violation{"gateway_info.terminal_id", []string{f.ErrorInfo}, f.ErrorInfo}).body
	}
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// busy is the answer of busy_terminal.
func (f Fault) busy(terminal string) answer {
	standard := map[string]int{"": http.StatusConflict, ShapeUsual: http.StatusBadRequest, ShapeValidation: http.StatusUnprocessableEntity}[f.Mode]
	fill(&f.Status, standard)
	fill(&f.Status, http.StatusConflict)
	fill(&f.ErrorCode, codeCannotInitiate)
	fill(&f.ErrorInfo, "Cannot initiate transaction: another payment is open on terminal "+terminal)
	return f.refusal()
}

// redirection is the answer of redirect.
func (f Fault) redirection(r *http.Request) answer {
	fill(&f.Status, http.StatusTemporaryRedirect)
	fill(&f.URL, otherOrigin(r)+trapPath)
	return answer{
		status: f.Status, header: http.Header{"Location": {f.URL}},
		body: map[string]any{"message": "Moved"},
	}
}
