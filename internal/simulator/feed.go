package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func contextWithTimeout(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(r.Context(), d, fmt.Errorf("not within %s", d))
}

// serveFeed is the event stream of the simulator itself, for pages and tools:
//
//	log       an Entry, its seq as id; a client that comes back with Last-Event-ID misses none that is still there
//	terminal  a Terminal that changed
//	missed    entries are gone: ask for the state again
//
// A slow reader is not waited for: it gets what the journal still holds.
func (s *Simulator) serveFeed(w http.ResponseWriter, r *http.Request) {
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("since")
	}
	seq, ok := seqOf(from)
	if !ok {
		complain(w, http.StatusBadRequest, errors.New("since: want the seq of an entry"))
		return
	}
	if from == "" {
		s.mu.Lock()
		seq = s.journal.last
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	ticker := time.NewTicker(DefaultHeartbeat)
	defer ticker.Stop()
	out := ": simulator\n\n"
	for {
		if err := control.SetWriteDeadline(time.Now().Add(feedWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
		if _, err := w.Write([]byte(out)); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		var changed <-chan struct{}
		out, seq, changed = s.feed(seq)
		if out != "" {
			continue
		}
		select {
		case <-changed:
		case <-ticker.C:
			out = ": keep-alive\n\n"
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// feed writes down what happened after seq. With nothing to write it returns a
// channel that is closed when there is.
func (s *Simulator) feed(seq uint64) (out string, next uint64, changed <-chan struct{}) {
	s.mu.Lock()
	entries, missed := s.journal.since(seq, logPage)
	if len(entries) == 0 {
		next, changed = s.journal.last, s.nextChange()
		s.mu.Unlock()
		return "", next, changed
	}
	var terminals []Terminal
	seen := map[string]bool{}
	for _, e := range entries {
		if t := s.terminals[e.Terminal]; t != nil && !seen[e.Terminal] {
			seen[e.Terminal] = true
			terminals = append(terminals, s.terminalSnapshot(t))
		}
	}
	s.mu.Unlock()

	var b strings.Builder
	if missed {
		feedEvent(&b, "missed", 0, map[string]uint64{"since": seq})
	}
	for _, t := range terminals {
		feedEvent(&b, "terminal", 0, t)
	}
	for _, e := range entries {
		feedEvent(&b, "log", e.Seq, e)
	}
	return b.String(), entries[len(entries)-1].Seq, nil
}

// feedEvent writes one event of the feed; an id of 0 is none.
func feedEvent(b *strings.Builder, name string, id uint64, v any) {
	data, err := json.Marshal(v)
	if err != nil { // plain values
		panic(err)
	}
	fmt.Fprintf(b, "event: %s\n", name)
	if id > 0 {
		fmt.Fprintf(b, "id: %d\n", id)
	}
	fmt.Fprintf(b, "data: %s\n\n", data)
}
