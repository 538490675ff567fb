package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Go collects garbage when the heap has doubled. The heap of a bridge is small and
// lives from message to message, so half of its CPU under load went there; and
// a bridge with thousands of open payments needs twice the memory of what it holds.
const (
	// smallHeap is how far a small heap grows before it is collected, in bytes.
	smallHeap = 64 << 20
	// leastGrowth and mostGrowth bound the growth between two collections, in percent
	// of what survived the last one.
	leastGrowth, mostGrowth = 50, 1000
)

// growth returns the percentage for GOGC when live bytes have survived a collection.
func growth(live uint64) int {
	if live*(100+mostGrowth)/100 <= smallHeap {
		return mostGrowth
	}
	return max(leastGrowth, int(smallHeap*100/live)-100)
}

// paceCollector sets GOGC after each collection from now on, by the size of the heap.
// It leaves an operator's GOGC alone. GOMEMLIMIT holds with both.
func paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := 0
	var again func(int)
	again = func(int) {
		metrics.Read(live)
		if next := growth(live[0].Value.Uint64()); next != now {
			now = next
			debug.SetGCPercent(now)
		}
		// Nothing else holds it: the next collection finds it, and calls.
		runtime.AddCleanup(new([1 << 10]byte), again, 0)
	}
	again(0)
}
