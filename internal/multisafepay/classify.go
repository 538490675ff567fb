package multisafepay

import "net/http"

// Error codes of the provider that decide something.
const (
	codeUnknown    = 1000 // "unknown error"; together with HTTP 404: not there
	codeUsed       = 1006 // invalid id: already used (create), not known (get, cancel)
	codeInvalidKey = 1032
	codeTechnical  = 5001 // a fault of the provider's
	codeNoCode     = 9999 // another "unknown error"
)

// classify decides what a complete answer means: 0 for a yes whose data may be
// read, else the kind of failure. It is the one place that decides.
func classify(op string, status int, e envelope) Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return KindKey
	case status == http.StatusTooManyRequests:
		return KindLimited
	case ofGateway(status):
		return KindTimeout
	case status >= 500:
		return KindUnavailable
	case status < 200 || status >= 300 && status < 400: // a redirect
		return KindNonsense
	case status >= 400:
		return refusal(op, status, e)
	case !e.ok:
		return KindLost
	case e.success != nil && *e.success, e.success == nil && e.code == 0 && !e.attributes:
		return 0 // whether it is a yes is seen by the data
	case e.code == 0 && !e.attributes:
		return KindLost
	}
	return refusal(op, status, e)
}

// ofGateway tells whether a status says that somebody on the way stopped waiting
// for the provider, which may still carry out what it was asked for.
func ofGateway(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return status >= 520 && status <= 524
}

// refusal decides what a no means.
func refusal(op string, status int, e envelope) Kind {
	aboutOrder := op == OpGet || op == OpCancel || op == OpReceipt
	missing := status == http.StatusNotFound
	denied := e.success != nil && !*e.success
	switch {
	case e.code == codeInvalidKey:
		return KindKey
	case e.code == codeUsed && op == OpCreate:
		return KindUsed
	case e.code == codeUsed && aboutOrder:
		return KindNotFound
	case missing && aboutOrder && (e.code == codeUnknown || e.code == 0 && denied):
		return KindNotFound
	case e.code == codeUnknown && !missing, e.code == codeTechnical, e.code == codeNoCode:
		return KindUnavailable
	case e.success != nil && *e.success: // 4xx and success
		return KindNonsense
	case e.code != 0, e.attributes:
		return KindRejected
	case e.info == "":
		return KindNonsense
	}
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return KindRejected
	}
	return KindNonsense
}
