package control

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/view"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// feedHeartbeat is the pause between comments on a quiet feed.
const feedHeartbeat = 15 * time.Second

// feed is the event stream of the simulator itself, for pages and tools:
//
//	log       an Entry, its seq as id; a client that comes back with Last-Event-ID misses none that is still there
//	terminal  a Terminal that changed
//	missed    entries are gone: ask for the state again
//
// A slow reader is not waited for: it gets what the journal still holds.
type feed struct{ s *orders.State }

func (f feed) serve(w http.ResponseWriter, r *http.Request) {
	from := r.Header.Get("Last-Event-ID")
	from = cmp.Or(from, r.URL.Query().Get("since"))
	seq, err := parseSeq(from)
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	if from == "" {
		f.s.Lock()
		seq = f.s.Journal.Last
		f.s.Unlock()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	send := wire.Sender(w)
	ticker := time.NewTicker(feedHeartbeat)
	defer ticker.Stop()
	out := ": simulator\n\n"
	for send([]byte(out)) {
		var changed <-chan struct{}
		out, seq, changed = f.after(seq)
		if out != "" {
			continue
		}
		select {
		case <-changed:
		case <-ticker.C:
			out = ": keep-alive\n\n"
		case <-r.Context().Done():
			return
		case <-f.s.Done():
			return
		}
	}
}

// after writes down what happened after seq. With nothing to write it returns a
// channel that is closed when there is.
func (f feed) after(seq uint64) (out string, next uint64, changed <-chan struct{}) {
	f.s.Lock()
	entries, missed := f.s.Journal.Since(seq, logPage)
	if len(entries) == 0 {
		next, changed = f.s.Journal.Last, f.s.Journal.Next()
		f.s.Unlock()
		return "", next, changed
	}
	var terminals []view.Terminal
	seen := map[string]bool{}
	for _, e := range entries {
		if t := f.s.Terminals.ByID[e.Terminal]; t != nil && !seen[e.Terminal] {
			seen[e.Terminal] = true
			terminals = append(terminals, view.OfTerminal(t))
		}
	}
	f.s.Unlock()

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
