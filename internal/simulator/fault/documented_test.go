package fault

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

// Every fault that docs/simulator.md writes down can be set.
func TestDocumentedFaults(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, asked := range regexp.MustCompile("[`\"](fault:[^`\"<]+)[`\"]").FindAllSubmatch(raw, -1) {
		found++
		if list, err := Parse(string(asked[1])); err != nil || len(list) == 0 {
			t.Errorf("%s: got %v, %v", asked[1], list, err)
		}
	}
	for _, set := range regexp.MustCompile(`\{"fault":"[^<}]+\}`).FindAll(raw, -1) {
		found++
		var f Fault
		if err := json.Unmarshal(set, &f); err != nil || f.Check() != nil {
			t.Errorf("%s: got %v, %v", set, err, f.Check())
		}
	}
	if found < 18 {
		t.Errorf("found %d examples, want the page's", found)
	}
}
