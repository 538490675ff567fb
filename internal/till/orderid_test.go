package till_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/subjects"
)

func TestNewOrderID(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 0, 30, 0, 0, time.FixedZone("east", 3600))
	form := regexp.MustCompile(`^pay-20261123-[A-HJKMNP-Z2-9]{6}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := till.NewOrderID(now)
		if !form.MatchString(id) || subjects.CheckOrder(id) != nil {
			t.Fatalf("got %q, want %v", id, form)
		}
		seen[id] = true
	}
	if len(seen) < 999 {
		t.Errorf("got %d different ids of 1000", len(seen))
	}
}
