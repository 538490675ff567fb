package multisafepay

import (
	"cmp"
	"errors"
)

// Labels that Reason returns.
const (
	ReasonEnded       = "ended"
	ReasonIdle        = "idle"
	ReasonRefused     = "refused"
	ReasonHost        = "host"
	ReasonTooLarge    = "too_large"
	ReasonStatus      = "status"
	ReasonRedirect    = "redirect"
	ReasonContentType = "content_type"
	ReasonTransport   = "transport"
	ReasonCancelled   = "cancelled"
)

// Reason puts an error of Follow in one word, for metrics; it is one of the
// Reason constants, "" for no error.
func Reason(err error) string {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return cmp.Or(e.reason, reasons[e.Err])
}

// reasons are those of the sentinels, as long as nothing else is known.
var reasons = map[error]string{
	ErrStreamEnded:    ReasonEnded,
	ErrStreamIdle:     ReasonIdle,
	ErrStreamRefused:  ReasonRefused,
	ErrStreamToken:    ReasonRefused,
	ErrStreamHost:     ReasonHost,
	ErrStreamTooLarge: ReasonTooLarge,
	ErrStreamAnswer:   ReasonStatus,
}
