package check_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tests that the documents name exist.
func TestGuarantees(t *testing.T) {
	t.Parallel()
	var tests []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, "_test.go") {
			tests = append(tests, all(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`, read(t, path))...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"guarantees.md", "architecture.md"} {
		for _, name := range all("`((?:Test|Fuzz|Benchmark)\\w+)`", read(t, "../../docs/"+document)) {
			if !slices.Contains(tests, name) {
				t.Errorf("%s names %s, which does not exist", document, name)
			}
		}
	}
}

// The map for the next engineer shows the phases as the package does.
func TestArchitectureShowsThePhases(t *testing.T) {
	t.Parallel()
	for _, line := range all(`(?m)^//\t(.*▶.*)$`, read(t, "../../internal/payment/doc.go")) {
		if !strings.Contains(read(t, "../../docs/architecture.md"), "\n"+line+"\n") {
			t.Errorf("docs/architecture.md lacks %q", line)
		}
	}
}

// Every library of the program has its line.
func TestArchitectureNamesTheLibraries(t *testing.T) {
	t.Parallel()
	direct, _, _ := strings.Cut(read(t, "../../go.mod"), ")\n")
	text := read(t, "../../docs/architecture.md")
	for _, path := range all(`(?m)^\t(\S+) v\S+$`, direct) {
		known := false
		for _, part := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(path, "github.com/"), "golang.org/"), "/") {
			known = known || len(part) > 2 && part != "nats-io" && strings.Contains(strings.ToLower(text), part)
		}
		if !known {
			t.Errorf("docs/architecture.md does not name %s", path)
		}
	}
}
