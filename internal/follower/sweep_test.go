package follower

import (
	"fmt"
	"testing"
)

// A sweep acts on what it sees for the second time, and takes the orders that are
// over in small numbers.
func TestChoose(t *testing.T) {
	t.Parallel()
	var findings []finding
	for i := range 2*maxWatches + 1 {
		findings = append(findings, finding{ref: Ref{Terminal: "T1", Order: fmt.Sprint(i)}, what: unwatched})
	}
	for i := range 2 * maxWatches {
		findings = append(findings, finding{ref: Ref{Terminal: "T1", Order: fmt.Sprint(i)}, what: unfollowed})
	}
	repairs, pending := choose(findings, nil)
	if len(repairs) != 0 || len(pending) != len(findings) {
		t.Fatalf("first sweep: %d repairs and %d pending, want none of %d", len(repairs), len(pending), len(findings))
	}
	repaired := map[finding]bool{}
	for _, want := range []struct{ repairs, pending int }{{3 * maxWatches, maxWatches + 1}, {maxWatches, 1}, {1, 0}} {
		var left []finding
		for _, at := range findings {
			if !repaired[at] {
				left = append(left, at)
			}
		}
		repairs, pending = choose(left, pending)
		if len(repairs) != want.repairs || len(pending) != want.pending {
			t.Errorf("%d repairs and %d pending, want %d and %d", len(repairs), len(pending), want.repairs, want.pending)
		}
		for _, at := range repairs {
			repaired[at] = true
		}
	}
}
