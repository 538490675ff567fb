package simulator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// killed copies the state file of a simulator that still runs, as a kill leaves it.
func killed(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := os.WriteFile(again, append(raw, `{"order":{"create":{"order_id":"half`...), 0o600); err != nil {
		t.Fatal(err)
	}
	return again
}

// What a simulator knew is known after a kill: orders, tokens, terminals, faults.
func TestStateSurvives(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	before := setup(t, simulator.Options{Manual: true, StateFile: file})
	paid := inScenario(scenario.ApproveWithTip)
	before.create("paid", "SIM00001", paid)
	before.act("SIM00001", scenario.ActApprove, scenario.ActRefund)
	open := before.create("open", "SIM00002", nil)
	before.act("SIM00002", scenario.ActDecline)
	before.create("gone", "SIM00003", nil)
	before.act("SIM00003", scenario.ActCancel)
	before.setFault(fault.Fault{ID: "kept", Name: fault.FailAPI, Operation: calls.OpGet, Order: "nobody", Count: 3})
	before.setFault(fault.Fault{ID: "spent", Name: fault.StaleGet})
	before.get("gone")
	if err := before.Configure("SIM00004", orders.Auto, scenario.WalkAway); err != nil {
		t.Fatal(err)
	}

	after := setup(t, simulator.Options{Manual: true, StateFile: killed(t, file), Linger: time.Millisecond})
	for _, id := range []string{"paid", "open", "gone"} {
		want, _ := before.Order(id)
		got, ok := after.Order(id)
		want.Streams, want.Calls, got.Calls = 0, calls.Counts{}, calls.Counts{}
		if !ok || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	if got := after.get("paid"); got["amount"] != float64(1500) || got["status"] != "refunded" {
		t.Errorf("paid: got %v", got)
	}
	if faults := after.Faults(); len(faults) != 1 || faults[0].ID != "kept" || faults[0].Count != 3 {
		t.Errorf("faults: got %+v", faults)
	}
	if got, _ := after.Terminal("SIM00004"); got.Mode != orders.Auto || got.Scenario != scenario.WalkAway {
		t.Errorf("terminal: got %+v", got)
	}
	// The token of before still opens the stream, and the payment goes on.
	open["events_stream_url"] = after.URL + "/events/stream/"
	s := after.open(open)
	after.act("SIM00002", scenario.ActApprove)
	if got, want := s.statuses(2), []string{"initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	if status, got := after.do("POST", "/v1/json/orders"+demoKey, orderBody("gone", "SIM00003", nil)); got["error_code"] != float64(1006) {
		t.Errorf("a used order id: got %d %v, want 1006", status, got)
	}
	after.create("next", "SIM00003", nil)
	o, _ := after.Order("next")
	if old, _ := before.Order("gone"); o.TransactionID <= old.TransactionID {
		t.Errorf("transaction id: got %d, want more than %d", o.TransactionID, old.TransactionID)
	}
}

// A virtual customer who was at it goes on.
func TestCustomerSurvives(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	before := setup(t, simulator.Options{StateFile: file, Pace: 0.01, StreamGrace: -1})
	before.create("order", "SIM00001", inScenario(scenario.DeclineThenCancel))
	after := setup(t, simulator.Options{StateFile: killed(t, file), StreamGrace: -1})
	o, err := after.WaitStatus(after.ctx, "order", "cancelled")
	if err != nil || !slices.Equal(o.Statuses(), []string{"initialized", "declined", "cancelled"}) {
		t.Errorf("got %v, %v", o.Statuses(), err)
	}
}

// A reset reaches the file, and the file does not grow with every start.
func TestStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	b := setup(t, simulator.Options{Manual: true, StateFile: file})
	created := b.create("order", "SIM00001", nil)
	b.Reset()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"demo-key", created["events_token"].(string)} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the file holds %q", secret)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want it readable by its owner alone", info, err)
	}
	again := setup(t, simulator.Options{Manual: true, StateFile: killed(t, file)})
	if got := again.Orders(); len(got) != 0 {
		t.Errorf("after a reset: got %+v", got)
	}
	b.Close()
	sizes := map[int64]bool{}
	for range 3 {
		sim, err := simulator.New(simulator.Options{Manual: true, StateFile: file})
		if err != nil {
			t.Fatal(err)
		}
		sim.Close()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		sizes[info.Size()] = true
	}
	if len(sizes) != 1 {
		t.Errorf("the file grows with every start: %v", sizes)
	}
}

func TestStateFileProblems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("{\"faults\":[]}\n{oops}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		broken: "line 2", filepath.Join(dir, "missing", "state"): "write simulator's state", dir: "recall simulator's state",
	} {
		if _, err := simulator.New(simulator.Options{StateFile: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", file, err, want)
		}
	}
}
