package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// Pages of the terminals list.
const (
	defaultPageSize = 100
	maxPageSize     = 500
)

// terminals answers GET terminals and GET terminal-groups/{id}/terminals, with
// the terminals of g. The caller holds the lock.
func (a API) terminals(c *call, query url.Values) wire.Answer {
	g := c.group
	if c.order != "" && c.order != strconv.FormatInt(g.Number, 10) {
		return wire.Forbidden()
	}
	var wrong []wire.Violation
	number := func(name string, standard int) int {
		text := query.Get(name)
		if text == "" {
			return standard
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			wrong = append(wrong, wire.NewViolation(name, text, "The "+name+" must be a positive number."))
		}
		return n
	}
	page, limit := number("page", 1), min(number("limit", defaultPageSize), maxPageSize)
	if len(wrong) > 0 {
		return wire.ValidationFailure(wrong...)
	}
	rows := groupRows(g)
	if _, ok := a.s.Faults.Take(fault.AccountTerminals, c.occasion()); ok {
		rows = a.accountRows()
	}
	from := min((page-1)*limit, len(rows))
	body := map[string]any{"success": true, "data": rows[from:min(from+limit, len(rows))]}
	f, odd := a.s.Faults.Take(fault.OddPager, c.occasion())
	switch {
	case !odd:
		body["pager"] = map[string]any{"total_items": len(rows)}
	case f.Mode == fault.PagerOffset:
		body["pager"] = map[string]any{"total": len(rows), "offset": from, "limit": limit}
	case f.Mode != fault.PagerNone:
		body["pager"] = map[string]any{"limit": limit, "page": page, "total_items": len(rows)}
	}
	return wire.Answer{Status: http.StatusOK, Body: body}
}

func terminalRow(id, provider string, active bool, group any, updated time.Time) map[string]any {
	return map[string]any{
		"id": id, "provider": provider, "name": "Terminal " + id, "code": "sim-" + id,
		"created": "2025-05-13T10:00:00Z", "last_updated": updated.Format(time.RFC3339),
		"manufacturer_id": nil, "serial_number": nil,
		"active": active, "group_id": group, "country": "NL",
	}
}

func groupRows(g *orders.Group) []map[string]any {
	rows := make([]map[string]any, len(g.Terminals))
	for i, t := range g.Terminals {
		rows[i] = terminalRow(t.ID, "SMARTPOS", true, g.Number, t.Since)
	}
	return rows
}

// accountRows lists the terminals of every group and others that no key serves,
// the group as number and as text by turns.
func (a API) accountRows() (rows []map[string]any) {
	for _, g := range a.s.Terminals.Groups {
		rows = append(rows, groupRows(g)...)
	}
	now := a.s.Now()
	rows = append(rows,
		terminalRow("INACTIVE1", "SMARTPOS", false, a.s.Terminals.Groups[0].Number, now),
		terminalRow("CTAP0001", "CTAP", true, a.s.Terminals.Groups[0].Number, now),
		terminalRow("VERIFONE1", "VERIFONE", true, nil, now),
		terminalRow("ELSEWHERE", "SMARTPOS", true, int64(1), now),
	)
	for i, row := range rows {
		if n, ok := row["group_id"].(int64); ok && i%2 == 1 {
			row["group_id"] = strconv.FormatInt(n, 10)
		}
	}
	return rows
}
