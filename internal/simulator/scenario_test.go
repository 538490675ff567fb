package simulator_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Every scenario, chosen by name and by amount, shows its statuses on the
// stream, ends as documented, and frees the terminal.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, sc := range scenario.All() {
		amount, err := strconv.Atoi(sc.Amount)
		if err != nil {
			t.Fatal(err)
		}
		for by, over := range map[string]fields{
			"name":        inScenario(sc.Name),
			"amount":      {"amount": amount},
			"long amount": {"amount": 12_340_000 + amount},
		} {
			t.Run(fmt.Sprintf("%s by %s", sc.Name, by), func(t *testing.T) {
				t.Parallel()
				options := simulator.Options{Linger: time.Millisecond}
				if len(sc.Statuses) < 2 { // these may end by inactivity
					options.InactivityTimeout = 2 * time.Second
				}
				b := setup(t, options)
				created := b.create("order-1", "SIM00001", over)
				s := b.open(created)
				want := sc.Statuses
				if sc.Name == scenario.WaitForHand {
					want = []string{"cancelled"}
				}
				if got := s.statuses(len(want)); !slices.Equal(got, want) {
					t.Fatalf("statuses on the stream: got %v, want %v", got, want)
				}
				last := want[len(want)-1]
				if got := b.get("order-1")["status"]; got != last {
					t.Errorf("status when asked: got %v, want %v", got, last)
				}
				o, ok := b.Order("order-1")
				if !ok || !o.Final || o.Scenario != sc.Name {
					t.Errorf("order: got %+v, want it final with scenario %s", o, sc.Name)
				}
				b.create("order-2", "SIM00001", nil) // the terminal is free
			})
		}
	}
}

func TestTerminalScenario(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	if err := b.Configure("SIM00002", "", scenario.CancelOnTerminal); err != nil {
		t.Fatal(err)
	}
	s := b.open(b.create("a", "SIM00002", nil))
	if got, want := s.statuses(1), []string{"cancelled"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
