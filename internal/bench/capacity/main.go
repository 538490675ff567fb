//go:build linux

// Command capacity measures what one prefix of the bridge can carry, and compares it
// with a busy Saturday:
//
//	go run ./internal/bench/capacity bus        # what the messages of payments cost NATS
//	go run ./internal/bench/capacity bridge     # whole payments, one and two prefixes
//	go run ./internal/bench/capacity fill       # what stored orders cost
//	go run ./internal/bench/capacity saturday   # 100,000 terminals on a busy Saturday
//
// The first three run nats-server and the bridge as processes of their own. docs/operations.md
// has the figures of one machine, and what follows from them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 1 when something could not be measured, 2 for a wrong
// command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("capacity", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&s.workers, "workers", 64, "payments at the same time, for each prefix")
	flags.DurationVar(&s.duration, "duration", 15*time.Second, "how long each load lasts")
	flags.IntVar(&s.servers, "servers", 0, "servers of NATS, 1 or 3 (default: both)")
	flags.IntVar(&s.prefixes, "prefixes", 0, "prefixes on them, 1 or 2 (default: both)")
	flags.BoolVar(&s.always, "always", false, "sync_interval: always")
	flags.IntVar(&s.orders, "orders", 300_000, "orders to fill the stream with")
	flags.IntVar(&s.terminals, "terminals", 100_000, "terminals on Saturday")
	flags.IntVar(&s.capacity, "capacity", 200, "payments per second that one prefix carries with reserve")
	flags.Uint64Var(&s.seed, "seed", 1, "of the Saturday")
	if len(args) == 0 {
		args = []string{""}
	}
	if flags.Parse(args[1:]) != nil {
		return 2
	}
	measure, known := map[string]func(context.Context, settings, io.Writer) error{
		"bus": measureBus, "bridge": measureBridge, "fill": measureFill, "saturday": simulateSaturday,
	}[args[0]]
	if !known || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "capacity: name one of bus, bridge, fill, saturday")
		return 2
	}
	if err := measure(ctx, s, stdout); err != nil {
		fmt.Fprintln(stderr, "capacity:", err)
		return 1
	}
	return 0
}
