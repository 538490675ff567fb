package bridge

import (
	"fmt"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/console"
)

func TestActivitiesAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	a := newActivities()
	for range 3 {
		a.note("T1", "a", activity{kind: did, text: "asked"})
		a.note("T1", "a", activity{kind: met, text: "lost"})
	}
	got := a.of("T1", "a")
	if len(got) != 2 || got[0].count != 3 || got[1].count != 3 || got[0].until.Before(got[0].at) {
		t.Errorf("repeats: %+v", got)
	}
	for i := range 2 * maxActivities {
		a.note("T1", "a", activity{kind: did, text: fmt.Sprint("step ", i)})
	}
	got = a.of("T1", "a")
	if len(got) != maxActivities || got[0].text != "asked" || got[maxActivities-1].text != fmt.Sprint("step ", 2*maxActivities-1) {
		t.Errorf("%d steps, from %q to %q", len(got), got[0].text, got[len(got)-1].text)
	}
	for i := range maxActivityOrders {
		a.note("T2", fmt.Sprint(i), activity{kind: did, text: "begun"})
	}
	if len(a.of("T1", "a")) != 0 || len(a.of("T2", "0")) != 1 || len(a.orders) != maxActivityOrders || a.recent.Len() != maxActivityOrders {
		t.Errorf("%d orders are remembered, want %d, without the oldest", len(a.orders), maxActivityOrders)
	}
	if got := a.of("T3", "none"); got != nil {
		t.Errorf("nothing: %+v", got)
	}
}

func TestHealthOfTheProvider(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ok := call{at: now, took: 40 * time.Millisecond}
	failed, refused, old := call{at: now, failed: true}, call{at: now, refused: true}, call{at: now.Add(-2 * time.Minute), failed: true}
	for name, tc := range map[string]struct {
		made         []call
		state, words string
	}{
		"nothing asked":       {nil, console.Unknown, "Nothing was asked in the last minute"},
		"long ago":            {[]call{old}, console.Unknown, "Nothing was asked in the last minute"},
		"one":                 {[]call{old, ok}, console.Good, "1 answer in the last minute"},
		"well":                {[]call{ok, ok, ok}, console.Good, "3 answers a minute, half within 40 ms"},
		"now and then":        {[]call{ok, failed, ok}, console.Trouble, "1 of 3 requests of the last minute failed"},
		"gone":                {[]call{ok, failed, failed, failed}, console.Bad, "The last 3 requests failed or got no answer"},
		"a key is refused":    {[]call{ok, refused}, console.Trouble, "A key or token was refused once in the last minute"},
		"keys are refused":    {[]call{refused, ok, refused}, console.Trouble, "A key or token was refused 2 times in the last minute"},
		"more than is kept":   {append(make([]call, maxCalls), ok), console.Good, "1 answer in the last minute"},
		"back after a pause":  {[]call{failed, failed, failed, ok}, console.Trouble, "3 of 4 requests of the last minute failed"},
		"streams have no say": {[]call{{at: now, stream: true, took: time.Hour}}, console.Good, "1 answer in the last minute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c calls
			for _, made := range tc.made {
				c.note(made)
			}
			if got := c.health(now); got.State != tc.state || got.Words != tc.words {
				t.Errorf("got %s: %s", got.State, got.Words)
			}
		})
	}
}

func TestMostWithin(t *testing.T) {
	t.Parallel()
	bounds := []float64{.001, .01, 1, 10}
	for _, tc := range []struct {
		counts  []uint64
		samples uint64
		want    string
	}{
		{[]uint64{0, 0, 0, 0}, 0, "–"},
		{[]uint64{100, 100, 100, 100}, 100, "1 ms"},
		{[]uint64{90, 99, 100, 100}, 100, "10 ms"},
		{[]uint64{90, 95, 99, 100}, 100, "1 s"},
		{[]uint64{1, 1, 1, 1}, 100, "over 10 s"},
	} {
		if got := mostWithin(bounds, tc.counts, tc.samples); got != tc.want {
			t.Errorf("%v of %d: got %s, want %s", tc.counts, tc.samples, got, tc.want)
		}
	}
}
