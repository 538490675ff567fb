//go:build !wasip1 && !race

package bridge

import (
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/internal/replay"
)

var seedsFlag = flag.Int("seeds", 1500, "how many seeds TestSimulation runs")

// TestSimulation runs seeds in a machine in which the seed decides everything: a
// seed that fails fails again, with the same log to the letter.
//
//	go test ./bridge -run 'TestSimulation$' -v -seed 4711               replays one seed
//	go test ./bridge -run 'TestSimulation$' -seeds 100000 -timeout 0    runs as long as wanted
//
// It leaves a processor to the packages that are tested beside this one.
func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		output, err := machine(t).Run(t.Context(), *seedFlag, seedArguments(*seedFlag)...)
		t.Log(output)
		if err != nil {
			t.Error(err)
		}
		return
	}
	exact := machine(t)
	var mu sync.Mutex
	var totals audit
	var group errgroup.Group
	group.SetLimit(max(1, runtime.GOMAXPROCS(0)-1))
	for seed := *fromFlag; seed < *fromFlag+uint64(*seedsFlag) && !t.Failed(); seed++ {
		group.Go(func() error {
			output, err := exact.Run(t.Context(), seed, seedArguments(seed)...)
			if err != nil {
				t.Errorf("seed %d: %v; again with: go test ./bridge -run 'TestSimulation$' -v -seed %d\n%s", seed, err, seed, output)
				return nil
			}
			counted, err := countedIn(output)
			if err != nil {
				t.Errorf("seed %d: %v\n%s", seed, err, output)
			}
			mu.Lock()
			defer mu.Unlock()
			totals.add(counted)
			return nil
		})
	}
	_ = group.Wait() // what failed has been told
	t.Logf("%d seeds: %+v", *seedsFlag, totals)
}

// TestSeedsReplay runs seeds twice and compares all that was logged.
func TestSeedsReplay(t *testing.T) {
	exact := machine(t)
	seen := map[string]uint64{}
	for seed := uint64(1); seed <= 20; seed++ {
		first, err := exact.Run(t.Context(), seed, seedArguments(seed)...)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, first)
		}
		second, err := exact.Run(t.Context(), seed, seedArguments(seed)...)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, second)
		}
		if first != second {
			t.Errorf("seed %d took two courses:\n%s\nand\n%s", seed, first, second)
		}
		if other := seen[first]; other != 0 {
			t.Errorf("seeds %d and %d took the same course", seed, other)
		}
		seen[first] = seed
	}
}

var (
	machineOnce sync.Once
	theMachine  *replay.Machine
	machineErr  error
)

// machine compiles this package's tests once for all that replay them.
func machine(t *testing.T) *replay.Machine {
	t.Helper()
	machineOnce.Do(func() { theMachine, machineErr = replay.Compile(t.Context(), ".") })
	if machineErr != nil {
		t.Fatal(machineErr)
	}
	return theMachine
}

func seedArguments(seed uint64) []string {
	return []string{"-test.run=^TestSeed$", fmt.Sprintf("-seed=%d", seed)}
}

// countedIn reads what a run counted out of what it printed.
func countedIn(output string) (counted audit, err error) {
	_, line, _ := strings.Cut(output, countedMark)
	line, _, _ = strings.Cut(line, "\n")
	if err := json.Unmarshal([]byte(line), &counted); err != nil {
		return audit{}, fmt.Errorf("read what was counted: %w", err)
	}
	return counted, nil
}
