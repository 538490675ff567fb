package charttest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// What the chart renders is kept, so that every change of it is seen in review.
func TestGoldens(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustRender(t, name)
			var b strings.Builder
			for _, o := range r.Objects {
				b.WriteString("---\n" + strings.TrimSpace(o.YAML) + "\n")
			}
			golden(t, name+".yaml", b.String())
			golden(t, name+".notes.txt", r.Notes)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s line %d:\n got %q\nwant %q\nif that is meant: go test ./... -update", path, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s: got %d lines, want %d; if that is meant: go test ./... -update", path, len(gotLines), len(wantLines))
}

func TestLint(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube, err := chartutil.ParseKubeVersion(kubeVersion)
			if err != nil {
				t.Fatal(err)
			}
			l := lint.AllWithKubeVersion(chartDir, values(t, name), namespace, kube)
			for _, m := range l.Messages {
				if m.Severity > support.InfoSev {
					t.Errorf("%s: %v", m.Path, m.Err)
				}
			}
		})
	}
}
