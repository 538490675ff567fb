package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Level is how a finding bears on the promises.
type Level string

// The levels.
const (
	// OK: as it should be.
	OK Level = "ok"
	// Warning: the bridge works, but something weakens a promise.
	Warning Level = "warning"
	// Failure: the bridge does not work like this, or not for every terminal.
	Failure Level = "failure"
)

// Finding is what was found about one thing.
type Finding struct {
	// Area is the part that was looked at: configuration, nats, jetstream,
	// rights, provider or clock.
	Area string `json:"area"`
	// Subject is the thing itself.
	Subject string `json:"subject"`
	Level   Level  `json:"level"`
	// Detail is what was found, Advice what to do; an OK needs none.
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

// Report is everything that was found, in the order in which it was looked at.
type Report struct {
	Findings []Finding
}

func (r *Report) add(area, subject string, level Level, advice, detail string, args ...any) {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	r.Findings = append(r.Findings, Finding{area, subject, level, line(detail), line(advice)})
}

// line keeps text from elsewhere on one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// Count returns how many findings have a level.
func (r *Report) Count(level Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		OK       bool      `json:"ok"`
		Failures int       `json:"failures"`
		Warnings int       `json:"warnings"`
		Findings []Finding `json:"findings"`
	}{r.Count(Failure) == 0, r.Count(Failure), r.Count(Warning), append([]Finding{}, r.Findings...)})
}

// WriteTable writes the report for people: a line for each finding, its advice
// below it, and a last line that sums up.
func (r *Report) WriteTable(w io.Writer) error {
	var rows strings.Builder
	aligned := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(aligned, "%s\t%s\t%s\t%s\n", f.Level, f.Area, f.Subject, f.Detail)
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for i, row := range strings.Split(strings.TrimSuffix(rows.String(), "\n"), "\n") {
		if i >= len(r.Findings) {
			break
		}
		text.WriteString(strings.TrimRight(row, " ") + "\n")
		if advice := r.Findings[i].Advice; advice != "" {
			text.WriteString("         -> " + advice + "\n")
		}
	}
	fmt.Fprintf(&text, "\n%s, %s, %d ok\n", count(r.Count(Failure), "failure"), count(r.Count(Warning), "warning"), r.Count(OK))
	_, err := io.WriteString(w, text.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
