package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/subjects"
)

// Further exit codes, of the commands that a person uses on the bus.
const (
	// exitNotPaid: the payment is over and was not paid.
	exitNotPaid = 3
	// exitUnknown: it is not known whether the payment was paid.
	exitUnknown = 4
	// exitRefused: the bridge answered with an error.
	exitRefused = 5
	// exitTooLate: the payment that was to be cancelled had been paid.
	exitTooLate = 6
)

// completionLimit bounds how long a shell waits for names to complete.
const completionLimit = 2 * time.Second

// connectionHelp ends the help of every command that connects to the bus.
const connectionHelp = `
Where NATS is and who you are there is taken from one place: the context of the
nats CLI that --context names; else BRIDGE_NATS_URL, BRIDGE_NATS_CREDS_FILE,
BRIDGE_NATS_NKEY_FILE, BRIDGE_NATS_CA_FILE, BRIDGE_NATS_CERT_FILE,
BRIDGE_NATS_KEY_FILE, BRIDGE_NATS_TLS_FIRST and BRIDGE_NATS_JS_DOMAIN when one of
them is set; else the nats CLI's selected
context; else nats://127.0.0.1:4222. BRIDGE_SUBJECT_PREFIX is the bridge's.`

// hand is what the commands on the bus take from outside, and their common flags.
type hand struct {
	getenv func(string) string
	now    func() time.Time
	// confirm asks a person a question; true is yes.
	confirm func(in io.Reader, out io.Writer, question string) bool
	context string
	json    bool
}

func newHand() *hand { return &hand{getenv: os.Getenv, now: time.Now, confirm: confirm} }

// flags adds the flags that every command on the bus has.
func (h *hand) flags(cmd *cobra.Command, jsonHelp string) {
	cmd.Flags().StringVar(&h.context, "context", "", "context of the nats CLI to connect with")
	cmd.Flags().BoolVar(&h.json, "json", false, jsonHelp)
	complete(cmd, "context", func(string) []string { return till.ContextNames(h.getenv) })
}

// orderFlags adds the flags that name a terminal and an order.
func (h *hand) orderFlags(cmd *cobra.Command, terminal, order *string, terminalHelp, orderHelp string) {
	cmd.Flags().StringVarP(terminal, "terminal", "t", "", terminalHelp)
	cmd.Flags().StringVarP(order, "order", "o", "", orderHelp)
	open := func(name func(terminal, order string) string) func(string) []string {
		return func(string) []string {
			var names []string
			for _, s := range h.open(cmd) {
				if n := name(s[0], s[1]); n != "" {
					names = append(names, n)
				}
			}
			return names
		}
	}
	complete(cmd, "terminal", open(func(terminal, _ string) string { return terminal }))
	complete(cmd, "order", open(func(t, order string) string {
		if *terminal != "" && *terminal != t {
			return ""
		}
		return order
	}))
}

// open asks for the terminals and orders with an open payment, for completion.
// Whatever goes wrong, there is nothing to complete then.
func (h *hand) open(cmd *cobra.Command) [][2]string {
	ctx, cancel := context.WithTimeout(contextOf(cmd), completionLimit)
	defer cancel()
	settings, err := till.LoadSettings(h.getenv, h.context)
	if err != nil {
		return nil
	}
	t, err := till.Connect(ctx, settings)
	if err != nil {
		return nil
	}
	defer t.Close()
	list, _, err := t.List(ctx)
	if err != nil {
		return nil
	}
	var open [][2]string
	for _, s := range list.Sessions {
		if subjects.CheckTerminal(s.TerminalID) == nil && subjects.CheckOrder(s.OrderID) == nil {
			open = append(open, [2]string{s.TerminalID, s.OrderID})
		}
	}
	return open
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// complete completes a flag's value from a list.
func complete(cmd *cobra.Command, flag string, names func(typed string) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var matching []cobra.Completion
		for _, name := range names(typed) {
			if strings.HasPrefix(name, typed) {
				matching = append(matching, name)
			}
		}
		return matching, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil { // the flag is not there, or has a completion: a mistake in this program
		panic(err)
	}
}

// connect connects to the bus and looks at where the output goes. The error is
// an *exitError.
func (h *hand) connect(ctx context.Context, cmd *cobra.Command) (*till.Till, *till.Screen, error) {
	settings, err := till.LoadSettings(h.getenv, h.context)
	if err != nil {
		return nil, nil, &exitError{exitBadConfig, err}
	}
	screen := till.NewScreen(cmd.OutOrStdout(), cmd.ErrOrStderr(), h.getenv)
	t, err := till.Connect(ctx, settings)
	if err != nil {
		return nil, nil, h.failure(screen, err, "", "")
	}
	return t, screen, nil
}

// failure turns an error of the bus into what the program says and its exit code.
func (h *hand) failure(screen *till.Screen, err error, terminal, order string) error {
	if err == nil {
		return nil
	}
	code := exitFailure
	if refused, ok := errors.AsType[*client.Error](err); ok {
		code = exitRefused
		if h.json {
			screen.JSON(refused.Body)
		}
	}
	text := till.Describe(err)
	for _, advice := range till.Advice(err, terminal, order) {
		text += "\n  " + advice
	}
	return &exitError{code, errors.New(text)}
}

// usage is a wrong command line.
func usage(err error) error { return &exitError{exitBadConfig, err} }

// checkOrder holds the ids of a command line to what a subject may carry; an
// empty one is not checked.
func checkOrder(terminal, order string) error {
	if terminal != "" {
		if err := subjects.CheckTerminal(terminal); err != nil {
			return usage(errors.New("--" + err.Error()))
		}
	}
	if order != "" {
		if err := subjects.CheckOrder(order); err != nil {
			return usage(errors.New("--" + err.Error()))
		}
	}
	return nil
}

// checkBoth is checkOrder for a command that needs both.
func checkBoth(terminal, order string) error {
	if err := subjects.CheckTerminal(terminal); err != nil {
		return usage(errors.New("--" + err.Error()))
	}
	if err := subjects.CheckOrder(order); err != nil {
		return usage(errors.New("--" + err.Error()))
	}
	return nil
}

// untilStopped returns a context that ends on SIGINT and SIGTERM.
func untilStopped(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(contextOf(cmd), os.Interrupt, syscall.SIGTERM)
}
