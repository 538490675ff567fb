package main

import (
	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/till"
)

// newReceipt is "pos-bridge receipt": print a receipt.
func newReceipt() *cobra.Command { return newHand().receipt() }

func (h *hand) receipt() *cobra.Command {
	var terminal, order string
	cmd := &cobra.Command{
		Use:   "receipt --terminal ID --order ID",
		Short: "Print the receipt of a payment",
		Long: `Print what MultiSafepay has for the receipt of a payment, 42 columns wide. Of the
card number it shows the last four digits.

Exit codes: 0 the receipt is written; 1 no connection, no bridge, or no answer;
78 wrong command line or settings; 5 refused by the bridge.
` + connectionHelp,
		Example: `  pos-bridge receipt --terminal SIM00001 --order pay-20261123-AB12CD
  pos-bridge receipt --terminal SIM00001 --order pay-20261123-AB12CD --json`,
		Args: flagsOnly,
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
			err = till.Receipt{Till: t, Screen: screen, Terminal: terminal, Order: order, JSON: h.json}.Run(ctx)
			return h.failure(screen, err, terminal, order)
		},
	}
	h.orderFlags(cmd, &terminal, &order, "terminal of the payment", "order of the receipt")
	h.flags(cmd, "write the bridge's reply as one JSON line")
	require(cmd, "terminal", "order")
	return cmd
}
