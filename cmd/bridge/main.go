// Command bridge is the program pos-bridge. It takes card payments on SmartPOS terminals from a NATS bus to
// MultiSafepay and every status change back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// program is what the program is called where it is installed. "bridge" is a
// command of iproute2.
const program = "pos-bridge"

// Exit codes of the program.
const (
	exitOK      = 0
	exitFailure = 1
	// exitBadConfig: the command line or the configuration cannot be used. It is
	// EX_CONFIG of sysexits.h, and not 2, with which a Go panic ends.
	exitBadConfig = 78
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exitError ends the program with a code. A nil Err prints nothing: whoever
// returned it has told the user already.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// run is the program with everything it touches passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	hideStandardLog(nil)
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitBadConfig // what cobra itself refuses is a wrong command line
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.Code
		err = exit.Err
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Version:       versionLine(),
		Short:         "Card payments on SmartPOS terminals, from your NATS bus and back",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newDev(), newSimulate(), newPay(), newCancel(), newWatch(), newSessions(), newReceipt(), newCheck(), newSchema(), newVersion())
	return root
}
