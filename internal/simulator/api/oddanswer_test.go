package api

import (
	"maps"
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// Every mode of odd_answer that can be set is one that answers can be written in.
func TestOddAnswerModes(t *testing.T) {
	t.Parallel()
	got := append(slices.Collect(maps.Keys(oddities)), fault.OddPatch)
	slices.Sort(got)
	if want := fault.Modes(fault.OddAnswer); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
