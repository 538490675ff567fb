package schema

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/posbridge/bridge/subjects"
)

// Every code is answered to some command, and its advice agrees with retryable.
func TestAdviceOnEveryCode(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		if !slices.ContainsFunc(subjects.Commands(), func(c subjects.Command) bool { _, ok := AdviceOn(c, code); return ok }) {
			t.Errorf("no command is answered with %s", code)
		}
	}
	for _, command := range subjects.Commands() {
		for code := range advices[command] {
			a, _ := AdviceOn(command, code)
			if !slices.Contains(Codes(), code) || a.Means == "" || a.Do == "" {
				t.Errorf("%s %s: got %+v", command, code, a)
			}
			if code.Retryable() && a.Next == Change {
				t.Errorf("%s %s is retryable, and the advice is to change it", command, code)
			}
			if !code.Retryable() && (a.Next == Again || a.Next == Later) {
				t.Errorf("%s %s is not retryable, and the advice is to send it again", command, code)
			}
		}
	}
	if a, ok := AdviceOn(subjects.Start, "new"); ok || a.Next != Follow {
		t.Errorf("a code that is not known: got %+v", a)
	}
}

// What is said of a cancel, a get or a receipt never makes a till charge again.
func TestAdviceNeverCostsMoney(t *testing.T) {
	t.Parallel()
	for _, command := range subjects.Commands() {
		for code, a := range advices[command] {
			text := strings.ToLower(a.Means + " " + a.Do)
			if command != subjects.Start && (strings.Contains(text, "new order id") || strings.Contains(text, "nothing open")) {
				t.Errorf("%s %s: %s", command, code, text)
			}
			if a.Next == Follow && !strings.Contains(text, "do not charge again before") {
				t.Errorf("%s %s does not say to wait: %s", command, code, text)
			}
		}
	}
	for status, v := range verdicts {
		if (v.Outcome == Paid || v.Outcome == Unsettled) && strings.Contains(v.Do+v.Cancelled, "new order id") {
			t.Errorf("%s: %+v", status, v)
		}
	}
}

func TestVerdictOnEveryStatus(t *testing.T) {
	t.Parallel()
	for _, status := range KnownStatuses() {
		v, ok := VerdictOn(status, IsFinal(status))
		if !ok || v.Means == "" || v.Do == "" || v.Cancelled == "" {
			t.Errorf("%s: got %+v", status, v)
		}
		if IsFinal(status) && v.Outcome == Open || !IsFinal(status) && (v.Outcome == Unpaid || v.Outcome == Returned) {
			t.Errorf("%s is %s, and final is %v", status, v.Outcome, IsFinal(status))
		}
	}
	if len(verdicts) != len(KnownStatuses()) {
		t.Errorf("got %d verdicts, want %d", len(verdicts), len(KnownStatuses()))
	}
	if v, ok := VerdictOn("new", true); ok || v.Outcome != Unsettled {
		t.Errorf("a final status that is not known: got %+v", v)
	}
	if v, ok := VerdictOn("new", false); ok || v.Outcome != Open {
		t.Errorf("a status that is not known: got %+v", v)
	}
}

// answersPath is the document that says what to do after every answer.
const answersPath = "../docs/answers.md"

// The document is written with UPDATE_ANSWERS=1.
func TestDocumentSaysWhatTheTablesSay(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(answersPath)
	if err != nil {
		t.Fatal(err)
	}
	text := string(document)
	for name, table := range map[string]string{"codes": codesTable(), "statuses": statusesTable()} {
		before, rest, begins := strings.Cut(text, "<!-- "+name+" -->\n")
		old, after, ends := strings.Cut(rest, "<!-- end of "+name+" -->")
		if !begins || !ends {
			t.Fatalf("%s has no place for the %s", answersPath, name)
		}
		if old != table {
			t.Errorf("the %s of %s differ from the tables of this package", name, answersPath)
		}
		text = before + "<!-- " + name + " -->\n" + table + "<!-- end of " + name + " -->" + after
	}
	if os.Getenv("UPDATE_ANSWERS") != "" {
		if err := os.WriteFile(answersPath, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func codesTable() string {
	var b strings.Builder
	b.WriteString("| command | code | next | what is true | what to do |\n|---|---|---|---|---|\n")
	for _, command := range subjects.Commands() {
		for _, code := range Codes() {
			if a, ok := AdviceOn(command, code); ok {
				fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", command, code, a.Next, strings.TrimSpace(a.Means), strings.TrimSpace(a.Do))
			}
		}
	}
	return b.String()
}

func statusesTable() string {
	var b strings.Builder
	b.WriteString("| status | means | in an event, or answer to start or get | in the answer to cancel |\n|---|---|---|---|\n")
	for _, status := range KnownStatuses() {
		v, _ := VerdictOn(status, IsFinal(status))
		fmt.Fprintf(&b, "| `%s` | %s: %s | %s | %s |\n", status, v.Outcome, v.Means, v.Do, v.Cancelled)
	}
	return b.String()
}

// docs/messages.md has every code with its number, and points to the document.
func TestMessagesHaveEveryCode(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range Codes() {
		retryable := map[bool]string{true: "yes", false: "no"}[code.Retryable()]
		if row := fmt.Sprintf("| `%s` | %d | %s |", code, code.Number(), retryable); !strings.Contains(string(page), row) {
			t.Errorf("docs/messages.md has no row %q", row)
		}
	}
	if !strings.Contains(string(page), "](answers.md)") {
		t.Error("docs/messages.md does not point to docs/answers.md")
	}
}
