package payment

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The diagram in the package comment is the table.
func TestDiagram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string][]string{"left": {}}
	for _, line := range regexp.MustCompile(`(?m)^//\t([a-z ]+?) ─+▶ (.*)$`).FindAllStringSubmatch(string(source), -1) {
		drawn[line[1]] = regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line[2]), -1)
	}
	if len(drawn) != len(transitions) {
		t.Errorf("the diagram has %d phases, the table %d", len(drawn), len(transitions))
	}
	for from, want := range transitions {
		got := slices.Sorted(slices.Values(drawn[from]))
		if want := slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("%s: the diagram leads to %q, the table to %q", from, got, want)
		}
	}
}
