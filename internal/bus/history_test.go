package bus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/subjects"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	var last uint64
	for _, s := range []struct {
		order, name string
		sequence    uint64
	}{{"a/1", "initialized", 1}, {"b", "initialized", 1}, {"a/1", "completed", 2}} {
		after := uint64(0)
		if s.sequence > 1 {
			there, err := b.Last(t.Context(), "T1", s.order)
			if err != nil {
				t.Fatal(err)
			}
			after = there.Seq
		}
		seq, err := b.Append(t.Context(), status(s.order, s.name, s.sequence), after)
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	course, err := b.Course(t.Context(), "T1", "a/1")
	if err != nil || len(course) != 2 || course[0].Event.Status != "initialized" || course[1].Event.Status != "completed" {
		t.Fatalf("course: %+v, %v", course, err)
	}
	if age := time.Since(course[0].At); age < 0 || age > time.Minute {
		t.Errorf("stored %s ago", age)
	}
	if none, err := b.Course(t.Context(), "T1", "other"); err != nil || len(none) != 0 {
		t.Errorf("an order without statuses: %v, %v", none, err)
	}
	if _, err := b.Course(t.Context(), "T1", ">"); !errors.Is(err, subjects.ErrOrder) {
		t.Errorf("an order that is none: %v", err)
	}
	for _, tc := range []struct {
		after uint64
		limit int
		want  int
	}{{0, 10, 3}, {0, 2, 2}, {course[0].Seq, 10, 2}, {last, 10, 0}} {
		if got, err := b.Recent(t.Context(), tc.after, tc.limit); err != nil || len(got) != tc.want {
			t.Errorf("recent after %d, at most %d: %d, %v, want %d", tc.after, tc.limit, len(got), err, tc.want)
		}
	}
	if got, err := b.StatusesRevision(t.Context()); err != nil || got != last {
		t.Errorf("revision: %d, %v, want %d", got, err, last)
	}
	if got, err := b.TerminalOf(t.Context(), "a/1"); err != nil || got != "T1" {
		t.Errorf("terminal of an order: %q, %v", got, err)
	}
	if _, err := b.TerminalOf(t.Context(), "other"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("terminal of no order: %v", err)
	}
	if _, err := b.TerminalOf(t.Context(), "*"); !errors.Is(err, subjects.ErrOrder) {
		t.Errorf("terminal of what is no order: %v", err)
	}
}
