package charttest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
)

// promqlParser is Prometheus' own, with nothing experimental switched on.
var promqlParser = parser.NewParser(parser.Options{})

// query is one PromQL expression of the chart and where it stands.
type query struct {
	where string
	expr  parser.Expr
}

// parseQuery parses an expression of a rule or of a panel.
func parseQuery(t testing.TB, where, expr string) query {
	t.Helper()
	// Grafana puts these in before it asks.
	text := strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h").Replace(expr)
	parsed, err := promqlParser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v\n%s", where, err, expr)
	}
	return query{where, parsed}
}

// alertRules returns the alerts of the production example.
func alertRules(t testing.TB) []monitoring.Rule {
	t.Helper()
	r, err := render(t, merge(values(t, "production"), set("replicaCount", 2)))
	if err != nil {
		t.Fatal(err)
	}
	rule := find[*monitoring.PrometheusRule](t, r, "pos-pos-bridge")
	var rules []monitoring.Rule
	for _, g := range rule.Spec.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) < 15 {
		t.Fatalf("there are %d alerts only", len(rules))
	}
	return rules
}

// dashboard is what of a Grafana dashboard the tests look at.
type dashboard struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type string
			Query      json.RawMessage
		}
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct{ Expr string }
}

func readDashboard(t testing.TB) dashboard {
	t.Helper()
	r := mustRender(t, "production")
	o := r.find(t, "ConfigMap", "pos-pos-bridge-dashboard")
	cm := decode[struct {
		APIVersion, Kind string
		Metadata         map[string]any
		Data             map[string]string
	}](t, o.YAML)
	var d dashboard
	if err := json.Unmarshal([]byte(cm.Data["pos-bridge.json"]), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var labelValues = regexp.MustCompile(`label_values\((.*), *(\w+)\)`)

// queries returns every expression of the alerts and of the dashboard.
func queries(t testing.TB) []query {
	t.Helper()
	var out []query
	for _, r := range alertRules(t) {
		out = append(out, parseQuery(t, "alert "+r.Alert, r.Expr.String()))
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			out = append(out, parseQuery(t, fmt.Sprintf("panel %q", p.Title), target.Expr))
		}
	}
	for _, v := range d.Templating.List {
		if m := labelValues.FindSubmatch(v.Query); m != nil {
			var selector string
			if err := json.Unmarshal([]byte(`"`+string(m[1])+`"`), &selector); err != nil {
				t.Fatal(err)
			}
			out = append(out, parseQuery(t, "variable "+v.Name, selector))
		}
	}
	for _, a := range d.Annotations.List {
		out = append(out, parseQuery(t, "annotation "+a.Name, a.Expr))
	}
	return out
}

func TestDashboardLayout(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	ids := map[int]string{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if other, ok := ids[p.ID]; ok {
			t.Errorf("%q and %q have the id %d", p.Title, other, p.ID)
		}
		ids[p.ID] = p.Title
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%q is wider than the page", p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, ok := taken[at]; ok {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
}
