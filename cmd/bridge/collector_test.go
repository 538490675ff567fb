package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGrowth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 1000}, {4 << 20, 1000}, {8 << 20, 700}, {16 << 20, 300}, {32 << 20, 100}, {48 << 20, 50}, {1 << 30, 50}, {1 << 40, 50},
	} {
		if got := growth(c.live); got != c.want {
			t.Errorf("%d bytes: got %d %%, want %d %%", c.live, got, c.want)
		}
	}
}

// The percentage follows the heap, and stays an operator's where there is one.
//
//nolint:paralleltest // it sets what the whole process has
func TestCollectorIsPaced(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	t.Setenv("GOGC", "100")
	paceCollector()
	if got := percent(); got != 100 {
		t.Fatalf("with GOGC: got %d %%, want 100 %%", got)
	}
	t.Setenv("GOGC", "")
	runtime.GC() // the heap is small by then, whatever other tests have held
	paceCollector()
	if got := percent(); got <= 100 {
		t.Errorf("a small heap: got %d %%, want more than 100 %%", got)
	}
	held := make([]byte, 100<<20)
	runtime.GC()
	deadline := time.After(time.Minute)
	for percent() != leastGrowth {
		select {
		case <-deadline:
			t.Fatalf("a large heap: got %d %%, want %d %%", percent(), leastGrowth)
		default:
			runtime.Gosched() // cleanups run in a goroutine of their own
		}
	}
	runtime.KeepAlive(held)
}
