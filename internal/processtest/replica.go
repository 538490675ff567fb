package processtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replicaLimit bounds how long a replica may take to serve, to notice a change
// or to end.
const replicaLimit = 60 * time.Second

// Env is the configuration of a replica: names without BRIDGE_, and values. Names that
// begin with OTEL_ stay as they are, and so does HTTP_PROXY.
type Env map[string]string

// Quick is a configuration that notices and repeats everything within a second
// or two, for tests. NATS_URL, API_URL and API_KEY come on top.
func Quick() Env {
	return Env{
		"HTTP_ADDR":          "127.0.0.1:0",
		"REPLICA_TTL":        "2s",
		"BACKOFF_INITIAL":    "50ms",
		"BACKOFF_MAX":        "1s",
		"IDLE_TIMEOUT":       "3s",
		"RECONCILE_INTERVAL": "2s",
		"SETTLE_WINDOW":      "1s",
		"AFTERCARE":          "3s,10s",
		"REQUEST_TIMEOUT":    "3s",
		"DRAIN_TIMEOUT":      "10s",
		"LOG_LEVEL":          "debug",
	}
}

// With returns the configuration with more put over it.
func (e Env) With(more Env) Env {
	all := maps.Clone(e)
	if all == nil {
		all = Env{}
	}
	maps.Copy(all, more)
	return all
}

// list is the whole environment of a process: nothing of the test's own that
// begins with BRIDGE_ or OTEL_ gets through.
func (e Env) list() []string {
	var all []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BRIDGE_") && !strings.HasPrefix(v, "OTEL_") {
			all = append(all, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		prefix := "BRIDGE_"
		if strings.HasPrefix(name, "OTEL_") || name == "HTTP_PROXY" {
			prefix = ""
		}
		all = append(all, prefix+name+"="+e[name])
	}
	return all
}

// Replica is a process of "pos-bridge serve".
type Replica struct {
	*Process
	// ID is its BRIDGE_REPLICA_ID.
	ID string
	// URL of its HTTP server.
	URL string

	client *http.Client
}

// Serve starts "pos-bridge serve" from a program that Bridge has built and returns
// as soon as its HTTP server listens; WaitReady says when it serves commands.
func Serve(tb testing.TB, program, id string, env Env) *Replica {
	tb.Helper()
	r := &Replica{ID: id, client: &http.Client{Timeout: 5 * time.Second}}
	tb.Cleanup(r.client.CloseIdleConnections)
	r.Process = Launch(tb, "bridge "+id, program, []string{"serve"}, env.With(Env{"REPLICA_ID": id}).list())
	ctx, cancel := context.WithTimeout(context.Background(), replicaLimit)
	defer cancel()
	err := r.WaitOutput(ctx, func(output string) bool {
		r.URL = listening(output)
		return r.URL != ""
	})
	if err != nil {
		tb.Fatalf("start replica %s: %v\n%s", id, err, r.Output())
	}
	return r
}

// RunBridge starts the program with other arguments, or with a configuration
// that is not meant to work.
func RunBridge(tb testing.TB, program string, env Env, args ...string) *Process {
	tb.Helper()
	return Launch(tb, "bridge "+strings.Join(args, " "), program, args, env.list())
}

// listening finds the address that a replica logs when it listens.
func listening(output string) string {
	for line := range strings.Lines(output) {
		var entry struct {
			Address string `json:"address"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Address != "" {
			return "http://" + entry.Address
		}
	}
	return ""
}

// Get asks the replica's HTTP server for a page.
func (r *Replica) Get(path string) (status int, body string, err error) {
	answer, err := r.client.Get(r.URL + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// Ready tells whether /readyz answers 200 now.
func (r *Replica) Ready() bool {
	status, _, err := r.Get("/readyz")
	return err == nil && status == http.StatusOK
}

// WaitReady waits until the replica serves commands.
func (r *Replica) WaitReady(tb testing.TB) {
	tb.Helper()
	Until(tb, replicaLimit, "replica "+r.ID+" is ready", func() bool {
		if !r.Running() {
			tb.Fatalf("replica %s has ended:\n%s", r.ID, r.Output())
		}
		return r.Ready()
	})
}

// Metric returns the sum of a metric over all its labels that contain the given
// text; 0 when there is none.
func (r *Replica) Metric(tb testing.TB, name, labels string) float64 {
	tb.Helper()
	status, body, err := r.Get("/metrics")
	if err != nil || status != http.StatusOK {
		tb.Fatalf("metrics of replica %s: status %d, %v", r.ID, status, err)
	}
	return metric(body, name, labels)
}

func metric(page, name, labels string) float64 {
	var sum float64
	lines := bufio.NewScanner(strings.NewReader(page))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' || !strings.Contains(rest, labels) {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 {
			continue
		}
		if value, err := strconv.ParseFloat(fields[0], 64); err == nil {
			sum += value
		}
	}
	return sum
}

// Pause stops the process as SIGSTOP does: it is silent, and does not know it. It
// returns when every thread stands still, which takes a moment.
func (r *Replica) Pause() {
	r.Signal(syscall.SIGSTOP)
	Eventually(replicaLimit, r.stopped)
}

// stopped tells whether no thread of the process runs; true where the system does
// not say.
func (r *Replica) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", r.PID())) // the pattern is right
	return !slices.ContainsFunc(threads, func(thread string) bool {
		stat, err := os.ReadFile(thread)
		_, state, found := bytes.Cut(stat, []byte(") ")) // behind the name, see proc(5)
		return err == nil && found && state[0] != 'T'
	})
}

// Resume lets a paused process go on.
func (r *Replica) Resume() { r.Signal(syscall.SIGCONT) }

// Drain asks the process to stop in order and waits for it. Its exit code must
// be 0.
func (r *Replica) Drain(tb testing.TB) {
	tb.Helper()
	r.Signal(syscall.SIGTERM)
	if code := r.WaitExit(tb, replicaLimit); code != 0 {
		tb.Errorf("replica %s after SIGTERM: exit code %d, want 0", r.ID, code)
	}
}
