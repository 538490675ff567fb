package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/schema"
)

// A person who types an amount without a decimal point is asked; nobody else is.
func TestPayAsksForWholeAmounts(t *testing.T) {
	t.Parallel()
	_, environment := busOf(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		return nil, schema.NewError(schema.TerminalBusy, "busy")
	}})
	for name, tt := range map[string]struct {
		args, question string
		yes            bool
		code           int
	}{
		"no":                   {"--amount 1250", "Charge 1250.00 EUR on terminal T1?", false, exitFailure},
		"yes":                  {"--amount 1250", "Charge 1250.00 EUR on terminal T1?", true, exitRefused},
		"with decimals":        {"--amount 12.50", "", false, exitRefused},
		"with zeros":           {"--amount 1250.00", "", false, exitRefused},
		"without decimals":     {"--amount 1250 --currency JPY", "", false, exitRefused},
		"with three decimals":  {"--amount 5 --currency KWD", "Charge 5.000 KWD on terminal T1?", false, exitFailure},
		"known by its command": {"--amount 1250 --order a", "Charge 1250.00 EUR on terminal T1?", false, exitFailure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked string
			h := &hand{getenv: func(name string) string { return environment[name] }, now: time.Now}
			h.confirm = func(_ io.Reader, _ io.Writer, question string) bool {
				asked = question
				return tt.yes
			}
			cmd := h.pay()
			var out, errout bytes.Buffer
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs(append([]string{"--terminal", "T1"}, strings.Fields(tt.args)...))
			cmd.SetOut(&out)
			cmd.SetErr(&errout)
			code := exitCode(&errout, cmd.ExecuteContext(t.Context()))
			if code != tt.code || asked != tt.question {
				t.Errorf("got exit %d and the question %q, want exit %d and %q\n%s", code, asked, tt.code, tt.question, errout.String())
			}
			if code == exitFailure && !strings.Contains(errout.String(), "nothing was started; write the decimals, as in --amount ") {
				t.Errorf("got %q", errout.String())
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{"y\n": true, " YES \n": true, "y": true, "\n": false, "": false, "n\n": false, "yesterday\n": false, "1250\n": false} {
		var out bytes.Buffer
		if got := answered(strings.NewReader(typed), &out, "Charge?"); got != want || out.String() != "Charge? [y/N] " {
			t.Errorf("%q: got %v after %q, want %v", typed, got, out.String(), want)
		}
	}
	if !confirm(strings.NewReader("n\n"), io.Discard, "Charge?") {
		t.Error("a script is asked")
	}
}

// The words of NATS's commands are understood, too.
func TestAliases(t *testing.T) {
	t.Parallel()
	root := newRoot()
	for alias, want := range map[string]string{"start": "pay", "list": "sessions", "get": "sessions", "status": "sessions", "pay": "pay"} {
		cmd, _, err := root.Find([]string{alias})
		if err != nil || cmd.Name() != want {
			t.Errorf("%s: got %s, %v, want %s", alias, cmd.Name(), err, want)
		}
	}
}

// "pos-bridge --version" and "pos-bridge version" say the same.
func TestVersion(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for _, arg := range []string{"--version", "version"} {
		var out, errout bytes.Buffer
		if code := run(t.Context(), []string{arg}, strings.NewReader(""), &out, &errout); code != exitOK || errout.Len() > 0 {
			t.Errorf("%s: got exit %d, %s", arg, code, errout.String())
		}
		said[arg] = out.String()
	}
	if got := said["version"]; got != said["--version"] || !strings.HasPrefix(got, "pos-bridge version ") || !strings.Contains(got, "(commit ") {
		t.Errorf("got %q", said)
	}
}
