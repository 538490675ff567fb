package simulator

import "net/http"

// refusal is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func (f Fault) refusal() answer {
	fill(&f.Status, http.StatusInternalServerError)
	fill(&f.ErrorCode, codeUnknown)
	fill(&f.ErrorInfo, "Simulated fault")
	a := refusal(f.Status, f.ErrorCode, f.ErrorInfo)
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
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
