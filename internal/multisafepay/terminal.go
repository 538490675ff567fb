package multisafepay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/posbridge/bridge/internal/redact"
)

// Terminal is a card terminal of the group that a key belongs to.
type Terminal struct {
	ID string
	// Name is the merchant's own, at most 100 characters.
	Name string
	// Active is false when the provider says that the terminal is not.
	Active bool
}

// Bounds of a list of terminals.
const (
	terminalsPerPage = 100
	maxTerminalPages = 200
	maxTerminalName  = 100
)

// Terminals lists the terminals of the key's group, page after page. Each page
// has Options.RequestTimeout; bound the whole by the context. An error leaves
// no list at all, for half a list would deny the rest.
func (c *Client) Terminals(ctx context.Context, key redact.Secret) ([]Terminal, error) {
	var all []Terminal
	known := make(map[string]bool)
	seen := 0 // entries so far, usable or not
	for page := 1; page <= maxTerminalPages; page++ {
		r := c.request(OpTerminals, http.MethodGet, "/terminals", key)
		r.query = url.Values{"page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(terminalsPerPage)}}
		a, failed := c.calls.call(ctx, r)
		if failed != nil {
			return nil, failed
		}
		list, err := a.page(r)
		if err != nil {
			return nil, err
		}
		fresh := false
		for _, t := range list.terminals {
			if !known[t.ID] {
				known[t.ID] = true
				fresh = true
				all = append(all, t)
			}
		}
		seen += list.entries
		last := list.total >= 0 && int64(seen) >= list.total || list.total < 0 && list.entries < terminalsPerPage
		if last || !fresh { // not fresh: the server gives the same page over and over
			return all, nil
		}
	}
	return nil, &Error{Op: OpTerminals, Kind: KindNonsense, Status: http.StatusOK, Sent: true, Err: errTooManyPages}
}

// terminalPage is one page of the list.
type terminalPage struct {
	terminals []Terminal
	// entries counts also those that were of no use.
	entries int
	// total is the length of the whole list, -1 when the answer does not say.
	total int64
}

// page reads the answer to a request for terminals.
func (a answer) page(r request) (terminalPage, error) {
	e, failed := a.check(r)
	if failed != nil {
		return terminalPage{}, failed
	}
	var entries []struct {
		ID     json.RawMessage `json:"id"`
		Name   json.RawMessage `json:"name"`
		Active json.RawMessage `json:"active"`
	}
	if json.Unmarshal(e.data, &entries) != nil || entries == nil {
		return terminalPage{}, a.unusable(r, KindLost, errNoData)
	}
	page := terminalPage{entries: len(entries), total: pagerTotal(a.body)}
	for _, entry := range entries {
		id, _ := text(entry.ID)
		if id = label(id, maxTerminalID); id == "" {
			continue
		}
		name, _ := text(entry.Name)
		page.terminals = append(page.terminals, Terminal{
			ID:     id,
			Name:   r.hide.Line(name, maxTerminalName),
			Active: string(entry.Active) != "false" && string(entry.Active) != "0",
		})
	}
	return page, nil
}

// pagerTotal reads pager.total_items, -1 when it is not there.
func pagerTotal(body []byte) int64 {
	var raw struct {
		Pager struct {
			TotalItems json.RawMessage `json:"total_items"`
		} `json:"pager"`
	}
	if !decode(body, &raw) {
		return -1
	}
	if total, ok := integer(raw.Pager.TotalItems); ok && total >= 0 {
		return total
	}
	return -1
}
