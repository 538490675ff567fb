package dev

import (
	"fmt"
	"io"
)

// Guide tells a person what runs where and what to try next.
type Guide struct {
	// NATS, Simulator and Console are addresses.
	NATS, Simulator, Console string
	// Key of the simulated terminal group.
	Key string
	// Terminals that are simulated.
	Terminals []string
	// Command is how this program is called.
	Command string
	// Dir is where JetStream's files and the simulator's state are kept; empty when they go with the run.
	Dir string
}

// Addresses says what runs where.
func (g Guide) Addresses(out io.Writer) {
	fmt.Fprintf(out, "The whole bridge on this machine. No money moves.\n\n")
	fmt.Fprintf(out, "  Console           %s/\n", g.Console)
	fmt.Fprintf(out, "  Virtual terminal  %s/\n", g.Simulator)
	fmt.Fprintf(out, "  NATS              %s\n", g.NATS)
	fmt.Fprintf(out, "  Health, metrics   %s/readyz  %s/metrics\n", g.Console, g.Console)
	fmt.Fprintf(out, "  Terminals         ")
	for i, t := range g.Terminals {
		if i > 0 {
			fmt.Fprint(out, ", ")
		}
		fmt.Fprint(out, t)
	}
	fmt.Fprintln(out)
	if g.Dir != "" {
		fmt.Fprintf(out, "  Data              %s\n", g.Dir)
	}
}

// GoOn says what to try next, in lines that can be copied, one after the other
// or all at once.
func (g Guide) GoOn(out io.Writer) {
	terminal := func(i int) string { return g.Terminals[i%len(g.Terminals)] }
	fmt.Fprintf(out, `
Everything stays up. Try, in another window:

  # pay, and watch every payment
  export BRIDGE_NATS_URL=%[1]s
  %[2]s pay --terminal %[4]s --amount 12.50
  %[2]s watch --since 10m

  # the same with the nats command (github.com/nats-io/natscli)
  nats --server %[1]s sub 'pos.*.*.status'
  nats --server %[1]s req pos.payment.start '{"order_id":"order-1","terminal_id":"%[5]s","amount":1250,"currency":"EUR"}'
  # the last digits of the amount, or custom_1, choose what the customer does: declined once, then paid
  nats --server %[1]s req pos.payment.start '{"order_id":"order-2","terminal_id":"%[6]s","amount":7765,"currency":"EUR"}'

  # be the customer yourself: this one waits for your hand
  nats --server %[1]s req pos.payment.start '{"order_id":"order-3","terminal_id":"%[7]s","amount":1250,"currency":"EUR","custom_info":{"custom_1":"scenario:wait"}}'
  nats --server %[1]s req pos.payment.list '{}'
  curl -s -X POST %[3]s/simulator/terminals/%[7]s/approve
  # or have the till give up instead
  nats --server %[1]s req pos.payment.cancel '{"order_id":"order-3","terminal_id":"%[7]s"}'

  # after the end: give the money of the first terminal's last payment back, and see it arrive on pos.%[4]s.*.status
  curl -s -X POST %[3]s/simulator/terminals/%[4]s/refund

What the simulator can do, and break: docs/simulator.md. Stop with Ctrl-C.
`, g.NATS, g.Command, g.Simulator, terminal(0), terminal(1), terminal(2), terminal(3))
}
