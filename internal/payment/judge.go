package payment

import (
	"strings"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Outcome says what a request to the provider that would change something came to.
type Outcome int

// The outcomes. The zero Outcome is none.
const (
	_ Outcome = iota
	// Done: the provider has carried it out.
	Done
	// NotSent: it is certain that no request left.
	NotSent
	// TooLate: it was not sent because the start deadline had passed.
	TooLate
	// Limited: the provider wants us to wait; nothing was carried out.
	Limited
	// Rejected: a definite refusal of the request.
	Rejected
	// KeyRefused: a definite refusal of the key.
	KeyRefused
	// Nonsense: an error answer that makes no sense; nothing was carried out.
	Nonsense
	// Used: the order id is known to the provider already (code 1006).
	Used
	// Doubtful: no usable answer; it may have been carried out, also later.
	Doubtful
)

// refuses reports whether the outcome is a definite refusal.
func (o Outcome) refuses() bool { return o == Rejected || o == KeyRefused || o == Nonsense }

// changesNothing reports whether the request cannot have had an effect, and the
// provider said nothing about the order.
func (o Outcome) changesNothing() bool { return o == NotSent || o == Limited || o == KeyRefused }

// failure is what the requester is told when a start ends with the outcome and
// nothing was created.
func (p Posted) failure() *schema.Error {
	var e *schema.Error
	switch p.Outcome {
	case Rejected, Used:
		e = schema.NewError(schema.ProviderRejected, "the provider refused the order; nothing is left open")
	case KeyRefused:
		e = schema.NewError(schema.ProviderError, "the provider refuses the key of this terminal's group; nothing was created")
	case Nonsense:
		e = schema.NewError(schema.ProviderError, "the provider's error makes no sense; nothing was created")
	case TooLate:
		e = schema.NewError(schema.ProviderUnavailable, "the order could not be put to the provider before BRIDGE_START_DEADLINE; nothing was created")
	default:
		e = schema.NewError(schema.ProviderUnavailable, "the provider cannot be reached or fails; nothing was created")
	}
	e.Provider = p.Provider
	return e
}

// failure is what the requester of a cancel is told when the order was not
// cancelled by it.
func (c Cancelled) failure() *schema.Error {
	var e *schema.Error
	switch c.Outcome {
	case Rejected, Used:
		e = schema.NewError(schema.ProviderRejected, "the provider refused to cancel the order; the payment is still open")
	case KeyRefused:
		e = schema.NewError(schema.ProviderError, "the provider refuses the key of this terminal's group; nothing was cancelled")
	case Nonsense:
		e = schema.NewError(schema.ProviderError, "the provider's error makes no sense; nothing was cancelled")
	case NotSent, Limited:
		e = schema.NewError(schema.ProviderUnavailable, "the provider cannot be reached; nothing was cancelled")
	default:
		e = schema.NewError(schema.OutcomeUnknown, "the provider's answer to the cancel was lost; cancel again")
	}
	e.Provider = c.Provider
	return e
}

// untold is what the requester of a cancel is told when asking for the order has not
// told in time what became of it. The provider refuses the cancel of an order that is
// over, so a refusal alone does not say that the payment is still open.
func untold(e *schema.Error) *schema.Error {
	if e.Code != schema.ProviderRejected {
		return e
	}
	unknown := schema.NewError(schema.OutcomeUnknown, "the provider refused to cancel the order, and did not say in time whether it is over")
	unknown.Provider = e.Provider
	return unknown
}

// isOurs reports whether an order that the provider knows, although this
// session is not known to have created it, is what the session asked for. A proxy
// may have repeated our request. An order that is over is ours only if it was
// certainly made for this session; it may have been paid with a tip.
func isOurs(s Session, a Answered) bool {
	over, dated := schema.IsFinal(a.Status), !a.Created.IsZero()
	switch difference(s, a) {
	case "":
	case "amount":
		if a.Status != "completed" || a.Terminal == "" {
			return false
		}
	default:
		return false
	}
	if !dated {
		return !over
	}
	return !a.Created.Before(s.StartedAt.Add(-clockTolerance))
}

// How long before a session an order must have been made to be another's: longer than
// clocks are wrong, and than the unknown time zone of an answer can make it.
const (
	clockLimit    = 2 * time.Hour
	timeZoneLimit = 14 * time.Hour
)

// isEarlier reports whether an order was made long before the session was queued, so
// that none of its creates can have made it, and the provider refuses all of them.
func isEarlier(s Session, a Answered) bool {
	limit := clockLimit
	if a.Created.IsZero() {
		limit += timeZoneLimit
	}
	return !a.CreatedAbout.IsZero() && a.CreatedAbout.Before(s.StartedAt.Add(-limit))
}

// isAnothers reports whether an order that the provider knows cannot be the one
// that this session asked for, although an earlier owner may have created one. What a
// tip or a partial approval changes proves nothing, and neither does a clock: our own
// order may have been paid long before it is found.
func isAnothers(s Session, a Answered) bool {
	what := difference(s, a)
	if what == "amount" {
		return a.Amount < s.Request.Amount && !schema.IsFinal(a.Status)
	}
	return what != ""
}

// difference names what an order that the provider knows has not as it was asked for;
// empty if there is nothing.
func difference(s Session, a Answered) string {
	switch {
	case a.Terminal != "" && !strings.EqualFold(a.Terminal, s.Request.TerminalID):
		return "terminal"
	case a.Currency != "" && !strings.EqualFold(a.Currency, s.Request.Currency):
		return "currency"
	case a.Amount != 0 && a.Amount != s.Request.Amount:
		return "amount"
	}
	return ""
}

// observation is what an answer of the provider says about the order.
func (a Answered) observation(at time.Time) Observation {
	return Observation{
		Source: schema.SourceReconcile, Status: a.Status, Financial: a.Financial,
		Transaction: a.Transaction, Charged: a.Amount, At: at,
	}
}

// Errors that end a start without asking the provider.
func conflictError(order string) *schema.Error {
	return schema.NewError(schema.OrderConflict, "order %s exists with other content", order)
}

func elsewhereError(order string, said *schema.ProviderAnswer) *schema.Error {
	e := schema.NewError(schema.ProviderRejected, "the provider knows order %s from elsewhere; nothing was created", order)
	e.Provider = said
	return e
}

func unknownError() *schema.Error {
	return schema.NewError(schema.OutcomeUnknown, "it is not known yet whether the order exists at the provider; the session is followed, its status events will tell")
}
