package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// newPay is "pos-bridge pay": start a payment and show its course.
func newPay() *cobra.Command { return newHand().pay() }

func (h *hand) pay() *cobra.Command {
	var (
		request schema.StartRequest
		custom  schema.CustomInfo
		amount  string
		timeout time.Duration
		settle  time.Duration
	)
	cmd := &cobra.Command{
		Use:     "pay --terminal ID --amount 12.50",
		Aliases: []string{"start"},
		Short:   "Start a payment on a terminal and show its course until it is over",
		Long: `Start a payment on a terminal and show its course until it is over.

The first Ctrl-C cancels the payment and goes on showing it; the second leaves
it: the payment goes on then, and "pos-bridge watch" shows it.

On a terminal, an amount without a decimal point is asked for again: 1250 is
1250.00 EUR, not 12.50 EUR.

After the end it goes on watching for --settle: a payment may be reversed at once,
because the card was pulled too early.

To run the command again with the same --order is safe: it never makes a second
payment, it goes on showing the first.

Exit codes: 0 paid; 1 nothing was started, for want of a connection or of a
bridge; 78 wrong command line or settings; 3 over and not paid (cancelled,
expired, void, not created), or the money goes back; 4 not known whether paid (unresolved, left, or no end within
--timeout); 5 refused by the bridge.
` + connectionHelp,
		Example: `  pos-bridge pay --terminal SIM00001 --amount 12.50
  pos-bridge pay -t SIM00001 --amount 1200 --currency JPY --order INV/2026-17 --json`,
		Args: flagsOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			request.Currency = strings.ToUpper(request.Currency)
			var err error
			if request.Amount, err = till.ParseAmount(amount, request.Currency); err != nil {
				return usage(fmt.Errorf("--%w", err))
			}
			if timeout <= 0 {
				return usage(errors.New("--timeout must be a positive duration, such as 35m"))
			}
			if settle < 0 {
				return usage(errors.New("--settle must not be negative; 0 does not wait"))
			}
			if !cmd.Flags().Changed("order") {
				request.OrderID = till.NewOrderID(h.now())
			}
			if custom != (schema.CustomInfo{}) {
				request.CustomInfo = &custom
			}
			if err := checkStart(request); err != nil {
				return err
			}
			shown := till.FormatAmount(request.Amount, request.Currency)
			if digits, _ := schema.CurrencyDigits(request.Currency); digits > 0 && !strings.Contains(amount, ".") &&
				!h.confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "Charge "+shown+" on terminal "+request.TerminalID+"?") {
				return &exitError{exitFailure, fmt.Errorf("%w; write the decimals, as in --amount %s", errDeclined, strings.Fields(shown)[0])}
			}
			return h.runPay(cmd, till.Payment{Request: request, Timeout: timeout, Settle: settle})
		},
	}
	h.orderFlags(cmd, &request.TerminalID, &request.OrderID, "terminal that asks for the card", "order id; made up when left out")
	f := cmd.Flags()
	f.StringVar(&amount, "amount", "", "amount with a point before the decimals, such as 12.50")
	f.StringVar(&request.Currency, "currency", "EUR", "ISO 4217 code")
	f.StringVar(&request.Description, "description", "", "what the payment is for; the order id when left out")
	f.StringVar(&custom.Custom1, "custom-1", "", "your own text, passed on to MultiSafepay")
	f.StringVar(&custom.Custom2, "custom-2", "", "your own text, passed on to MultiSafepay")
	f.StringVar(&custom.Custom3, "custom-3", "", "your own text, passed on to MultiSafepay")
	f.DurationVar(&timeout, "timeout", 35*time.Minute, "how long to wait for the end; the bridge gives up after BRIDGE_SESSION_TIMEOUT, 30m")
	f.DurationVar(&settle, "settle", 3*time.Second, "how long to watch for a reversal after the end; as the bridge's BRIDGE_SETTLE_WINDOW")
	h.flags(cmd, "write every message as one JSON line")
	complete(cmd, "currency", func(string) []string { return schema.Currencies() })
	require(cmd, "terminal", "amount")
	return cmd
}

// runPay runs a payment of which the request and the times are given.
func (h *hand) runPay(cmd *cobra.Command, payment till.Payment) error {
	ctx, cancel := signal.NotifyContext(contextOf(cmd), syscall.SIGTERM)
	defer cancel()
	connecting, stop := signal.NotifyContext(ctx, os.Interrupt)
	t, screen, err := h.connect(connecting, cmd)
	stop()
	if err != nil {
		return err
	}
	defer t.Close()
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	payment.Till, payment.Screen, payment.JSON = t, screen, h.json
	payment.Interrupts, payment.Now = interrupts, h.now
	outcome, err := payment.Run(ctx)
	if err == nil {
		err = screen.Err()
	}
	switch {
	case err != nil:
		return h.failure(screen, err, payment.Request.TerminalID, payment.Request.OrderID)
	case outcome == till.OutcomePaid:
		return nil
	case outcome == till.OutcomeNotPaid:
		return &exitError{Code: exitNotPaid}
	}
	return &exitError{Code: exitUnknown}
}

// checkStart finds on the command line what the bridge would refuse.
func checkStart(r schema.StartRequest) error {
	if err := checkBoth(r.TerminalID, r.OrderID); err != nil {
		return err
	}
	if refused, ok := errors.AsType[*schema.Error](r.Check()); ok {
		return usage(errors.New(refused.Message))
	}
	return nil
}
