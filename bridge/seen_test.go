package bridge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// What a follower was shown and did not come to publish, after what others have
// published since.
func TestUnpublished(t *testing.T) {
	t.Parallel()
	shown := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		before                string
		seen, published, want []string
	}{
		"nothing was published":             {"initialized", []string{"declined"}, nil, []string{"declined"}},
		"it was published":                  {"initialized", []string{"declined"}, []string{"declined"}, nil},
		"and more":                          {"initialized", []string{"declined"}, []string{"declined", "initialized"}, nil},
		"the first of two":                  {"initialized", []string{"declined", "initialized"}, []string{"declined"}, []string{"initialized"}},
		"a repeat of what stood there":      {"initialized", []string{"initialized on connecting"}, []string{"declined"}, nil},
		"what stood there, anew":            {"initialized", []string{"initialized"}, []string{"declined"}, []string{"initialized"}},
		"back to what stood there":          {"initialized", []string{"declined", "initialized", "completed"}, []string{"declined", "initialized"}, []string{"completed"}},
		"something else":                    {"", []string{"declined"}, []string{"initialized"}, []string{"declined"}},
		"the last, the others by an answer": {"", []string{"initialized", "declined", "completed"}, []string{"completed"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []bus.Seen
			for _, status := range tt.seen {
				status, opening := strings.CutSuffix(status, " on connecting")
				seen = append(seen, bus.Seen{Status: status, At: shown, NotBefore: shown, Opening: opening})
			}
			var since []bus.Status
			previous := tt.before
			for _, status := range tt.published {
				since = append(since, bus.Status{Event: schema.StatusEvent{Status: status, PreviousStatus: previous, ObservedAt: shown}})
				previous = status
			}
			var got []string
			for _, s := range unpublished(seen, since) {
				got = append(got, s.Status)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
