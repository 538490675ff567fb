package multisafepay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/posbridge/bridge/internal/redact"
)

// Terminal is a card terminal as the provider lists it: of the group that a key
// belongs to, or of the whole account.
type Terminal struct {
	ID string
	// Active is false when the provider says that the terminal is not.
	Active bool
	// GroupID is the provider's own number of the terminal's group, "" when the
	// list does not say.
	GroupID string
	// Provider is who runs the terminal, in capitals, such as SMARTPOS; "" when
	// the list does not say.
	Provider string
}

// Foreign tells whether the terminal is of another make, which as far as is known
// takes no cloud payments.
func (t Terminal) Foreign() bool {
	switch t.Provider {
	case "", "CTAP", "SMARTPOS", "SMART_POS", "MULTISAFEPAY":
		return false
	}
	return true
}

// Bounds of a list of terminals.
const (
	terminalsPerPage  = 100
	maxTerminalPages  = 200
	maxTerminalMaker  = 32
	maxTerminalGroup  = 32
	terminalsPath     = "/terminals"
	terminalGroupPath = "/terminal-groups/"
)

var errTooManyPages = errors.New("list of terminals does not end")

// Terminals lists the terminals that a key sees, page after page. groupID is the
// provider's own number of the key's group, if it is known: then that group's
// list is asked for first, and the account's when the provider does not give it.
// Each page has Options.RequestTimeout; bound the whole by the context. An error
// leaves no list at all, for half a list would deny the rest.
func (c *Client) Terminals(ctx context.Context, key redact.Secret, groupID string) ([]Terminal, error) {
	if isGroupNumber(groupID) {
		list, err := c.terminals(ctx, key, terminalGroupPath+groupID+terminalsPath)
		if err == nil {
			for i := range list {
				list[i].GroupID = cmp.Or(list[i].GroupID, groupID)
			}
			return list, nil
		}
		if failed, ok := errors.AsType[*Error](err); ok && failed.passes() {
			return nil, err
		}
	}
	return c.terminals(ctx, key, terminalsPath)
}

// isGroupNumber tells whether s can be the provider's number of a group.
func isGroupNumber(s string) bool {
	return s != "" && len(s) <= maxTerminalGroup && strings.Trim(s, "0123456789") == ""
}

// passes tells whether the same request may succeed later.
func (e *Error) passes() bool {
	switch e.Kind {
	case KindRejected, KindNotFound, KindNonsense, KindKey:
		return false
	}
	return true
}

// terminals reads one list.
func (c *Client) terminals(ctx context.Context, key redact.Secret, path string) ([]Terminal, error) {
	var all []Terminal
	known := make(map[string]bool)
	seen := int64(0) // entries so far, usable or not
	query := url.Values{"limit": {strconv.Itoa(terminalsPerPage)}}
	for page := 1; page <= maxTerminalPages; page++ {
		query.Set("page", strconv.Itoa(page))
		r := c.request(OpTerminals, http.MethodGet, path, "", key)
		r.query = query
		a, err := c.calls.call(ctx, r)
		if err != nil {
			return nil, err
		}
		list, err := a.page()
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
		if list.isLast(seen) || !fresh { // not fresh: the server gives the same page over and over
			return all, nil
		}
		if list.pager.offset {
			query.Set("offset", strconv.FormatInt(seen, 10))
		}
	}
	return nil, &Error{Op: OpTerminals, Kind: KindNonsense, Status: http.StatusOK, Sent: true, Err: errTooManyPages}
}

// terminalPage is one page of the list.
type terminalPage struct {
	terminals []Terminal
	// entries counts also those that were of no use.
	entries int64
	pager   pager
}

// isLast tells whether the list ends with the page, seen entries from its start.
func (p terminalPage) isLast(seen int64) bool {
	if p.pager.total >= 0 {
		return seen >= p.pager.total
	}
	return p.entries < p.pager.limit
}

// page reads the answer to a request for terminals.
func (a answer) page() (terminalPage, error) {
	var entries []struct {
		ID       json.RawMessage `json:"id"`
		Active   json.RawMessage `json:"active"`
		GroupID  json.RawMessage `json:"group_id"`
		Provider json.RawMessage `json:"provider"`
	}
	if json.Unmarshal(a.data, &entries) != nil || entries == nil {
		return terminalPage{}, a.unusable(KindLost, errNoData)
	}
	page := terminalPage{entries: int64(len(entries)), pager: parsePager(a.body)}
	for _, entry := range entries {
		id, _ := text(entry.ID)
		if id = label(id, maxTerminalID); id == "" {
			continue
		}
		group, _ := text(entry.GroupID)
		active := boolean(entry.Active)
		page.terminals = append(page.terminals, Terminal{
			ID:       id,
			Active:   active == nil || *active,
			GroupID:  safeID(a.hide, group, maxTerminalGroup),
			Provider: safeID(a.hide, strings.ToUpper(plainString(entry.Provider)), maxTerminalMaker),
		})
	}
	return page, nil
}

// pager is what an answer says of the whole list. The provider has three forms:
// {total_items}, {limit, page, total_items} and {total, offset, limit}.
type pager struct {
	// total is the length of the whole list, -1 when the answer does not say.
	total int64
	// limit is how many entries a full page has.
	limit int64
	// offset is true when pages are asked for by the number of entries before them.
	offset bool
}

// parsePager reads the pager of an answer, whatever it is.
func parsePager(body []byte) pager {
	p := pager{total: -1, limit: terminalsPerPage}
	var raw struct {
		Pager json.RawMessage `json:"pager"`
	}
	if !decode(body, &raw) {
		return p
	}
	fields := members(raw.Pager)
	for _, name := range []string{"total_items", "total"} {
		if total, ok := integer(fields[name]); ok && total >= 0 {
			p.total = total
			break
		}
	}
	if limit, ok := integer(fields["limit"]); ok && limit > 0 {
		p.limit = min(limit, terminalsPerPage)
	}
	_, p.offset = fields["offset"]
	return p
}
