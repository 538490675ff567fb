package processtest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
)

// A kill takes neither the queue and the statuses of "dev --data" nor the orders of its
// simulator: the payment that was open is open in both, and is paid.
func TestKilledDevKeepsBothSides(t *testing.T) {
	t.Parallel()
	ctx := processtest.Context(t)
	dir, nats, provider := t.TempDir(), processtest.Port(t), processtest.Port(t)
	dev := func() *processtest.Process {
		p := processtest.Launch(t, "dev", processtest.Bridge(t, processtest.Version), []string{
			"dev", "--data", dir, "--nats-port", strconv.Itoa(nats), "--simulator-port", strconv.Itoa(provider), "--pace", "20",
		}, os.Environ())
		if err := p.WaitOutput(ctx, func(out string) bool { return strings.Contains(out, "Everything stays up") }); err != nil {
			t.Fatal(err)
		}
		return p
	}
	ask := func(command string, request any) processtest.Reply {
		t.Helper()
		conn := processtest.Connect(t, "nats://127.0.0.1:"+strconv.Itoa(nats))
		defer conn.Close()
		reply, err := processtest.Insist(ctx, conn, "pos.payment."+command, request)
		if err != nil || reply.Error != nil {
			t.Fatalf("%s: %+v, %v", command, reply, err)
		}
		return reply
	}
	first := dev()
	ask("start", processtest.NewStart("SIM00002", "kept", "wait"))
	first.Kill()
	dev()
	answer, err := http.Post("http://127.0.0.1:"+strconv.Itoa(provider)+"/simulator/terminals/SIM00002/approve", "", nil) //nolint:noctx // the test's limit
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var order struct {
		ID string `json:"order_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&order); err != nil || order.ID != "kept" {
		t.Fatalf("the terminal has order %+v, %v, HTTP %d", order, err, answer.StatusCode)
	}
	processtest.Until(t, time.Minute, "the bridge says that it is paid", func() bool {
		return ask("get", map[string]string{"terminal_id": "SIM00002", "order_id": "kept"}).Status == "completed"
	})
}

// What dev prints to be copied works as it is, on a machine that has nothing but the
// program, whose folder has a name that a shell would take apart.
func TestPrintedCommandsWork(t *testing.T) {
	t.Parallel()
	ctx := processtest.Context(t)
	program := filepath.Join(t.TempDir(), "a folder, it's new", "pos-bridge")
	if err := os.Mkdir(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(processtest.Bridge(t, processtest.Version), program); err != nil {
		t.Fatal(err)
	}
	provider := processtest.Port(t)
	dev := processtest.Launch(t, "dev", program, []string{"dev", "--simulator-port", strconv.Itoa(provider), "--pace", "20"}, os.Environ())
	if err := dev.WaitOutput(ctx, func(out string) bool { return strings.Contains(out, "Stop with Ctrl-C") }); err != nil {
		t.Fatal(err)
	}
	_, guide, _ := strings.Cut(dev.Output(), "Or in another window:")
	settings, ran := "", 0
	for line := range strings.Lines(guide) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "export "):
			settings = line
		case strings.Contains(line, "pos-bridge"):
			ran++
			shell := processtest.Launch(t, line, "/bin/sh", []string{"-c", settings + "\nexec " + line}, []string{"PATH=/nonexistent", "HOME=" + t.TempDir()})
			end := "Paid: "
			switch {
			case strings.HasSuffix(line, "77.99"):
				if err := shell.WaitOutput(ctx, func(out string) bool { return strings.Contains(out, "accepted") }); err != nil {
					t.Fatal(err)
				}
				answer, err := http.Post("http://127.0.0.1:"+strconv.Itoa(provider)+"/simulator/terminals/SIM00004/approve", "", nil) //nolint:noctx // the test's limit
				if err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
					t.Fatalf("approve: %v", err)
				}
			case strings.HasSuffix(line, "77.12"):
				end = "refunded"
			case strings.Contains(line, " watch "):
				end = "77.99 EUR"
			}
			if err := shell.WaitOutput(ctx, func(out string) bool { return strings.Contains(out, end) }); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	if settings == "" || ran != 5 {
		t.Errorf("ran %d commands of the guide:\n%s", ran, guide)
	}
}
