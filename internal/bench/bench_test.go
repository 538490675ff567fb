//go:build linux

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// tiny sizes show that every figure can be measured. Their values mean nothing.
var tiny = sizes{
	requesters: 4, quiet: 50 * time.Millisecond,
	deliverySessions: 5, deliveryRate: 100, delivery: 300 * time.Millisecond,
	floodSessions: 5, floodWindow: 8, flood: 300 * time.Millisecond,
	idleSessions: 20, idleRequesters: 4, idle: 200 * time.Millisecond,
	starts:           20,
	failoverSessions: 20, failover: time.Minute,
	dropSessions: 20, away: 300 * time.Millisecond,
}

func TestEveryFigureIsMeasured(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out, progress bytes.Buffer
	if code := run(ctx, []string{"-runs", "1"}, tiny, &out, &progress); code != 0 {
		t.Fatalf("exit code %d, want 0\n%s", code, progress.String())
	}
	if strings.Contains(out.String(), "not measured") {
		t.Errorf("some figures were not measured:\n%s\n%s", out.String(), progress.String())
	}
	t.Log("\n" + out.String())
}

func TestTableJudgesMediansAndRatios(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row         row
		ratio, want string
	}{
		"ratio within":         {row{kind: ratioAtMost, bound: 1.2, naive: []float64{10, 11, 90}, bridge: []float64{1, 13, 99}}, "1.18×", "yes"},
		"ratio above":          {row{kind: ratioAtMost, bound: 1.2, naive: []float64{10}, bridge: []float64{13}}, "1.30×", "no"},
		"ratio below":          {row{kind: ratioAtLeast, bound: 0.8, naive: []float64{10}, bridge: []float64{7}}, "0.70×", "no"},
		"median of two":        {row{kind: atMost, bound: 2, bridge: []float64{1, 3}}, "", "yes"},
		"the worst run counts": {row{kind: atMost, bound: 250, worst: true, bridge: []float64{3, 251, 4}}, "", "no"},
		"nothing lost":         {row{kind: atMost, bound: 0, bridge: []float64{0}}, "", "yes"},
		"not measured":         {row{kind: atMost, bound: 1}, "", "no"},
		"nothing wanted":       {row{naive: []float64{2}, bridge: []float64{5}}, "2.50×", ""},
	} {
		_, _, ratio, _, ok := c.row.cells()
		if ratio != c.ratio || ok != c.want {
			t.Errorf("%s: ratio %q, ok %q, want %q and %q", name, ratio, ok, c.ratio, c.want)
		}
	}
}
