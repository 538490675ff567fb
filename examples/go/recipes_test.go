// Package recipes runs the recipes against "pos-bridge dev", also killed in the middle.
package recipes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m) }

// patience is how long a test waits for something that must happen.
const patience = 2 * time.Minute

// stand is "pos-bridge dev", the recipes as programs, and a folder for their files.
type stand struct {
	t                                *testing.T
	nats, provider                   int
	server, simulator, programs, dir string
}

func setup(t *testing.T) stand {
	t.Helper()
	s := stand{t: t, programs: t.TempDir(), dir: t.TempDir(), nats: processtest.Port(t), provider: processtest.Port(t)}
	out, err := exec.Command("go", "build", "-o", s.programs+string(filepath.Separator), "./till", "./consumer").CombinedOutput()
	if err != nil {
		t.Fatalf("build the recipes: %v\n%s", err, out)
	}
	s.server, s.simulator = fmt.Sprintf("nats://127.0.0.1:%d", s.nats), fmt.Sprintf("http://127.0.0.1:%d/simulator/", s.provider)
	return s
}

// dev runs "pos-bridge dev". It can be killed and run again.
func (s stand) dev() *processtest.Process {
	s.t.Helper()
	p := processtest.RunBridge(s.t, processtest.Bridge(s.t, "v0.0.0"), nil, "dev", "--pace", "20", "--data", filepath.Join(s.dir, "dev"),
		"--nats-port", strconv.Itoa(s.nats), "--simulator-port", strconv.Itoa(s.provider))
	says(s.t, p, `(?m)^Everything stays up`)
	return p
}

// says waits until a program's output matches, and returns what its last group matches.
func says(t *testing.T, p *processtest.Process, pattern string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var found []string
	err := p.WaitOutput(ctx, func(output string) bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(output)
		return found != nil
	})
	if err != nil {
		t.Fatalf("%s never said %s: %v\n%s", p.Name, pattern, err, p.Output())
	}
	return found[len(found)-1]
}

func (s stand) run(name string, args ...string) *processtest.Process {
	s.t.Helper()
	return processtest.Launch(s.t, name, filepath.Join(s.programs, name), append([]string{"-server", s.server}, args...), os.Environ())
}

// till runs the till. The order names its journal.
func (s stand) till(order string, args ...string) *processtest.Process {
	s.t.Helper()
	return s.run("till", append([]string{"-journal", filepath.Join(s.dir, order), "-order", order}, args...)...)
}

func (s stand) pay(order, terminal, scenario string) *processtest.Process {
	s.t.Helper()
	return s.till(order, "-terminal", terminal, "-amount", "1250", "-scenario", scenario)
}

// ends waits for the end of a till, and compares the outcome that it says.
func ends(t *testing.T, p *processtest.Process, want string) {
	t.Helper()
	if code := p.WaitExit(t, patience); code != 0 || !strings.Contains(p.Output(), "outcome "+want) {
		t.Fatalf("got exit code %d, want 0 and outcome %s:\n%s", code, want, p.Output())
	}
}

// control asks the simulator's control API.
func (s stand) control(method, path string, body any) []byte {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequest(method, s.simulator+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, content, err)
	}
	return content
}

func (s stand) press(terminal string, actions ...string) {
	s.t.Helper()
	for _, action := range actions {
		s.control("POST", "terminals/"+terminal+"/"+action, nil)
	}
}

// once tells whether one order was made at the provider, and the till handled each
// status once and in order. What the statuses were is compared if they are given.
func (s stand) once(order string, want ...string) {
	s.t.Helper()
	var calls struct {
		Made int `json:"made"`
	}
	if err := json.Unmarshal(s.control("GET", "calls/"+order, nil), &calls); err != nil || calls.Made != 1 {
		s.t.Errorf("%s: got %d orders at the provider (%v), want 1", order, calls.Made, err)
	}
	var statuses []string
	for _, l := range lines[struct {
		Sequence int
		Status   string
	}](s.t, filepath.Join(s.dir, order)) {
		if l.Sequence == 0 {
			continue
		}
		statuses = append(statuses, l.Status)
		if l.Sequence != len(statuses) {
			s.t.Errorf("%s: got sequence %d in place %d", order, l.Sequence, len(statuses))
		}
	}
	if len(statuses) == 0 || want != nil && !slices.Equal(statuses, want) {
		s.t.Errorf("%s: got %v, want %v", order, statuses, want)
	}
}

