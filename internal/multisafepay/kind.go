package multisafepay

import "strconv"

// Kind says what a failed call means for the order.
type Kind int

// The kinds of failure. The zero Kind is of no error.
const (
	_ Kind = iota
	// KindUnreachable: nothing was sent for sure (name not found, connection
	// refused, TLS handshake, no connection in time).
	KindUnreachable
	// KindLost: the request was, or may have been, sent and no usable answer
	// came: connection cut, 200 with a broken, oversized or absent body, 200 that
	// says no without a reason. What it asked for may have happened.
	KindLost
	// KindTimeout is like KindLost, but we stopped waiting
	// (Options.RequestTimeout), or a gateway did (408, 502, 504, 520 to 524). The
	// request may still be on its way and be carried out later.
	KindTimeout
	// KindUnavailable: another 5xx answer, or a refusal whose code means no more
	// than "unknown error". What it asked for may have been carried out.
	KindUnavailable
	// KindLimited: 429, nothing was carried out; RetryAfter says for how long, if
	// the provider did.
	KindLimited
	// KindRejected: a definite no, with a provider error code, the attributes of a
	// 422, or at least words (400, 409, 422).
	KindRejected
	// KindUsed: create only: an order with this id exists already (code 1006).
	KindUsed
	// KindNotFound: get, cancel and receipt only: the provider does not know the
	// order, or its answer is about another one.
	KindNotFound
	// KindKey: the API key is refused (401, 403, code 1032).
	KindKey
	// KindNonsense: an answer that makes no sense: 4xx without a provider-shaped
	// body, a redirect.
	KindNonsense
	// KindTooLate: create only: nothing was sent, because its time had passed.
	KindTooLate
	// KindCancelled: the caller's context ended. Error.Sent tells whether the
	// request may have left before.
	KindCancelled
)

var kindNames = [...]string{
	KindUnreachable: "unreachable",
	KindLost:        "answer lost",
	KindTimeout:     "timed out",
	KindUnavailable: "unavailable",
	KindLimited:     "rate limited",
	KindRejected:    "rejected",
	KindUsed:        "order id already used",
	KindNotFound:    "not found",
	KindKey:         "key refused",
	KindNonsense:    "nonsense answer",
	KindTooLate:     "too late",
	KindCancelled:   "cancelled",
}

// String names the kind in a word or two.
func (k Kind) String() string {
	if k <= 0 || int(k) >= len(kindNames) {
		return "kind " + strconv.Itoa(int(k))
	}
	return kindNames[k]
}
