package bridge

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/bus"
)

// sessionsPage lists the open sessions, as far as this replica has been told.
func (d *Daemon) sessionsPage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		type row struct {
			terminal string
			record   bus.Record
		}
		var rows []row
		if r := d.following(); r != nil {
			for terminal, record := range r.board.all() {
				if record.Phase != bus.Refused && !record.Final {
					rows = append(rows, row{terminal, record})
				}
			}
		}
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.terminal, b.terminal) })
		var page strings.Builder
		page.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>pos-bridge: open sessions</title></head><body>` +
			`<h1>Open sessions</h1><table><thead><tr><th>Terminal<th>Order<th>Amount<th>Status<th>Age<th>Replica<th>Stream</tr></thead><tbody>`)
		for _, r := range rows {
			page.WriteString("<tr>")
			for _, cell := range []string{
				r.terminal, r.record.Order, fmt.Sprint(r.record.Amount, " ", r.record.Currency), shownStatus(r.record.Status),
				time.Since(r.record.StartedAt).Round(time.Second).String(), r.record.Replica, r.record.Stream,
			} {
				page.WriteString("<td>" + html.EscapeString(cell))
			}
			page.WriteString("</tr>\n")
		}
		page.WriteString("</tbody></table></body></html>\n")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(page.String())) // the asker has gone
	})
}
