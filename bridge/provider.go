package bridge

import (
	"context"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
)

// providerClient is MultiSafepay without a time after which no create is sent.
type providerClient struct{ *multisafepay.Client }

func (c providerClient) Create(ctx context.Context, key redact.Secret, o multisafepay.Order) (multisafepay.Created, error) {
	return c.Client.Create(ctx, key, o, time.Time{})
}

// Follow passes on what is about orders; it names no last event.
func (c providerClient) Follow(ctx context.Context, s multisafepay.Stream, h multisafepay.StreamHandler) error {
	event := h.Event
	h.Event = func(e multisafepay.StreamEvent) {
		if e.Order != nil || e.Invalid != nil {
			event(e)
		}
	}
	return c.Client.Follow(ctx, s, "", h)
}
