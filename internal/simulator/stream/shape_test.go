package stream

import (
	"maps"
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// Every mode of odd_event that can be set is one that events can be written in.
func TestOddEventModes(t *testing.T) {
	t.Parallel()
	got := slices.Sorted(maps.Keys(eventShapes))
	if want := fault.Modes(fault.OddEvent); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
