package multisafepay

import (
	"context"
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
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.reason != "" {
		return e.reason
	}
	switch {
	case errors.Is(err, ErrStreamEnded):
		return ReasonEnded
	case errors.Is(err, ErrStreamIdle):
		return ReasonIdle
	case errors.Is(err, ErrStreamRefused), errors.Is(err, ErrStreamToken):
		return ReasonRefused
	case errors.Is(err, ErrStreamHost):
		return ReasonHost
	case errors.Is(err, ErrStreamTooLarge):
		return ReasonTooLarge
	case errors.Is(err, ErrStreamAnswer):
		return ReasonStatus
	case errors.Is(err, context.Canceled):
		return ReasonCancelled
	}
	return ReasonTransport
}
