package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/tokens"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// API serves the order API.
type API struct {
	s        *orders.State
	tokens   *tokens.Signer
	tokenTTL time.Duration
}

// New returns the order API of s. tokenTTL is how long an events token of it lives.
func New(s *orders.State, signer *tokens.Signer, tokenTTL time.Duration) API {
	return API{s: s, tokens: signer, tokenTTL: tokenTTL}
}

// call is one request of the order API.
type call struct {
	op       calls.Operation
	order    string // as asked for, may be unknown; of OpTerminals the group, or empty
	terminal string // of the order
	group    *orders.Group
	request  orders.Request // of OpCreate
}

func (c *call) occasion() fault.Occasion {
	return fault.Occasion{Op: c.op, Order: c.order, Terminal: c.terminal}
}

// resources are the paths of the order API, with * for an id, and what each
// method asks for.
var resources = map[string]map[string]calls.Operation{
	"orders":                      {http.MethodPost: calls.OpCreate},
	"orders/*":                    {http.MethodGet: calls.OpGet, http.MethodPatch: calls.OpPatch},
	"orders/*/cancel":             {http.MethodPost: calls.OpCancel},
	"terminals":                   {http.MethodGet: calls.OpTerminals},
	"pos/receipt/*":               {http.MethodGet: calls.OpReceipt},
	"terminal-groups/*/terminals": {http.MethodGet: calls.OpTerminals},
}

// parseCall tells what is asked for. path is escaped and relative to APIPath.
// bad is the answer when it is nothing known.
func parseCall(method, path string) (c call, bad *wire.Answer) {
	unknown := wire.Refusal(http.StatusNotFound, wire.CodeUnknown, "Not found")
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	id, at := "", 1
	if segments[0] == "pos" {
		at = 2
	}
	if len(segments) > at {
		id, segments[at] = segments[at], "*"
	}
	methods := resources[strings.Join(segments, "/")]
	if methods == nil {
		return call{}, &unknown
	}
	op, ok := methods[method]
	if !ok {
		a := wire.Refusal(http.StatusMethodNotAllowed, wire.CodeUnknown, "Method not allowed")
		return call{}, &a
	}
	order, err := url.PathUnescape(id)
	if err != nil {
		return call{}, &unknown
	}
	return call{op: op, order: order}, nil
}
