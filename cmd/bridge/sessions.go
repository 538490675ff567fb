package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/till"
)

// newSessions is "pos-bridge sessions": show the open payments, or one order.
func newSessions() *cobra.Command { return newHand().sessions() }

func (h *hand) sessions() *cobra.Command {
	var filter client.Filter
	var all bool
	cmd := &cobra.Command{
		Use:     "sessions [--all] [--terminal ID [--order ID]]",
		Aliases: []string{"list", "get", "status"},
		Short:   "Show the open payments, or one order",
		Long: `Show the open payments of all terminals or of one; with --terminal and --order
that order, whether it is open or over. --all shows every payment that has
changed within the last day, also long after its end (a refund, for example), as
the status stream has it; with --json, the last event of each.

Exit codes: 0 the bridge has answered; 1 no connection, no bridge, or no answer;
78 wrong command line or settings; 5 refused by the bridge (an order that it does
not know, for example).
` + connectionHelp,
		Example: `  pos-bridge sessions
  pos-bridge sessions --all
  pos-bridge sessions --terminal SIM00001 --order pay-20261123-AB12CD`,
		Args: flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if filter.Order != "" && filter.Terminal == "" {
				return usage(errors.New("--terminal is missing: an order is known by its terminal and its id"))
			}
			if filter.Order != "" && all {
				return usage(errors.New("--all and --order exclude each other"))
			}
			if err := checkOrder(filter.Terminal, filter.Order); err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			t, screen, err := h.connect(ctx, cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			err = till.Sessions{Till: t, Screen: screen, Filter: filter, All: all, JSON: h.json, Now: h.now}.Run(ctx)
			return h.failure(screen, err, filter.Terminal, filter.Order)
		},
	}
	h.orderFlags(cmd, &filter.Terminal, &filter.Order, "only this terminal", "only this order")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also payments that are over and have changed within the last day")
	h.flags(cmd, "write the bridge's reply as one JSON line")
	return cmd
}
