package simulator

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// hang keeps the client waiting until it leaves.
func (s *Simulator) hang(r *http.Request) {
	timer := time.NewTimer(maxDelay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-s.ctx.Done():
	case <-timer.C:
	}
	panic(http.ErrAbortHandler)
}

// loseAnswer makes sure that the client does not learn what became of its call.
func (s *Simulator) loseAnswer(w http.ResponseWriter, r *http.Request, f *Fault, a answer) {
	mode := f.Mode
	if mode == "" {
		mode = LoseByCut
		if f.Status != 0 {
			mode = LoseByStatus
		}
	}
	if a.body == nil { // it was not even done
		a = success(map[string]any{"order_id": "", "session_id": "", "events_token": "", "events_stream_url": ""})
	}
	switch mode {
	case LoseByStatus:
		lost := *f
		lost.refusal().send(w)
	case LoseByBroken:
		body := a.marshal()
		answer{status: http.StatusOK, body: body[:len(body)/2]}.send(w)
	case LoseByEmpty:
		answer{status: http.StatusOK, body: []byte{}}.send(w)
	case LoseByHTML:
		answer{
			status: http.StatusOK, header: http.Header{"Content-Type": {"text/html"}},
			body: []byte("<!doctype html><title>Just a moment</title><p>Checking your browser.</p>"),
		}.send(w)
	case LoseByHuge:
		size := f.Size
		fill(&size, 16<<20)
		s.pour(w, r, `{"success":true,"data":{"padding":"`, size, `"}}`)
	case LoseByEndless:
		s.pour(w, r, `{"success":true,"data":{"padding":"`, maxBodySize, "")
		panic(http.ErrAbortHandler)
	case LoseByHang:
		s.hang(r)
	default:
		panic(http.ErrAbortHandler)
	}
}

// pour writes a body of size bytes between head and tail, as long as somebody
// takes it.
func (s *Simulator) pour(w http.ResponseWriter, r *http.Request, head string, size int, tail string) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := io.WriteString(w, head); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 32<<10))
	for left := size; left > 0; left -= len(chunk) {
		if r.Context().Err() != nil || s.ctx.Err() != nil {
			return
		}
		if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
	io.WriteString(w, tail) //nolint:errcheck // the client is gone: nobody is left to be told
}

// refusal is the answer of fail_api, refuse_stream and of an answer lost by a
// status.
func (f Fault) refusal() answer {
	status, code, info := f.Status, f.ErrorCode, f.ErrorInfo
	fill(&status, http.StatusInternalServerError)
	fill(&code, codeUnknown)
	fill(&info, "Simulated fault")
	a := refusal(status, code, info)
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// redirection is the answer of redirect.
func (f Fault) redirection(r *http.Request) answer {
	status, to := f.Status, f.URL
	fill(&status, http.StatusTemporaryRedirect)
	fill(&to, otherOrigin(r)+trapPath)
	return answer{
		status: status, header: http.Header{"Location": {to}},
		body: map[string]any{"message": "Moved"},
	}
}
