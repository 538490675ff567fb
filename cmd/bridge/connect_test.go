package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
)

// busCommand runs one of the commands on the bus with an environment of its
// own, and returns its exit code and what it wrote.
func busCommand(t *testing.T, environment map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	getenv := func(name string) string { return environment[name] }
	fresh := func() *hand { return &hand{getenv: getenv, now: time.Now, confirm: confirm} }
	root := &cobra.Command{Use: program, SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(fresh().pay(), fresh().cancel(), fresh().watch(), fresh().sessions(), fresh().receipt())
	var out, errout bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errout)
	code = exitCode(&errout, root.ExecuteContext(t.Context()))
	return code, out.String(), errout.String()
}

// exitCode does what run does with a command's error.
func exitCode(stderr *bytes.Buffer, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitBadConfig
	if exit, ok := errors.AsType[*exitError](err); ok {
		code, err = exit.Code, exit.Err
	}
	if err != nil {
		stderr.WriteString("pos-bridge: " + err.Error() + "\n")
	}
	return code
}

// busOf runs a server with a stand-in bridge, and returns the environment to
// reach it with.
func busOf(t *testing.T, handlers bridgetest.Handlers) (*bridgetest.Bridge, map[string]string) {
	t.Helper()
	s := natstest.Run(t)
	return bridgetest.Run(t, s.URL(), handlers, bridgetest.Options{}), map[string]string{"BRIDGE_NATS_URL": s.URL()}
}

// startThen accepts a payment and then publishes its events.
func startThen(bridge func() *bridgetest.Bridge, statuses ...string) func(schema.StartRequest) (any, error) {
	return func(r schema.StartRequest) (any, error) {
		for i, status := range statuses {
			bridge().Store(bridgetest.Event(r.TerminalID, r.OrderID, uint64(i+1), status))
		}
		return schema.StartReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: schema.StatusCreated, Created: true}, nil
	}
}

func TestBusCommandsRefuseWrongUse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, want string
	}{
		{"pay", `pos-bridge: --terminal and --amount are missing; see "pos-bridge pay --help"`},
		{"pay --terminal T1 --amount 12,50", `pos-bridge: --amount must be digits with a point before the decimals, such as 12.50; got "12,50"`},
		{"pay --terminal T1 --amount 12.505", `pos-bridge: --amount: EUR has 2 decimals; got "12.505"`},
		{"pay --terminal T1 --amount 1.5 --currency jpy", `pos-bridge: --amount: JPY has no decimals; got "1.5"`},
		{"pay --terminal T1 --amount 1 --currency XYZ", `pos-bridge: --amount: "XYZ" is not a currency: it must be an ISO 4217 code such as EUR`},
		{"pay --terminal > --amount 1", `pos-bridge: --terminal must be 1 to 36 characters`},
		{"pay --terminal T1 --amount 1 --order *", "pos-bridge: --order must be 1 to 50 characters of A-Z a-z 0-9 . _ / -; got a string whose character 1 is '*'"},
		{"pay --terminal T1 --amount 1 --order=", `pos-bridge: --order is missing; it must be 1 to 50 characters`},
		{"pay --terminal T1 --amount 1 --timeout 0s", `pos-bridge: --timeout must be a positive duration, such as 35m`},
		{"pay --terminal T1 --amount 1 --description " + strings.Repeat("x", 201), `pos-bridge: description must be at most 200 characters; got 201`},
		{"pay --terminal T1 --amount 1 more", `pos-bridge: unexpected argument "more"; did you mean --order more?`},
		{"pay T1 --amount 1", `pos-bridge: unexpected argument "T1"; did you mean --terminal T1 or --order T1?`},
		{"pay --terminal T1 12.50", `pos-bridge: unexpected argument "12.50"; did you mean --amount 12.50 or --order 12.50?`},
		{"start T1", `pos-bridge: unexpected argument "T1"; did you mean --terminal T1 or --order T1?`},
		{"cancel pay-1", `pos-bridge: unexpected argument "pay-1"; did you mean --terminal pay-1 or --order pay-1?`},
		{"watch --terminal T1 A", `pos-bridge: unexpected argument "A"; did you mean --order A?`},
		{"get T1 A", `pos-bridge: unexpected argument "T1"; did you mean --terminal T1 or --order T1?`},
		{"list -t T1 -o A more", `pos-bridge: unexpected argument "more"; see "pos-bridge sessions --help"`},
		{"status \x1b[2J", `pos-bridge: unexpected argument "�[2J"; did you mean`},
		{"pay --terminal T1 --amount 1 --context gone", `pos-bridge: nats context gone: there is no`},
		{"cancel --terminal T1", `pos-bridge: --order is missing; see "pos-bridge cancel --help"`},
		{"cancel --terminal T1 --order=", `pos-bridge: --order is missing; it must be 1 to 50 characters`},
		{"watch --since -1s", `pos-bridge: --since must be a positive duration, such as 10m`},
		{"watch --terminal a.b", `pos-bridge: --terminal must be`},
		{"sessions --order a", `pos-bridge: --terminal is missing: an order is known by`},
		{"sessions --nonsense", `pos-bridge: unknown flag: --nonsense`},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			code, out, errout := busCommand(t, map[string]string{"XDG_CONFIG_HOME": t.TempDir()}, strings.Fields(test.args)...)
			if code != exitBadConfig || out != "" || !strings.HasPrefix(errout, test.want) {
				t.Errorf("got exit %d, output %q, errors %q, want exit %d, %s", code, out, errout, exitBadConfig, test.want)
			}
		})
	}
}

func TestBusCommandsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	for _, args := range []string{"pay -t T1 --amount 1", "cancel -t T1 -o a", "sessions", "sessions -t T1 -o a"} {
		code, _, errout := busCommand(t, map[string]string{"BRIDGE_NATS_URL": s.URL(), "BRIDGE_SUBJECT_PREFIX": "shop"}, strings.Fields(args)...)
		want := "pos-bridge: no bridge is serving at " + s.URL() + ` with subject prefix "shop"` + "\n" +
			"  start one with \"" + howCalled() + " serve\", or with \"" + howCalled() + " dev\" to try things out;\n"
		if code != exitFailure || !strings.HasPrefix(errout, want) {
			t.Errorf("%s: got exit %d, errors\n%s\nwant exit %d,\n%s", args, code, errout, exitFailure, want)
		}
	}
	s.Shutdown()
	for _, args := range []string{"pay -t T1 --amount 1", "cancel -t T1 -o a", "sessions", "watch"} {
		code, _, errout := busCommand(t, map[string]string{"BRIDGE_NATS_URL": s.URL()}, strings.Fields(args)...)
		want := "pos-bridge: connect to NATS at " + s.URL() + ": no server answers there\n  say where NATS is"
		if code != exitFailure || !strings.HasPrefix(errout, want) {
			t.Errorf("%s: got exit %d, errors\n%s\nwant exit %d,\n%s", args, code, errout, exitFailure, want)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	_, environment := busOf(t, bridgetest.Handlers{List: func() (any, error) {
		return schema.ListReply{Sessions: []schema.Session{
			bridgetest.Session(bridgetest.Event("SIM1", "a", 1, "initialized")),
			bridgetest.Session(bridgetest.Event("SIM2", "b", 1, "initialized")),
			bridgetest.Session(bridgetest.Event("X\x1b3", "c", 1, "initialized")),
		}, Terminals: []string{"SIM1", "SIM3", "Y\x1b"}}, nil
	}})
	contexts := t.TempDir()
	if err := os.MkdirAll(filepath.Join(contexts, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(contexts, "nats", "context", "shop.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment["XDG_CONFIG_HOME"] = contexts
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"pay", "--terminal", ""}, "SIM1\nSIM3\nSIM2\n:4\n"},
		{[]string{"watch", "--terminal", "SIM2"}, "SIM2\n:4\n"},
		{[]string{"cancel", "--terminal", "SIM2", "--order", ""}, "b\n:4\n"},
		{[]string{"sessions", "--order", ""}, "a\nb\n:4\n"},
		{[]string{"pay", "--currency", "EU"}, "EUR\n:4\n"},
		{[]string{"watch", "--context", ""}, "shop\n:4\n"},
	} {
		_, out, _ := busCommand(t, environment, append([]string{cobra.ShellCompRequestCmd}, test.args...)...)
		if out != test.want {
			t.Errorf("%q: got %q, want %q", test.args, out, test.want)
		}
	}
	_, out, _ := busCommand(t, map[string]string{"BRIDGE_NATS_URL": "nats://127.0.0.1:1"}, cobra.ShellCompRequestCmd, "pay", "--terminal", "")
	if want := ":4\n"; out != want {
		t.Errorf("without a server: got %q, want %q", out, want)
	}
}

// TestBusProcess is not a test: it is the program for tests that need a process.
func TestBusProcess(t *testing.T) {
	args := os.Getenv("BRIDGE_TEST_ARGS")
	if args == "" {
		t.Skip("run by other tests")
	}
	os.Exit(run(t.Context(), strings.Split(args, "\n"), os.Stdin, os.Stdout, os.Stderr))
}

// process starts the program as a process of its own.
func process(t *testing.T, environment map[string]string, args ...string) (*exec.Cmd, *bridgetest.Output, *bridgetest.Output) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBusProcess$")
	cmd.Env = append(os.Environ(), "BRIDGE_TEST_ARGS="+strings.Join(args, "\n"))
	for k, v := range environment {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, errout := &bridgetest.Output{}, &bridgetest.Output{}
	cmd.Stdout, cmd.Stderr = out, errout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out, errout
}

// ends waits for a process and compares its exit code.
func ends(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	limit := time.AfterFunc(bridgetest.Limit, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait() // the exit code says it all
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("got exit %d, want %d:\n%s%s", got, want, cmd.Stdout, cmd.Stderr)
	}
}
