package check_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/telemetry"
)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// compare holds what is documented to what is there.
func compare(t *testing.T, what string, documented, there []string) {
	t.Helper()
	if len(there) == 0 {
		t.Fatalf("no %s at all: has its source moved?", what)
	}
	for _, name := range there {
		if !slices.Contains(documented, name) {
			t.Errorf("%s %s is not in docs/operations.md", what, name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(there, name) {
			t.Errorf("%s %s in docs/operations.md does not exist", what, name)
		}
	}
}

// all returns the first group of every match.
func all(pattern, text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(found, m[1]) {
			found = append(found, m[1])
		}
	}
	return found
}

// section returns what stands under a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/operations.md has no section %s", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// checkDefaults holds the documented defaults of one row to the table's. One dash
// may stand for several variables without a default.
func checkDefaults(t *testing.T, names []string, documented string, standards map[string]string) {
	t.Helper()
	words := map[string]string{"REPLICA_ID": "host name + random", "API_URL": "the live API"}
	shown := regexp.MustCompile("`[^`]*`|–").FindAllString(documented, -1)
	for i, name := range names {
		want := "–"
		if standards[name] != "" {
			want = "`" + standards[name] + "`"
		}
		got := documented
		if i < len(shown) {
			got = shown[i]
		} else if len(shown) == 1 {
			got = shown[0]
		}
		if got != want && documented != words[name] {
			t.Errorf("default of %s: documented as %s, want %s", name, got, want)
		}
	}
}

// docs/operations.md documents every metric with its labels, every alert of the
// chart and every variable, and none that do not exist.
func TestOperationsManual(t *testing.T) {
	t.Parallel()
	text := read(t, "../../docs/operations.md")

	t.Run("metrics", func(t *testing.T) {
		t.Parallel()
		families, err := telemetry.NewMetrics("v", "c", "g").Registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		var there []string
		for _, f := range families {
			name := f.GetName()
			if !strings.HasPrefix(name, "pos_bridge_") {
				continue
			}
			var labels []string
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			slices.Sort(labels)
			there = append(there, name+" "+strings.Join(labels, " "))
		}
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| `(pos_bridge_[a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(section(t, text, "Metrics"), -1) {
			labels := all("`([a-z]+)`", row[2])
			slices.Sort(labels)
			documented = append(documented, row[1]+" "+strings.Join(labels, " "))
		}
		compare(t, "metric", documented, there)
	})

	t.Run("metrics that are spoken of", func(t *testing.T) {
		t.Parallel()
		table := all("(?m)^\\| `(pos_bridge_[a-z_]+)` \\|", text)
		for _, name := range all("(pos_bridge_[a-z_]*[a-z])", text) {
			if !slices.Contains(table, name) {
				t.Errorf("%s does not exist", name)
			}
		}
	})

	t.Run("alerts", func(t *testing.T) {
		t.Parallel()
		// runbook_url is the alert's name in lower case, which is the anchor of a
		// heading that is nothing but that name.
		there := all(`(?m)^- alert: (\w+)$`, read(t, "../../deploy/helm/files/alerts.yaml"))
		compare(t, "alert", all(`(?m)^### (PosBridge\w+)$`, section(t, text, "Alerts")), there)
		for _, name := range all(`(PosBridge\w+)`, text) {
			if !slices.Contains(there, name) {
				t.Errorf("there is no alert %s", name)
			}
		}
	})

	t.Run("variables", func(t *testing.T) {
		t.Parallel()
		standards := map[string]string{}
		var there []string
		for _, v := range bridge.Variables() {
			there = append(there, v.Name)
			standards[v.Name] = v.Default
		}
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \\| ([^|]*) \\|").FindAllStringSubmatch(section(t, text, "Configure"), -1) {
			names := all("`([A-Z_]+)`", row[1])
			documented = append(documented, names...)
			checkDefaults(t, names, row[2], standards)
		}
		compare(t, "variable", documented, there)
	})

	t.Run("conditions of readiness", func(t *testing.T) {
		t.Parallel()
		there := all(`(?m)^\tcond[A-Z]\w+ += "([a-z]+)"$`, read(t, "../../bridge/readiness.go"))
		_, after, _ := strings.Cut(text, "\n### Not ready\n")
		body, _, _ := strings.Cut(after, "\n### ")
		compare(t, "condition", all("(?m)^\\| `([a-z]+)` \\|", body), there)
	})

	t.Run("anchors", func(t *testing.T) {
		t.Parallel()
		var anchors []string
		for _, heading := range all(`(?m)^#+ (.+)$`, text) {
			anchor := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), "")
			anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
		}
		for _, link := range all(`\]\(#([^)]+)\)`, text) {
			if !slices.Contains(anchors, link) {
				t.Errorf("#%s leads nowhere", link)
			}
		}
		for _, file := range all(`\]\(([^)#]+)\)`, text) {
			if _, err := os.Stat("../../docs/" + file); err != nil {
				t.Errorf("%s leads nowhere", file)
			}
		}
	})
}
