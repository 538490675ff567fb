//go:build !wasip1

package bridge

import (
	"bytes"
	"flag"
	"testing"
)

var threadsFlag = flag.Int("threads", threadsSeeds, "how many seeds TestSimulationOnThreads runs")

// TestSimulationOnThreads runs seeds as an ordinary program: many times as fast, on
// all threads and under the race detector, but what falls on one instant happens in
// any order. A seed that fails prints its log, for it may not fail again.
func TestSimulationOnThreads(t *testing.T) {
	var totals audit
	var course bytes.Buffer
	log := logTo(&course)
	defer func() { // a failed simulation does not return
		if t.Failed() {
			t.Logf("the course of the last seed:\n%s", course.String())
		}
	}()
	for seed := *fromFlag; seed < *fromFlag+uint64(*threadsFlag); seed++ {
		course.Reset()
		totals.add(simulate(t, seed, log))
	}
	t.Logf("%d seeds: %+v", *threadsFlag, totals)
}
