package terminalgroups

import (
	"maps"
	"testing"

	"github.com/posbridge/bridge/internal/redact"
)

func TestTerminals(t *testing.T) {
	t.Parallel()
	p := newProvider(map[string][]string{"key-a": {"T1"}, "key-b": {"T2"}})
	d, _ := setup(t, twoAsked, p)
	if got := d.Terminals(); !maps.Equal(got, map[string]string{"T9": "c"}) {
		t.Errorf("before anybody was asked: %v", got)
	}
	if p.count("key-a") != 0 {
		t.Error("the provider was asked")
	}
	lookup(t, d, "T2")
	lookup(t, d, "T1")
	if got := d.Terminals(); got["T1"] != "a" || got["T2"] != "b" || got["T9"] != "c" {
		t.Errorf("got %v", got)
	}
	if got := Single(redact.NewSecret("key")).Terminals(); len(got) != 0 {
		t.Errorf("of one key for all: %v", got)
	}
}
