package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// runSimulate executes the command as the program would and returns its exit code.
func runSimulate(ctx context.Context, out io.Writer, args ...string) (int, error) {
	cmd := newSimulate()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(out)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK, nil
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.Code, err
	}
	return exitBadConfig, err // as run does
}

func TestSimulateBadFlags(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the parallel subtests
	for name, tc := range map[string]struct {
		args []string
		want string // in the error
	}{
		"unknown flag":       {[]string{"--nonsense"}, "nonsense"},
		"argument":           {[]string{"now"}, "now"},
		"address":            {[]string{"--addr", "nowhere"}, "--addr"},
		"address taken":      {[]string{"--addr", taken.Addr().String()}, "--addr"},
		"group":              {[]string{"--group", "demo"}, "--group"},
		"group without key":  {[]string{"--group", "1=:T1"}, "--group"},
		"no terminals":       {[]string{"--group", "1=key:"}, "--group"},
		"bad terminal":       {[]string{"--group", "1=key:T*"}, "terminal"},
		"bad range":          {[]string{"--group", "1=key:T9..T1"}, "range"},
		"huge range":         {[]string{"--group", "1=key:T00000..T99999"}, "range"},
		"two of a terminal":  {[]string{"--group", "1=a:T1", "--group", "2=b:T1"}, "T1"},
		"two of a key":       {[]string{"--group", "1=a:T1", "--group", "2=a:T2"}, "API key"},
		"pace":               {[]string{"--pace", "0"}, "--pace"},
		"pace too high":      {[]string{"--pace", "1e9"}, "pace"},
		"inactivity":         {[]string{"--inactivity", "0s"}, "--inactivity"},
		"inactivity no unit": {[]string{"--inactivity", "60"}, "inactivity"},
		"token TTL":          {[]string{"--token-ttl", "-1s"}, "--token-ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, err := runSimulate(t.Context(), io.Discard, tc.args...)
			if code != exitBadConfig || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got exit code %d, error %v; want %d and an error about %q", code, err, exitBadConfig, tc.want)
			}
		})
	}
}

func TestParseTerminals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"T1":         {"T1"},
		"T08..T11":   {"T08", "T09", "T10", "T11"},
		"7..7":       {"7"},
		"A-1..A-3":   {"A-1", "A-2", "A-3"},
		"X9Z01..9Z2": nil,
		"T..T":       nil,
		"T1..U2":     nil,
	} {
		got, err := parseTerminals(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("parseTerminals(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

// The command says where it listens, serves there, and ends with 0 when it is
// told to.
func TestSimulateServes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	var code int
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer write.Close()
		code, _ = runSimulate(ctx, write, "--addr", "127.0.0.1:0", "--group", "57958=till:T01..T12", "--group", "2=other:X1")
	}()
	printed, api := readUntilStop(t, read)
	for _, want := range []string{"key till", "T01 T02 T03 … T12 (12)", "key other", "7765", "soft_decline_then_approve", "curl"} {
		if !strings.Contains(printed, want) {
			t.Errorf("printed text lacks %q:\n%s", want, printed)
		}
	}
	if got := statusOf(t, api+"/terminals?api_key=till"); got != http.StatusOK {
		t.Errorf("terminals: got status %d, want 200", got)
	}
	cancel()
	<-done
	if code != exitOK {
		t.Errorf("exit code: got %d, want %d", code, exitOK)
	}
}

// readUntilStop reads what simulate prints and returns it with the API's URL.
func readUntilStop(t *testing.T, r io.Reader) (printed, api string) {
	t.Helper()
	var b bytes.Buffer
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		b.WriteString(lines.Text() + "\n")
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "API" {
			api = f[1]
		}
		if strings.HasPrefix(lines.Text(), "Stop with") {
			return b.String(), api
		}
	}
	t.Fatalf("simulate ended early; it printed:\n%s", b.String())
	return "", ""
}

func statusOf(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestSimulateSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd, out, _ := process(t, nil, "simulate", "--addr", "127.0.0.1:0")
			out.Await(t, "Stop with")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			ends(t, cmd, exitOK)
		})
	}
}
