package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/till"
)

// maxShownArgument bounds an argument that an error shows, in characters.
const maxShownArgument = 60

// flagsOnly refuses arguments without a flag before them, and says which flag was
// probably meant. Two ids in a row could be mixed up, so both have a flag.
func flagsOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	shown := till.Printable(args[0], maxShownArgument)
	var meant []string
	for _, flag := range []string{"amount", "terminal", "order"} {
		if cmd.Flags().Lookup(flag) == nil || cmd.Flags().Changed(flag) || flag == "amount" && strings.Trim(args[0], "0123456789.,") != "" {
			continue
		}
		meant = append(meant, "--"+flag+" "+shown)
	}
	if len(meant) == 0 {
		return usage(fmt.Errorf("unexpected argument %q; see %q", shown, cmd.CommandPath()+" --help"))
	}
	return usage(fmt.Errorf("unexpected argument %q; did you mean %s?", shown, strings.Join(meant, " or ")))
}

// errDeclined ends a command that a person did not confirm.
var errDeclined = errors.New("nothing was started")

// confirm asks a person a question and reports whether the answer is yes. It asks
// only if somebody sits there: without a terminal there is nobody to ask, and the
// answer is yes.
func confirm(in io.Reader, out io.Writer, question string) bool {
	for _, end := range []any{in, out} {
		if f, ok := end.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) {
			return true
		}
	}
	return answered(in, out, question)
}

// answered asks a question and reads one line.
func answered(in io.Reader, out io.Writer, question string) bool {
	_, _ = fmt.Fprintf(out, "%s [y/N] ", question) // without an answer it is no
	line, _ := bufio.NewReader(io.LimitReader(in, maxShownArgument)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}
