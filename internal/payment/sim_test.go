package payment

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Uint64("seeds", 2000, "how many seeds TestSimulation runs")
	simFrom  = flag.Uint64("from", 1, "the first of them")
	simSeed  = flag.Uint64("seed", 0, "run only this seed, and print everything")
)

// Every seed keeps the contract's promises.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		var log strings.Builder
		w := simulate(*simSeed, without{}, &log)
		fmt.Print(log.String())
		report(t, w)
		return
	}
	t.Parallel()
	var total tally
	var next atomic.Uint64
	next.Store(*simFrom)
	began := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= *simFrom+*simSeeds || total.failed.Load() >= 5 {
					return
				}
				w := simulate(seed, without{}, nil)
				total.add(w)
				if len(w.audit.faults) > 0 {
					total.failed.Add(1)
					report(t, w)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d seeds in %v: %s", total.seeds, time.Since(began).Round(time.Millisecond), &total)
}

func report(t *testing.T, w *world) {
	t.Helper()
	for _, fault := range w.audit.faults {
		t.Errorf("seed %d: %s", w.seed, fault)
	}
	if len(w.audit.faults) > 0 && *simSeed == 0 {
		t.Logf("everything about it: go test ./internal/payment -run TestSimulation -seed %d", w.seed)
	}
}

// tally adds up what seeds had.
type tally struct {
	mu     sync.Mutex
	failed atomic.Int64

	seeds, orders, created, statuses, kills, pauses, takeovers, processes int
	excused, overtaken, unresolved, notCreated                            int
	agenda                                                                uint64
}

func (s *tally) add(w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeds++
	s.orders += len(w.orders)
	for _, o := range w.audit.orders {
		if o.nonce != "" {
			s.created++
		}
	}
	s.statuses += w.statuses
	s.kills += w.kills
	s.pauses += w.pauses
	s.takeovers += w.takeovers
	s.processes += w.processes
	s.excused += w.audit.excused
	s.overtaken += w.audit.overtaken
	s.unresolved += w.audit.unresolved
	s.notCreated += w.audit.notCreated
	s.agenda += w.agenda.count
}

func (s *tally) String() string {
	return fmt.Sprintf("%d orders, %d created at the provider, %d statuses stored, %d kills, %d pauses, %d takeovers, %d processes, "+
		"%d unresolved, %d not_created, %d statuses under the exception of promise 1, %d answers overtaken by the stream, %d things on the agenda",
		s.orders, s.created, s.statuses, s.kills, s.pauses, s.takeovers, s.processes,
		s.unresolved, s.notCreated, s.excused, s.overtaken, s.agenda)
}

// The same seed does the same, to the last line of its log.
func TestSimulationRepeats(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		var one, two strings.Builder
		simulate(seed, without{}, &one)
		simulate(seed, without{}, &two)
		if one.String() != two.String() {
			t.Errorf("seed %d: two runs differ", seed)
		}
		if one.Len() == 0 {
			t.Errorf("seed %d: nothing happened", seed)
		}
	}
}
