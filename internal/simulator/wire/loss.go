package wire

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// Lose makes sure that the client does not learn what became of its call. closed
// is closed with the simulator.
func Lose(f fault.Fault, w http.ResponseWriter, r *http.Request, a Answer, closed <-chan struct{}) {
	mode := f.Mode
	if mode == "" && f.Status != 0 {
		mode = fault.LoseByStatus
	}
	if a.Body == nil { // it was not even done
		a = Success(map[string]any{"order_id": "", "session_id": "", "events_token": "", "events_stream_url": ""})
	}
	switch mode {
	case fault.LoseByStatus:
		FaultRefusal(f).Send(w)
	case fault.LoseByBroken:
		body := a.Marshal()
		Answer{Status: http.StatusOK, Body: body[:len(body)/2]}.Send(w)
	case fault.LoseByEmpty:
		Answer{Status: http.StatusOK, Body: []byte{}}.Send(w)
	case fault.LoseByHTML:
		Answer{
			Status: http.StatusOK, header: http.Header{"Content-Type": {"text/html"}},
			Body: []byte("<!doctype html><title>Just a moment</title><p>Checking your browser.</p>"),
		}.Send(w)
	case fault.LoseByHuge:
		f.Size = cmp.Or(f.Size, 16<<20)
		pour(w, r, `{"success":true,"data":{"padding":"`, f.Size, closed)
		io.WriteString(w, `"}}`) //nolint:errcheck // the client is gone: nobody is left to be told
	case fault.LoseByEndless:
		pour(w, r, `{"success":true,"data":{"padding":"`, fault.MaxBodySize, closed)
		panic(http.ErrAbortHandler)
	case fault.LoseByHang:
		Hang(r, closed)
	default:
		panic(http.ErrAbortHandler)
	}
}

// pour writes head and a body of size bytes, as long as somebody takes it.
func pour(w http.ResponseWriter, r *http.Request, head string, size int, closed <-chan struct{}) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := io.WriteString(w, head); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 32<<10))
	for left := size; left > 0; left -= len(chunk) {
		select {
		case <-r.Context().Done():
			return
		case <-closed:
			return
		default:
		}
		if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
}

// Hang keeps the client waiting until it leaves, or the simulator is closed.
func Hang(r *http.Request, closed <-chan struct{}) {
	timer := time.NewTimer(fault.MaxDelay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-closed:
	case <-timer.C:
	}
	panic(http.ErrAbortHandler)
}
