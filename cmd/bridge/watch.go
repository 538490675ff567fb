package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/till"
)

// newWatch is "pos-bridge watch": show status events as they come.
func newWatch() *cobra.Command { return newHand().watch() }

func (h *hand) watch() *cobra.Command {
	var (
		filter client.Filter
		since  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "watch [--terminal ID] [--order ID]",
		Short: "Show status events as they come, of all terminals or of one",
		Long: `Show status events as they come, of all terminals, of one, or of one order, until
Ctrl-C. With --since those of the past come first, from the status stream; between
them and the live ones there is no gap and no double.

Exit codes: 0 stopped; 1 no connection, or no right to subscribe or to read the
stream; 78 wrong command line or settings.
` + connectionHelp,
		Example: `  pos-bridge watch
  pos-bridge watch --terminal SIM00001 --since 10m
  pos-bridge watch --json | jq -r 'select(.final) | .order_id + " " + .status'`,
		Args: flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since < 0 {
				return usage(errors.New("--since must be a positive duration, such as 10m"))
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
			err = till.Watch{Till: t, Screen: screen, Filter: filter, Since: since, JSON: h.json, Now: h.now}.Run(ctx)
			return h.failure(screen, err, filter.Terminal, filter.Order)
		},
	}
	h.orderFlags(cmd, &filter.Terminal, &filter.Order, "only this terminal", "only this order")
	cmd.Flags().DurationVar(&since, "since", 0, "begin with the events of the last, for example, 10m")
	h.flags(cmd, "write every message as one JSON line")
	return cmd
}
