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

// GoOn says what to try next. The lines can be copied as they are: they need
// nothing but this program.
func (g Guide) GoOn(out io.Writer) {
	terminal := func(i int) string { return g.Terminals[i%len(g.Terminals)] }
	fmt.Fprintf(out, `
Everything stays up. Start payments on the page of the virtual terminals:
%[3]s/

Or in another window:

  export BRIDGE_NATS_URL=%[1]s
  # pay
  %[2]s pay --terminal %[4]s --amount 12.50
  # the last digits of the amount choose what the customer does: declined once, then paid
  %[2]s pay --terminal %[5]s --amount 77.65
  # paid, and refunded a moment later
  %[2]s pay --terminal %[6]s --amount 77.12
  # be the customer yourself: this one waits for your hand on the page, and Ctrl-C cancels it
  %[2]s pay --terminal %[7]s --amount 77.99
  # every status of the last ten minutes, and each new one
  %[2]s watch --since 10m

What the simulator can do, and break: docs/simulator.md. Stop with Ctrl-C.
`, g.NATS, g.Command, g.Simulator, terminal(0), terminal(1), terminal(2), terminal(3))
}
