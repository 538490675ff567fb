//go:build linux

// Command bench measures the bridge against the naive program of its folder
// naive, in turn on one machine, and prints medians and their ratios:
//
//	go run ./internal/bench
//	go run ./internal/bench -only starts,idle -runs 5 -bridge dist/bridge
//	go run ./internal/bench -only delivery,flood -contract
//
// NATS and the program that is measured run as processes of their own; the
// provider and the tills are in the benchmark. Every run begins with new ones.
// A latency counts from the provider's write until a core NATS subscriber has the
// status. Memory is what the process gained since before the first session.
// The progress on standard error says how much of the machine others
// used: ratios bear some of that, single values do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// runLimit bounds one run of one figure.
const runLimit = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], standard, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run measures and returns the exit code: 1 when a figure could not be measured,
// 2 for a wrong command line.
func run(ctx context.Context, args []string, s sizes, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "delivery,flood,idle,starts,failover,drop", "figures to measure")
	runs := flags.Int("runs", 3, "how often each figure is measured, 1 to 20")
	bridge := flags.String("bridge", "", "program to measure (default: built from the sources)")
	contract := flags.Bool("contract", false, "have the naive program publish what the contract asks for: what remains is the bridge's own cost")
	if flags.Parse(args) != nil {
		return 2
	}
	chosen, err := choose(*only)
	if err != nil || *runs < 1 || *runs > 20 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "bench: unknown figure or argument, or -runs not from 1 to 20")
		return 2
	}
	dir, err := os.MkdirTemp("", "bridge-bench-programs-")
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is in the system's temporary folder
	p, err := build(ctx, dir, *bridge)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	p.contract = *contract
	rows, err := measure(ctx, chosen, p, s, *runs, stderr)
	if err := errors.Join(err, table(stdout, rows)); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// choose returns the figures of a list of names.
func choose(list string) ([]figure, error) {
	var chosen []figure
	for name := range strings.SplitSeq(list, ",") {
		at := slices.IndexFunc(figures(), func(f figure) bool { return f.name == name })
		if at < 0 {
			return nil, fmt.Errorf("unknown figure %q", name)
		}
		chosen = append(chosen, figures()[at])
	}
	return chosen, nil
}

// build makes the programs in dir. A bridge that is given is taken as it is.
func build(ctx context.Context, dir, bridge string) (programs, error) {
	p := programs{nats: filepath.Join(dir, "nats-server"), naive: filepath.Join(dir, "naive"), bridge: bridge}
	packages := map[string]string{
		p.nats:  "github.com/nats-io/nats-server/v2",
		p.naive: "github.com/posbridge/bridge/internal/bench/naive",
	}
	if bridge == "" {
		p.bridge = filepath.Join(dir, "bridge")
		packages[p.bridge] = "github.com/posbridge/bridge/cmd/bridge"
	}
	for path, pkg := range packages {
		if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", path, pkg).CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return p, nil
}

// measure runs every figure so often, naive program and bridge in turn. It goes
// on after an error, and returns all of them with the rows that it could fill.
func measure(ctx context.Context, chosen []figure, p programs, s sizes, runs int, progress io.Writer) (all []row, failed error) {
	for _, f := range chosen {
		for n := 1; n <= runs && ctx.Err() == nil; n++ {
			for _, name := range []string{"naive", "bridge"} {
				if name == "naive" && f.bridgeOnly {
					continue
				}
				values, noise, err := once(ctx, f, p, s, name)
				if err != nil {
					err = fmt.Errorf("%s, run %d of %s: %w", f.name, n, name, err)
					failed = errors.Join(failed, err)
					fmt.Fprintln(progress, err)
					continue
				}
				fmt.Fprintf(progress, "%s, run %d of %s: %.4g; others used %.0f %% of the machine\n", f.name, n, name, values, noise)
				for i, v := range values {
					if row := &f.rows[i]; name == "naive" {
						row.naive = append(row.naive, v)
					} else {
						row.bridge = append(row.bridge, v)
					}
				}
			}
		}
		all = append(all, f.rows...)
	}
	return all, errors.Join(failed, ctx.Err())
}

// once measures one program once, with everything new. noise is what others used
// of the machine, in percent.
func once(ctx context.Context, f figure, p programs, s sizes, name string) (values []float64, noise float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	r, err := newRig(ctx, p, name)
	if err != nil {
		return nil, 0, err
	}
	defer r.close()
	begun, others := time.Now(), machine()-r.cpu()
	values, err = f.measure(ctx, r, s)
	others = machine() - r.cpu() - others
	if err != nil {
		err = errors.Join(err, r.subject.ended())
	}
	return values, max(0, 100*others/time.Since(begun).Seconds()/float64(runtime.NumCPU())), err
}
