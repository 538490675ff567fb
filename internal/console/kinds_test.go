package console_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/posbridge/bridge/schema"
)

// The page shows every known status in a form that fits what it means: money that goes
// back is not shown like a payment, nor like a status that the page does not know.
func TestEveryStatusHasAKind(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("page/dom.js")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(content), "const kinds = {")
	table, _, _ = strings.Cut(table, "}")
	kinds := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+): '(\w+)'`).FindAllStringSubmatch(table, -1) {
		kinds[m[1]] = m[2]
	}
	want := map[schema.Outcome]string{schema.Paid: "good", schema.Unpaid: "over", schema.Returned: "back"}
	for _, status := range schema.KnownStatuses() {
		v, _ := schema.VerdictOn(status, schema.IsFinal(status))
		kind, got := want[v.Outcome], kinds[status]
		if status == "partial_refunded" {
			kind = "back" // paid, but not all of it is left
		}
		if got == "" || kind != "" && got != kind {
			t.Errorf("%s is %s and has the kind %q, want %q", status, v.Outcome, got, kind)
		}
	}
}
