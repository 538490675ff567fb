package bridge

import (
	"testing"

	"github.com/posbridge/bridge/schema"
)

// What a replica that leaves its session publishes: what the stream told, and an
// answer before it, which cannot be had again; not what its successor can ask for
// or decides.
func TestWhatALeavingReplicaTells(t *testing.T) {
	t.Parallel()
	const (
		told    = schema.SourceStream
		answer  = schema.SourceReconcile
		decided = schema.SourceBridge
	)
	for name, tt := range map[string]struct {
		pending []string
		drop    bool
	}{
		"an event":                    {[]string{told}, false},
		"an answer alone":             {[]string{answer}, true},
		"an answer behind an event":   {[]string{told, answer}, false},
		"an answer before an event":   {[]string{answer, told}, false},
		"two answers":                 {[]string{answer, answer}, true},
		"giving up":                   {[]string{decided}, true},
		"giving up before an event":   {[]string{decided, told}, true},
		"an answer before giving up":  {[]string{answer, decided}, true},
		"an answer, giving up, event": {[]string{answer, decided, told}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &follower{}
			for _, source := range tt.pending {
				f.pending = append(f.pending, observed{Observation: Observation{Source: source}})
			}
			if got := f.isSuccessors(); got != tt.drop {
				t.Errorf("the first of %q is the successor's: %v, want %v", tt.pending, got, tt.drop)
			}
		})
	}
}
