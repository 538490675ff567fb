package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/simulator"
)

// simulateFlags are the flags of pos-bridge simulate.
type simulateFlags struct {
	addr             string
	groups           []string
	pace             float64
	inactivity       time.Duration
	tokenTTL         time.Duration
	manual           bool
	presentState     bool
	state            string
	webhookRetry     time.Duration
	webhooksAnywhere bool
}

func newSimulate() *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run the provider and its terminals, simulated",
		Long: `Run the provider's order API, its event stream and virtual SmartPOS terminals
on this machine. Terminals act by themselves, as the order's amount or custom_1
asks for, or wait for a hand. No money moves, no key is real.`,
		Example: `  pos-bridge simulate
  pos-bridge simulate --pace 20 --group 57958=till-key:T0001..T0050
  pos-bridge simulate --manual --inactivity 5m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return simulate(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8900", "address to listen on")
	flags.StringArrayVar(&f.groups, "group", nil, "terminal group as id=key:T1,T2 or id=key:T01..T99; may be given more than once")
	flags.Float64Var(&f.pace, "pace", 1, "how fast customers act: 1 leaves about a second between steps, 100 ten milliseconds")
	flags.DurationVar(&f.inactivity, "inactivity", simulator.DefaultInactivityTimeout, "after which an untouched payment is cancelled")
	flags.DurationVar(&f.tokenTTL, "token-ttl", simulator.DefaultTokenTTL, "how long an events token is good for")
	flags.BoolVar(&f.manual, "manual", false, "terminals wait for a hand instead of acting by themselves")
	flags.StringVar(&f.state, "state", "", "file that keeps orders, faults and settings over the simulator's end, a kill included")
	flags.BoolVar(&f.presentState, "present-state", false, "give a new stream the order's present state first")
	flags.DurationVar(&f.webhookRetry, "webhook-retry", simulator.DefaultWebhookRetry, "pause before a webhook that was not taken is sent again")
	flags.BoolVar(&f.webhooksAnywhere, "webhooks-anywhere", false, "send webhooks to any address, not to loopback only")
	return cmd
}

func simulate(cmd *cobra.Command, f simulateFlags) error {
	groups, err := parseGroups(f.groups)
	if err != nil {
		return &exitError{Code: exitBadConfig, Err: err}
	}
	for _, flag := range []struct {
		name  string
		wrong bool
	}{{"--pace", f.pace <= 0}, {"--inactivity", f.inactivity <= 0}, {"--token-ttl", f.tokenTTL <= 0}, {"--webhook-retry", f.webhookRetry <= 0}} {
		if flag.wrong { // the zero value would stand for the default
			return &exitError{Code: exitBadConfig, Err: fmt.Errorf("%s must be more than 0", flag.name)}
		}
	}
	sim, err := simulator.New(simulator.Options{
		Groups: groups, Pace: f.pace, InactivityTimeout: f.inactivity, TokenTTL: f.tokenTTL,
		StateFile: f.state, Manual: f.manual, SendPresentState: f.presentState, WebhooksAnywhere: f.webhooksAnywhere, WebhookRetry: f.webhookRetry,
	})
	if err != nil {
		return &exitError{Code: exitBadConfig, Err: err}
	}
	defer sim.Close()
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		return &exitError{Code: exitBadConfig, Err: fmt.Errorf("--addr must be an address that the simulator can listen on: %w", err)}
	}

	// After the first signal stop() gives the second one its ordinary effect.
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if groups == nil {
		groups = simulator.DefaultGroups()
	}
	if err := printSimulator(cmd.OutOrStdout(), listener.Addr(), groups); err != nil {
		return &exitError{Code: exitFailure, Err: errors.Join(err, listener.Close())}
	}
	go func() {
		<-ctx.Done()
		stop()
	}()
	if err := sim.Serve(ctx, listener); err != nil {
		return &exitError{Code: exitFailure, Err: err}
	}
	return nil
}

// maxRange is how many terminals one T01..T99 may stand for.
const maxRange = 10_000

// parseGroups reads --group values; none at all is nil, the simulator's default.
func parseGroups(values []string) ([]simulator.Group, error) {
	var groups []simulator.Group
	for _, value := range values {
		id, rest, ok := strings.Cut(value, "=")
		colon := strings.LastIndexByte(rest, ':')
		if !ok || id == "" || colon < 1 || colon == len(rest)-1 {
			return nil, errors.New("--group must be id=key:T1,T2")
		}
		g := simulator.Group{ID: id, APIKey: rest[:colon]}
		for part := range strings.SplitSeq(rest[colon+1:], ",") {
			terminals, err := parseTerminals(strings.TrimSpace(part))
			if err != nil {
				return nil, err
			}
			g.Terminals = append(g.Terminals, terminals...)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// parseTerminals reads T1, or T01..T99 for a row of terminals with as many digits.
func parseTerminals(text string) ([]string, error) {
	first, last, isRange := strings.Cut(text, "..")
	if !isRange {
		return []string{text}, nil
	}
	wrong := fmt.Errorf("--group: %.64q must be a range like T01..T99, of at most %d terminals", text, maxRange)
	prefix := strings.TrimRight(first, "0123456789")
	digits := len(first) - len(prefix)
	if digits == 0 || len(last) != len(first) || !strings.HasPrefix(last, prefix) {
		return nil, wrong
	}
	from, err1 := strconv.Atoi(first[len(prefix):])
	to, err2 := strconv.Atoi(last[len(prefix):])
	if err1 != nil || err2 != nil || from > to || to-from >= maxRange {
		return nil, wrong
	}
	var ids []string
	for n := from; n <= to; n++ {
		ids = append(ids, fmt.Sprintf("%s%0*d", prefix, digits, n))
	}
	return ids, nil
}

// printSimulator says where the simulator is and how to play with it.
func printSimulator(out io.Writer, addr net.Addr, groups []simulator.Group) error {
	base := "http://" + reachable(addr)
	key, terminal := groups[0].APIKey, groups[0].Terminals[0]
	var text bytes.Buffer // so that it is written at once
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("The provider and its SmartPOS terminals, simulated. No money moves.")
	line("")
	line("  API\t%s/v1/json\tBRIDGE_API_URL", base)
	line("  Events\t%s/events/stream/\tfrom every create answer", base)
	line("  Control\t%s/\tthe virtual terminals in a browser; /simulator/… for programs", base)
	line("")
	line("Terminal groups")
	for _, g := range groups {
		line("  %s\tkey %s\t%s", g.ID, g.APIKey, someOf(g.Terminals))
	}
	line("")
	line(`What a payment does, by the last four digits of its amount or by custom_1 "scenario:<name>"`)
	for _, sc := range simulator.Scenarios() {
		line("  %s\t%s\t%s", sc.Amount, sc.Name, strings.Join(sc.Statuses, ", "))
	}
	line("")
	line("Try")
	line(`  curl -s '%s/v1/json/orders?api_key=%s' -H 'Content-Type: application/json' \`, base, key)
	line(`    -d '{"type":"redirect","order_id":"order-1","gateway":"","currency":"EUR","amount":7765,"description":"coffee","gateway_info":{"terminal_id":"%s"}}'`, terminal)
	line(`  curl -sN %s/events/stream/ -H 'Authorization: <events_token>'`, base)
	line(`  curl -s -X POST %s/simulator/terminals/%s/approve`, base, terminal)
	line(`  curl -s %s/simulator/faults -d '{"fault":"drop_stream","after":1}'`, base)
	line("")
	line("Stop with Ctrl-C.")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("lay out simulator's addresses: %w", err)
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("print simulator's addresses: %w", err)
	}
	return nil
}

// reachable is the address with a host that a client on this machine can use.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// someOf names a few of many.
func someOf(terminals []string) string {
	const few = 8
	if len(terminals) <= few {
		return strings.Join(terminals, " ")
	}
	return fmt.Sprintf("%s … %s (%d)", strings.Join(terminals[:3], " "), terminals[len(terminals)-1], len(terminals))
}
