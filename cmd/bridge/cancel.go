package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// newCancel is "pos-bridge cancel": cancel a payment.
func newCancel() *cobra.Command { return newHand().cancel() }

func (h *hand) cancel() *cobra.Command {
	var terminal, order string
	cmd := &cobra.Command{
		Use:   "cancel --terminal ID --order ID",
		Short: "Cancel a payment",
		Long: `Cancel a payment. Of an order that is over nothing changes, and its status is
shown.

Exit codes: 0 nothing is charged: the order is cancelled, or was over and unpaid; 1
no connection, no bridge, or no answer; 78 wrong command line or settings; 4 not
known yet whether it is cancelled, or the bridge gave the payment up; 5 refused by
the bridge; 6 too late: the customer had paid.
` + connectionHelp,
		Example: "  pos-bridge cancel --terminal SIM00001 --order pay-20261123-AB12CD",
		Args:    flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkBoth(terminal, order); err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			t, screen, err := h.connect(ctx, cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			verdict, err := till.Cancellation{Till: t, Screen: screen, Terminal: terminal, Order: order, JSON: h.json}.Run(ctx)
			if err != nil {
				return h.failure(screen, err, terminal, order)
			}
			return cancelled(verdict)
		},
	}
	h.orderFlags(cmd, &terminal, &order, "terminal of the payment", "order to cancel")
	h.flags(cmd, "write the bridge's reply as one JSON line")
	require(cmd, "terminal", "order")
	return cmd
}

// cancelled says how the command ends when the bridge has answered.
func cancelled(v schema.Verdict) error {
	switch v.Outcome {
	case schema.Unpaid:
		return nil
	case schema.Paid, schema.Returned:
		return &exitError{exitTooLate, errors.New(v.Cancelled)}
	}
	return &exitError{exitUnknown, errors.New(v.Cancelled)}
}
