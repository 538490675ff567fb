package api

import (
	"maps"
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/wire"
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

// A patch keeps the digits of ids that a float64 would round.
func TestOddPatchKeepsDigits(t *testing.T) {
	t.Parallel()
	answer := odd(wire.Answer{Status: 200, Body: fields{"data": fields{}}}, fault.Fault{Mode: fault.OddPatch, Data: `{"data":{"transaction_id":12345678901234567}}`})
	if got, want := string(answer.Marshal()), `{"data":{"transaction_id":12345678901234567}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
