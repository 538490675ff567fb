package simulator

import (
	"net/url"
	"strconv"
	"time"
)

// Pages of the terminals list.
const (
	defaultPageSize = 100
	maxPageSize     = 500
)

// terminals answers GET terminals. The caller holds mu.
func (a api) terminals(g *group, query url.Values) answer {
	page, ok := positive(query.Get("page"), 1, 1_000_000)
	if !ok {
		return validationFailure(violation{"page", clip(query.Get("page"), 64), "The page must be a positive number."})
	}
	limit, ok := positive(query.Get("limit"), defaultPageSize, 1_000_000)
	if !ok {
		return validationFailure(violation{"limit", clip(query.Get("limit"), 64), "The limit must be a positive number."})
	}
	limit = min(limit, maxPageSize)
	from := min((page-1)*limit, len(g.terminals))
	to := min(from+limit, len(g.terminals))
	data := make([]any, 0, to-from)
	for _, t := range g.terminals[from:to] {
		data = append(data, map[string]any{
			"id": t.id, "provider": "SMARTPOS", "name": "Terminal " + t.id, "code": "sim-" + t.id,
			"created": "2025-05-13T10:00:00Z", "last_updated": t.since.Format(time.RFC3339),
			"manufacturer_id": nil, "serial_number": nil,
			"active": true, "group_id": g.number, "country": "NL",
		})
	}
	list := success(data)
	list.body.(map[string]any)["pager"] = map[string]any{"total_items": len(g.terminals)}
	return list
}

// positive reads a number of a query; empty stands for standard.
func positive(text string, standard, limit int) (int, bool) {
	if text == "" {
		return standard, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= limit
}
