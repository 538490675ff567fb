package schema

import (
	"slices"
	"testing"
)

func TestIsFinal(t *testing.T) {
	t.Parallel()
	final := []string{
		"completed", "cancelled", "expired", "void", "unresolved", "not_created",
		"reversed", "refunded", "partial_refunded", "chargeback", "chargedback",
	}
	open := []string{"", "created", "initialized", "declined", "reserved", "uncleared", "shipped", "Completed", "new name"}
	for _, status := range final {
		if !IsFinal(status) {
			t.Errorf("%s: got open, want final", status)
		}
	}
	for _, status := range open {
		if IsFinal(status) {
			t.Errorf("%q: got final, want open", status)
		}
	}
	for _, status := range KnownStatuses() {
		if !slices.Contains(final, status) && !slices.Contains(open, status) {
			t.Errorf("%s: this test does not know whether it is final", status)
		}
	}
}
