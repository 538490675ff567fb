package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
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
	complete(cmd, "terminal", func(string) []string {
		list := h.list(cmd)
		for _, s := range list.Sessions {
			list.Terminals = append(list.Terminals, s.TerminalID)
		}
		return list.Terminals
	})
	complete(cmd, "order", func(string) []string {
		var orders []string
		for _, s := range h.list(cmd).Sessions {
			if *terminal == "" || *terminal == s.TerminalID {
				orders = append(orders, s.OrderID)
			}
		}
		return orders
	})
}

// list asks for the terminals, and the orders with an open payment, for completion.
// Whatever goes wrong, there is nothing to complete then. It leaves out what is no id.
func (h *hand) list(cmd *cobra.Command) (list schema.ListReply) {
	ctx, cancel := context.WithTimeout(contextOf(cmd), completionLimit)
	defer cancel()
	settings, err := till.LoadSettings(h.getenv, h.context)
	if err != nil {
		return list
	}
	t, err := till.Connect(ctx, settings)
	if err != nil {
		return list
	}
	defer t.Close()
	if list, _, err = t.List(ctx); err != nil {
		return schema.ListReply{}
	}
	list.Terminals = slices.DeleteFunc(list.Terminals, func(id string) bool { return subjects.CheckTerminal(id) != nil })
	list.Sessions = slices.DeleteFunc(list.Sessions, func(s schema.Session) bool {
		return subjects.CheckTerminal(s.TerminalID) != nil || subjects.CheckOrder(s.OrderID) != nil
	})
	return list
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
			if strings.HasPrefix(name, typed) && !slices.Contains(matching, name) {
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
	screen.Program = howCalled()
	if h.context != "" {
		screen.Flags = "--context " + forShell(h.context)
	}
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
	for _, advice := range screen.Advice(err, terminal, order) {
		text += "\n  " + advice
	}
	return &exitError{code, errors.New(text)}
}

// usage is a wrong command line.
func usage(err error) error { return &exitError{exitBadConfig, err} }

// require makes flags necessary, and says in plain words that one is missing.
func require(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is not there: a mistake in this program
		}
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var missing []string
		for _, flag := range flags {
			if !cmd.Flags().Changed(flag) {
				missing = append(missing, "--"+flag)
			}
		}
		verb := " is missing"
		switch len(missing) {
		case 0:
			return nil
		case 1:
		default:
			verb = " are missing"
		}
		return usage(fmt.Errorf("%s%s; see %q", strings.Join(missing, " and "), verb, cmd.CommandPath()+" --help"))
	}
}

// checkOrder holds the ids of a command line to what a subject may carry; an
// empty one is not checked.
func checkOrder(terminal, order string) error {
	return checkBoth(cmp.Or(terminal, "any"), cmp.Or(order, "any"))
}

// checkBoth is checkOrder for a command that needs both.
func checkBoth(terminal, order string) error {
	refused, ok := errors.AsType[*schema.Error](schema.OrderRequest{TerminalID: terminal, OrderID: order}.Check())
	if !ok {
		return nil
	}
	text := refused.Message
	for field, flag := range map[string]string{"terminal_id": "--terminal", "order_id": "--order"} {
		if rest, found := strings.CutPrefix(text, field); found {
			text = flag + rest
		}
	}
	return usage(errors.New(text))
}

// untilStopped returns a context that ends on SIGINT and SIGTERM.
func untilStopped(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(contextOf(cmd), os.Interrupt, syscall.SIGTERM)
}
