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
	// Dir is where JetStream's files are kept; empty when they go with the run.
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

// GoOn says what to try next, in lines that can be copied.
func (g Guide) GoOn(out io.Writer) {
	t := g.Terminals[1%len(g.Terminals)]
	fmt.Fprintf(out, `
Everything stays up. Try, in another window:

  # watch every status on the bus
  nats --server %[1]s sub 'pos.*.*.status'
  # pay; the last digits of the amount or custom_1 choose what the customer does
  nats --server %[1]s req pos.payment.start '{"order_id":"order-1","terminal_id":"%[2]s","amount":1250,"currency":"EUR"}'
  nats --server %[1]s req pos.payment.start '{"order_id":"order-2","terminal_id":"%[2]s","amount":1250,"currency":"EUR","custom_info":{"custom_1":"scenario:wait"}}'
  nats --server %[1]s req pos.payment.list '{}'
  # be the customer of order-2, or the till that gives up
  curl -s -X POST %[3]s/simulator/terminals/%[2]s/approve
  nats --server %[1]s req pos.payment.cancel '{"order_id":"order-2","terminal_id":"%[2]s"}'
  # the same without the nats tool
  BRIDGE_NATS_URL=%[1]s bridge pay --terminal %[2]s --amount 12.50
  BRIDGE_NATS_URL=%[1]s bridge watch
  # what the simulator can do, and break: docs/simulator.md
  curl -s %[3]s/simulator/state

Stop with Ctrl-C.
`, g.NATS, t, g.Simulator)
}
