package charttest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "../helm"
	releaseName = "pos"
	namespace   = "payments"
	// kubeVersion is what the chart is rendered for.
	kubeVersion = "v1.37.0"
)

// cases are the values files that the chart is rendered with, by name: every
// example among them. The empty file name stands for no values at all.
var cases = func() map[string]string {
	all := map[string]string{"default": "", "everything": "testdata/everything.yaml"}
	examples, err := filepath.Glob(chartDir + "/examples/*.yaml")
	if err != nil || len(examples) == 0 {
		panic(fmt.Sprintf("no examples of the chart: %v", err))
	}
	for _, file := range examples {
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = file
	}
	return all
}()

// caseNames returns the names of cases in order.
func caseNames() []string { return slices.Sorted(maps.Keys(cases)) }

// rendered is what `helm template` prints, taken apart.
type rendered struct {
	// Objects in the order of installation, hooks last.
	Objects []object
	Notes   string
}

// object is one rendered Kubernetes object.
type object struct {
	Kind, Name string
	// Template is the file it comes from.
	Template string
	// YAML as it was rendered.
	YAML string
}

func (o object) String() string { return o.Kind + "/" + o.Name }

func loadChart(t testing.TB) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatalf("load the chart: %v", err)
	}
	return c
}

// values returns the values of a case.
func values(t testing.TB, name string) map[string]any {
	t.Helper()
	file := cases[name]
	if file == "" {
		return map[string]any{}
	}
	v, err := chartutil.ReadValuesFile(file)
	if err != nil {
		t.Fatalf("read values: %v", err)
	}
	return v
}

// render renders the chart as `helm template` does, the check of the values
// against values.schema.json included.
func render(t testing.TB, vals map[string]any) (rendered, error) {
	t.Helper()
	return renderIn(t, cluster{}, vals)
}

// renderIn renders the chart as an install or upgrade in a cluster does.
func renderIn(t testing.TB, there cluster, vals map[string]any) (rendered, error) {
	t.Helper()
	c := loadChart(t)
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = chartutil.KubeVersion{Version: kubeVersion, Major: "1", Minor: "37"}
	full, err := chartutil.ToRenderValues(c, vals, chartutil.ReleaseOptions{
		Name: releaseName, Namespace: namespace, Revision: 1, IsInstall: true,
	}, &capabilities)
	if err != nil {
		return rendered{}, err
	}
	files, err := engine.RenderWithClientProvider(c, full, there)
	if err != nil {
		return rendered{}, err
	}
	var out rendered
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			out.Notes = text
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return rendered{}, fmt.Errorf("sort manifests: %w", err)
	}
	for _, m := range manifests {
		out.Objects = append(out.Objects, object{m.Head.Kind, m.Head.Metadata.Name, m.Name, m.Content})
	}
	for _, h := range hooks {
		out.Objects = append(out.Objects, object{h.Kind, h.Name, h.Path, h.Manifest})
	}
	return out, nil
}

// mustRender renders a case.
func mustRender(t testing.TB, name string) rendered {
	t.Helper()
	r, err := render(t, values(t, name))
	if err != nil {
		t.Fatalf("render %s: %v", name, err)
	}
	return r
}

// find returns the one object of a kind and name.
func (r rendered) find(t testing.TB, kind, name string) object {
	t.Helper()
	for _, o := range r.Objects {
		if o.Kind == kind && o.Name == name {
			return o
		}
	}
	t.Fatalf("no %s/%s among %v", kind, name, r.Objects)
	return object{}
}

// set returns values with one of them set; the path is dotted.
func set(path string, value any) map[string]any {
	keys := strings.Split(path, ".")
	for _, key := range slices.Backward(keys) {
		value = map[string]any{key: value}
	}
	return value.(map[string]any)
}

// merge lays values over each other; later ones win.
func merge(all ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, v := range all {
		out = chartutil.CoalesceTables(v, out)
	}
	return out
}

// decode reads YAML into v, refusing unknown and repeated fields.
func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
		t.Fatalf("decode: %v\n%s", err, text)
	}
	return v
}

// readFile returns a file of the repository, by its path from this folder.
func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
