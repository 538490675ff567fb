package bridge

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/bus"
)

// sessionsTemplate is a plain list of the open sessions.
var sessionsTemplate = template.Must(template.New("sessions").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>pos-bridge: open sessions</title></head><body>
<h1>Open sessions</h1>
<p>Replica {{.Replica}}, {{if .Ready}}ready{{else}}not ready{{end}}. {{len .Sessions}} open.</p>
<table><thead><tr><th>Terminal</th><th>Order</th><th>Amount</th><th>Status</th><th>Age</th><th>Replica</th><th>Stream</th></tr></thead><tbody>
{{range .Sessions}}<tr><td>{{.Terminal}}</td><td>{{.Order}}</td><td>{{.Amount}} {{.Currency}}</td><td>{{.Status}}</td><td>{{.Age}}</td><td>{{.Replica}}</td><td>{{.Stream}}</td></tr>
{{end}}</tbody></table></body></html>
`))

// pageSession is one line of the list.
type pageSession struct {
	Terminal string
	Age      time.Duration
	bus.Record
}

// sessionsPage lists the open sessions, as far as this replica has been told.
func (d *Daemon) sessionsPage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var sessions []pageSession
		if r := d.following(); r != nil {
			for terminal, record := range r.board.all() {
				if record.Phase == bus.Refused || record.Final {
					continue
				}
				record.Status = shownStatus(record.Status)
				sessions = append(sessions, pageSession{terminal, time.Since(record.StartedAt).Round(time.Second), record})
			}
		}
		slices.SortFunc(sessions, func(a, b pageSession) int { return cmp.Compare(a.Terminal, b.Terminal) })
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Cache-Control", "no-store")
		_ = sessionsTemplate.Execute(w, map[string]any{ // the asker has gone
			"Replica": d.config.ReplicaID, "Ready": d.ready.state().Ready, "Sessions": sessions,
		})
	})
}
