package multisafepay

import (
	"net/http"
	"time"
)

// Error codes of the provider that decide something.
const (
	codeUnknown    = 1000 // unknown or not found
	codeUsed       = 1006 // invalid id: already used (create), not known (get, cancel)
	codeInvalidKey = 1032
)

// classify decides what a complete answer means: 0 for a yes whose data may be
// read, else the kind of failure. It is the one place that decides.
func classify(op string, status int, e envelope) Kind {
	yes := status >= 200 && status < 300
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return KindKey
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return KindTimeout
	case status == http.StatusTooManyRequests:
		return KindLimited
	case status >= 500:
		return KindUnavailable
	case !yes && status < 400: // a redirect
		return KindNonsense
	case yes && (!e.ok || e.success == nil):
		return KindLost
	case yes && *e.success:
		return 0
	case e.code == codeInvalidKey:
		return KindKey
	}
	aboutOrder := op == OpGet || op == OpCancel
	switch {
	case aboutOrder && (status == http.StatusNotFound || e.code == codeUnknown || e.code == codeUsed):
		return KindNotFound
	case op == OpCreate && e.code == codeUsed:
		return KindUsed
	case e.success != nil && *e.success: // 4xx and success
		return KindNonsense
	case e.code != 0, e.attributes, status == http.StatusUnprocessableEntity && e.info != "":
		return KindRejected
	}
	return KindNonsense
}

// check makes the error of an answer, nil for a yes.
func (a answer) check(r request) (envelope, *Error) {
	e := parseEnvelope(a.body)
	kind := classify(r.op, a.status, e)
	if kind == 0 {
		return e, nil
	}
	return e, a.failure(r, kind, e)
}

// failure is the error of an answer that was understood to be of a kind.
func (a answer) failure(r request, kind Kind, e envelope) *Error {
	return &Error{
		Op:         r.op,
		Kind:       kind,
		Status:     a.status,
		Code:       e.code,
		Info:       r.hide.Line(e.info, maxInfo),
		RetryAfter: retryAfter(a.header, time.Now()),
		Sent:       true,
	}
}
