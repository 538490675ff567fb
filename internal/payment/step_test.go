package payment

import (
	"reflect"
	"slices"
	"testing"
)

// all is a copy of everything that an array behind a slice holds.
func all[E any](s []E) []E { return slices.Clone(s[:cap(s)]) }

// frozen remembers a payment, with what its slices share. The function reports
// whether it is unchanged.
func frozen(p Payment) (unchanged func() bool) {
	type inside struct {
		seen    []Seen
		ended   []string
		pending []Observation
		early   []early
		run     []Observation
		waiters []uint64
		lookers []uint64
		sealed  []byte
		held    []Observation
	}
	look := func() inside {
		return inside{
			p.Ledger.Seen.all(0), all(p.Ledger.Ended), all(p.Pending.all()), all(p.Stream.Early), all(p.Stream.Connection.Run),
			all(p.Cancel.Waiters), all(p.Lookers), all(p.Stream.Sealed),
			all(p.Question.Held),
		}
	}
	before := look()
	return func() bool { return reflect.DeepEqual(before, look()) }
}

// A Payment is a value: Step changes neither its input nor anything that the
// input shares with other payments.
func TestStepChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		for _, fault := range simulate(seed, without{paranoid: true}, nil).audit.faults {
			t.Errorf("seed %d: %s", seed, fault)
		}
	}
}

// The same payment and input give the same next payment and effects.
func TestStepRepeats(t *testing.T) {
	t.Parallel()
	rules := testRules()
	p := New(&rules, testSession("A"), Place{})
	for _, event := range []Event{
		Delivered{Place: Place{Seq: 1, Handle: "1", Delivered: 1}},
		Stored{Seq: 5},
		Posted{Outcome: Done, SessionID: "S"},
		Stored{Seq: 6},
		StreamOpened{},
		CancelAsked{Waiter: 1},
		Draining{},
	} {
		in := Input{At: epoch, Event: event}
		one, effects := Step(p, in)
		two, again := Step(p, in)
		if !reflect.DeepEqual(one, two) || !reflect.DeepEqual(effects, again) {
			t.Fatalf("%T: two steps differ", event)
		}
		p = one
	}
}
