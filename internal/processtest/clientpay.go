package processtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// PayWithClient is Pay, made with package client. It fails as well when a status of the
// payment is missing, repeated or out of order.
func PayWithClient(ctx context.Context, bus *client.Client, s Start, cancel bool) (Result, error) {
	for {
		r, err := payOnce(ctx, bus, s, cancel)
		// Another payment is about to leave the terminal, a lost start never arrived, or no
		// replica is connected just now: the same request may be sent again.
		if !errors.Is(err, client.ErrTerminalBusy) && !errors.Is(err, client.ErrNotFound) && !errors.Is(err, client.ErrNoBridge) {
			return r, err
		}
		timer := time.NewTimer(againAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, fmt.Errorf("payment given up: %w", err)
		}
	}
}

func payOnce(ctx context.Context, bus *client.Client, s Start, cancel bool) (r Result, err error) {
	payment, err := bus.Start(ctx, schema.StartRequest{
		OrderID: s.OrderID, TerminalID: s.TerminalID, Amount: s.Amount, Currency: s.Currency,
		CustomInfo: &schema.CustomInfo{Custom1: s.CustomInfo["custom_1"]},
	})
	if err != nil {
		return r, err
	}
	defer payment.Close()
	if cancel {
		_, err := payment.Cancel(ctx)
		for errors.Is(err, client.ErrOutcomeUnknown) && ctx.Err() == nil { // to cancel again is safe
			_, err = payment.Cancel(ctx)
		}
		if err != nil {
			return r, fmt.Errorf("cancel: %w", err)
		}
	}
	sequence := uint64(0)
	for status, err := range payment.Statuses(ctx) {
		if err != nil {
			return r, fmt.Errorf("after %d statuses: %w", sequence, err)
		}
		if sequence++; status.Sequence != sequence || status.Missed > 0 || status.Asked {
			return r, fmt.Errorf("got status %d (%s, %d missed, asked %t), want %d", status.Sequence, status.Status, status.Missed, status.Asked, sequence)
		}
		r.Final = status.Status
	}
	return r, nil
}
