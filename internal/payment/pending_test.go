package payment

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is added and taken, what waits comes out in order, and no value that was
// kept changes.
func TestPending(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type kept struct {
			value Pending
			want  []Observation
		}
		values := []kept{{}}
		n := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			from := values[rapid.IntRange(0, len(values)-1).Draw(t, "from")]
			next := kept{value: from.value}
			if len(from.want) > 0 && rapid.Bool().Draw(t, "take") {
				if got := from.value.first(); got != from.want[0] {
					t.Fatalf("the first is %v, want %v", got, from.want[0])
				}
				next.value, next.want = from.value.rest(), from.want[1:]
			} else {
				var more []Observation
				for range rapid.IntRange(0, 3).Draw(t, "more") {
					n++
					more = append(more, Observation{EventID: strconv.Itoa(n)})
				}
				next.value, next.want = from.value.with(more...), slices.Concat(from.want, more)
			}
			values = append(values, next)
		}
		for _, v := range values {
			if got := v.value.all(); !slices.Equal(got, v.want) || v.value.Len() != len(v.want) {
				t.Fatalf("got %v, want %v", got, v.want)
			}
		}
	})
}
