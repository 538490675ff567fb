package dev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/dev"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/view"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// TestMain fails when a test leaves a goroutine behind. More tests run at a time than there
// are processors, because most of them wait.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4")
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// said is what a run has printed.
type said struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // holds a note after every change
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// run runs everything until the test ends, and returns what was printed until it
// stays up.
func run(t *testing.T) (printed string) {
	t.Helper()
	out := &said{changed: make(chan struct{}, 1)}
	life, stop := context.WithCancel(context.Background())
	cut, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- dev.Run(life, dev.Options{
			Pace: 100, Command: "pos-bridge", Cut: cut, Build: bridge.Build{Version: "v1.2.3"}, Log: zap.NewNop(), Out: out,
		})
	}()
	t.Cleanup(func() {
		stop()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	late := time.After(patience)
	for !strings.Contains(out.String(), "Everything stays up.") {
		select {
		case <-out.changed:
		case err := <-ended:
			ended <- nil
			t.Fatalf("it ended: %v\n%s", err, out)
		case <-late:
			t.Fatalf("it is not up:\n%s", out)
		}
	}
	return out.String()
}

// addresses takes the two pages from what is printed first.
func addresses(t *testing.T, printed string) (console, terminal string) {
	t.Helper()
	found := regexp.MustCompile(`^[^\n]+\n\n  Console +(http://\S+/)\n  Virtual terminal +(http://\S+/)\n`).FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("it does not begin with the addresses of both pages:\n%s", printed)
	}
	return found[1], found[2]
}

// pay starts a payment with the command line that the virtual terminal shows.
func pay(t *testing.T, line, order string) (terminal string) {
	t.Helper()
	found := regexp.MustCompile(`^BRIDGE_NATS_URL=(\S+) pos-bridge pay --terminal (\S+) --amount (\d+)\.(\d\d)$`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the page says how to pay: %q", line)
	}
	conn, err := nats.Connect(found[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	amount, err := strconv.ParseInt(found[3]+found[4], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(schema.StartRequest{OrderID: order, TerminalID: found[2], Amount: amount, Currency: "EUR", Description: "2 coffees, 1 cake"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := conn.Request(subjects.Default().Command(subjects.Start), request, patience)
	if err != nil || answer.Header.Get(schema.HeaderErrorCode) != "" {
		t.Fatalf("start: %v %+v", err, answer)
	}
	return found[2]
}

// overhear collects what an event stream says, until the returned function is
// called, which tells it.
func overhear(t *testing.T, url string) func() string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(response.Body) // until stop
		response.Body.Close()
		heard <- string(all)
	}()
	return sync.OnceValue(func() string {
		stop()
		return <-heard
	})
}

// read asks for something.
func read(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, response.StatusCode, err)
	}
	return string(body)
}

// sum adds the samples of a metric of which the labels hold some text.
func sum(metrics, name string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
	total := 0.0
	for line := range strings.Lines(metrics) {
		sample, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if of, with, _ := strings.Cut(sample, "{"); of != name || !strings.Contains(with, labels) {
			continue
		}
		v, _ := strconv.ParseFloat(value, 64)
		total += v
	}
	return fmt.Sprint(total)
}

// A refund that is made at the provider when the sample payment is over comes out
// on the bus.
func TestLateRefund(t *testing.T) {
	t.Parallel()
	printed := run(t)
	server := regexp.MustCompile(`export BRIDGE_NATS_URL=(\S+)`).FindStringSubmatch(printed)
	if server == nil {
		t.Fatalf("the guide does not say where NATS is:\n%s", printed)
	}
	_, simulated := addresses(t, printed)
	const terminal = "SIM00001" // of the sample payment
	conn, err := nats.Connect(server[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	events, err := conn.SubscribeSync("pos." + terminal + ".*.status")
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, simulated+"simulator/terminals/"+terminal+"/refund", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	msg, err := events.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	var e schema.StatusEvent
	if err := json.Unmarshal(msg.Data, &e); err != nil || e.Status != "refunded" || e.PreviousStatus != "completed" || !e.Final || e.Sequence != 5 {
		t.Errorf("got %s", msg.Data)
	}
}

// A kept folder keeps the provider's orders, and those of an earlier run notify the replica
// of a later one.
func TestKeptFolder(t *testing.T) {
	t.Parallel()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.77.0.1:0") // an address of its own: no other test takes the port
		if err != nil {
			t.Skip("there is only one loopback address: ", err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	taken, free := listen().Addr().String(), listen()
	kept := free.Addr().String()
	_ = free.Close()
	const other = "127.0.0.1:"
	for name, test := range map[string]struct{ before, want string }{
		"a new folder": {"", other}, "kept": {kept, kept}, "taken": {taken, other}, "no address": {"no address", other}, "not loopback": {"192.0.2.1:80", other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "webhook-address")
			if test.before != "" {
				if err := os.WriteFile(file, []byte(test.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			runs := 1
			if name == "kept" {
				runs = 2
			}
			for range runs {
				if err := once(t, dir); err != nil {
					t.Fatal(err)
				}
			}
			now, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(now), test.want) {
				t.Errorf("got %s, %v, want %s", now, err, test.want)
			}
			state := filepath.Join(dir, "simulator.jsonl")
			stored, err := os.ReadFile(state)
			if err != nil || strings.Count(string(stored), `"notification_url":"http://`+string(now)+`/"`) < runs {
				t.Errorf("the orders do not name %s: %v\n%s", now, err, stored)
			}
			sim, err := simulator.New(simulator.Options{StateFile: state})
			if err != nil {
				t.Fatal(err)
			}
			defer sim.Close()
			orders := sim.Orders()
			if len(orders) != runs || slices.ContainsFunc(orders, func(o view.Order) bool { return o.Status != "completed" }) {
				t.Errorf("got %+v, want %d sample payments", orders, runs)
			}
		})
	}
}

// once runs everything for one payment with a folder that is kept.
func once(t *testing.T, dir string) error {
	t.Helper()
	return dev.Run(t.Context(), dev.Options{
		Pace: 100, Once: true, Dir: dir, Command: "pos-bridge", Cut: context.Background(),
		Build: bridge.Build{Version: "v1.2.3"}, Log: zap.NewNop(), Out: io.Discard,
	})
}