func lines[Line any](t *testing.T, file string) (all []Line) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(content) {
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // being written
		}
		var l Line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestRecipes(t *testing.T) {
	if testing.Short() {
		t.Skip("the programs are built without the race detector")
	}
	s := setup(t)
	dev := s.dev()
	side := func(t *testing.T, name string, test func(stand)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s
			s.t = t
			test(s)
		})
	}
	t.Run("on four terminals", func(t *testing.T) {
		side(t, "a till takes a payment", func(s stand) {
			ends(s.t, s.pay("plain", "SIM00001", "approve"), "paid")
			s.once("plain")
		})
		side(t, "a till that is killed in the middle of a payment goes on where it was", func(s stand) {
			first := s.pay("killed", "SIM00002", "wait")
			says(s.t, first, `started`)
			s.press("SIM00002", "tap")
			says(s.t, first, `status 1 initialized`)
			first.Kill()
			s.press("SIM00002", "decline", "tap", "approve")
			s.control("GET", "wait?order=killed&status=completed&timeout=60s", nil)
			ends(s.t, s.till("killed"), "paid")
			s.once("killed", "initialized", "declined", "initialized", "completed")
		})
		side(t, "a till that is killed before it is answered makes one payment", func(s stand) {
			first := s.pay("early", "SIM00003", "approve")
			says(s.t, first, `stored early`)
			first.Kill()
			ends(s.t, s.till("early"), "paid")
			s.once("early")
		})
		side(t, "a till that is killed after the end says what became of the payment", func(s stand) {
			first := s.pay("ended", "SIM00004", "approve")
			says(s.t, first, ` completed`)
			first.Kill()
			ends(s.t, s.till("ended"), "paid")
			s.once("ended")
		})
	})
	t.Run("on the same terminals", func(t *testing.T) {
		side(t, "a till cancels on Ctrl-C", func(s stand) {
			till := s.pay("cancels", "SIM00003", "wait")
			says(s.t, till, `started`)
			till.Signal(syscall.SIGINT)
			ends(s.t, till, "unpaid")
			s.once("cancels")
		})
		side(t, "a second Ctrl-C leaves the payment open and says how to resume it", func(s stand) {
			s.control("POST", "faults", map[string]any{"fault": "fail_api", "operation": "cancel", "order_id": "leaves", "status": 503})
			first := s.pay("leaves", "SIM00004", "wait")
			says(s.t, first, `started`)
			first.Signal(syscall.SIGINT)
			says(s.t, first, `cancelling; `)
			first.Signal(syscall.SIGINT)
			if code := first.WaitExit(s.t, patience); code != 1 || !strings.Contains(first.Output(), "left open: the payment may still be paid") {
				s.t.Fatalf("got exit code %d:\n%s", code, first.Output())
			}
			second := s.till("leaves")
			says(s.t, second, `started`)
			s.press("SIM00004", "approve")
			ends(s.t, second, "paid")
			s.once("leaves")
		})
		side(t, "a till follows a start whose outcome is unknown", func(s stand) {
			s.control("POST", "faults", map[string]any{"fault": "lose_create_answer", "order_id": "doubt", "mode": "status", "status": 522})
			s.control("POST", "faults", map[string]any{"fault": "hide_order", "order_id": "doubt", "delay": "3s"})
			ends(s.t, s.pay("doubt", "SIM00001", "approve"), "paid")
			s.once("doubt")
		})
		side(t, "a till says that a refused payment was not started", func(s stand) {
			s.control("POST", "faults", map[string]any{"fault": "fail_api", "operation": "create", "order_id": "refused", "status": 400, "error_code": 1001})
			ends(s.t, s.pay("refused", "SIM00002", "approve"), "not started: refused by the bridge: provider_rejected")
		})
	})
	t.Run("a consumer that is killed books every status once", func(*testing.T) { s.consumer() })
	t.Run("a till waits for a bridge, NATS and all, that is killed and comes back", func(*testing.T) {
		till := s.pay("outage", "SIM00004", "wait")
		says(t, till, `started`)
		s.press("SIM00004", "tap")
		says(t, till, `status 1 initialized`)
		dev.Kill()
		s.dev()
		s.press("SIM00004", "decline")
		says(t, till, `status 2 declined`)
		s.press("SIM00004", "approve")
		ends(t, till, "paid")
		s.once("outage")
	})
}

func (s stand) consumer() {
	t := s.t
	type booking struct {
		ID, Order string
		Sequence  uint64
	}
	ledger := filepath.Join(s.dir, "ledger")
	first := s.run("consumer", "-ledger", ledger, "-create")
	says(t, first, `consuming`)
	var tills []*processtest.Process
	for i, terminal := range []string{"SIM00001", "SIM00002", "SIM00003"} {
		tills = append(tills, s.pay(fmt.Sprint("booked-", i), terminal, "soft_decline_then_approve"))
	}
	says(t, first, `booked booked-. 2 `)
	first.Kill()
	for _, p := range tills {
		ends(t, p, "paid")
	}
	second := s.run("consumer", "-ledger", ledger)
	nc, err := nats.Connect(s.server)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bus, err := client.New(nc, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	booked := func() map[string]int {
		times := map[string]int{}
		for _, b := range lines[booking](t, ledger) {
			times[fmt.Sprintf("%s %d", b.Order, b.Sequence)]++
		}
		return times
	}
	stored := 0
	for status, err := range bus.Stored(t.Context(), client.Filter{}, time.Now().Add(-time.Hour)) {
		if err != nil {
			t.Fatal(err)
		}
		stored++
		what := fmt.Sprintf("%s %d", status.OrderID, status.Sequence)
		if booked()[what] == 0 {
			says(t, second, `booked `+regexp.QuoteMeta(what)+` `)
		}
	}
	second.Signal(syscall.SIGINT)
	if code := second.WaitExit(t, patience); code != 0 {
		t.Errorf("got exit code %d:\n%s", code, second.Output())
	}
	for what, times := range booked() {
		if times != 1 {
			t.Errorf("%s was booked %d times", what, times)
		}
	}
	if got := len(booked()); got != stored || stored < 12 {
		t.Errorf("got %d bookings of %d stored statuses", got, stored)
	}
}
