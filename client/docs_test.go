package client_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// The short table of the page for writers of clients says what the code says.
func TestTableOfNextSteps(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	commands := []subjects.Command{subjects.Start, subjects.Cancel, subjects.Get, subjects.Receipt, subjects.List}
	want.WriteString("| code |")
	for _, command := range commands {
		fmt.Fprintf(&want, " %s |", command)
	}
	want.WriteString("\n|---|" + strings.Repeat("---|", len(commands)) + "\n")
	for _, code := range schema.Codes() {
		fmt.Fprintf(&want, "| `%s` |", code)
		for _, command := range commands {
			next := schema.Next("–")
			if advice, ok := schema.AdviceOn(command, code); ok {
				next = advice.Next
			}
			fmt.Fprintf(&want, " %s |", next)
		}
		want.WriteString("\n")
	}
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "<!-- next -->\n")
	got, _, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended || got != want.String() {
		t.Errorf("docs/clients.md has\n%s\nwant\n%s", got, &want)
	}
}
