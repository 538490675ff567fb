package simulator

import (
	"net/http"
	"net/url"
	"strings"
)

// api serves the order API.
type api struct{ s *Simulator }

// call is one request of the order API.
type call struct {
	op       Operation
	order    string // as asked for, may be unknown; of OpTerminals the group, or empty
	terminal string // of the order
	group    *group
	request  createRequest // of OpCreate
}

func (c *call) occasion() occasion { return occasion{op: c.op, order: c.order, terminal: c.terminal} }

// resources are the paths of the order API, with * for an id, and what each
// method asks for.
var resources = map[string]map[string]Operation{
	"orders":                      {http.MethodPost: OpCreate},
	"orders/*":                    {http.MethodGet: OpGet, http.MethodPatch: OpPatch},
	"orders/*/cancel":             {http.MethodPost: OpCancel},
	"terminals":                   {http.MethodGet: OpTerminals},
	"pos/receipt/*":               {http.MethodGet: OpReceipt},
	"terminal-groups/*/terminals": {http.MethodGet: OpTerminals},
}

// parseCall tells what is asked for. path is escaped and relative to apiPath.
// bad is the answer when it is nothing known.
func parseCall(method, path string) (c call, bad *answer) {
	unknown := refusal(http.StatusNotFound, codeUnknown, "Not found")
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
		a := refusal(http.StatusMethodNotAllowed, codeUnknown, "Method not allowed")
		return call{}, &a
	}
	order, err := url.PathUnescape(id)
	if err != nil {
		return call{}, &unknown
	}
	return call{op: op, order: order}, nil
}
