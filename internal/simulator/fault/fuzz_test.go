package fault

import (
	"strings"
	"testing"
)

// Whatever an order asks for, it is either refused or within the checked bounds.
func FuzzParseFaults(f *testing.F) {
	for _, seed := range []string{
		"", "till 7", "fault:drop_stream", "fault:drop_stream:after=1,clean fault:refuse_stream:status=503,count=2",
		"fault:lose_create_answer:mode=huge,size=9999999999999999999", "fault:slow_api:delay=1s,late=false", "fault:::,=,",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(text)
		if err != nil {
			if list != nil {
				t.Errorf("%q: faults with error %v", text, err)
			}
			return
		}
		if !strings.HasPrefix(text, prefix) && list != nil {
			t.Errorf("%q asks for nothing, got %v", text, list)
		}
		if len(list) > maxAskedFaults {
			t.Errorf("%q: got %d faults", text, len(list))
		}
		for _, f := range list {
			if err := f.Check(); err != nil {
				t.Errorf("%q: got a fault that is wrong: %v", text, err)
			}
		}
	})
}
