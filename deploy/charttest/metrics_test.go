package charttest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// targetLabels are put on by Prometheus, not by the bridge.
var targetLabels = []string{"namespace", "job", "pod", "instance", "service", "endpoint", "container"}

// repository is the folder of the bridge's own module.
const repository = "../.."

// buildBridge compiles the program as it is here.
var buildBridge = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "charttest")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "bridge")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/bridge")
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bridge: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := buildBridge(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// scrape starts the built binary and returns what it exports. NATS is away: all
// metrics are there from the start, whatever the weather.
func scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	binary, err := buildBridge()
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0") // an address where no NATS answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nobody.Close() })
	address := freeAddress(t)
	cmd := exec.Command(binary, "serve")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = []string{
		"BRIDGE_HTTP_ADDR=" + address,
		"BRIDGE_NATS_URL=nats://" + nobody.Addr().String(),
		"BRIDGE_API_URL=http://127.0.0.1:9/v1/json",
		"BRIDGE_API_KEY=no-key",
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("pos-bridge serve ended: %v\n%s", err, log.String())
		case <-deadline:
			t.Fatal("pos-bridge serve did not answer on /metrics in 30 s")
		case <-tick.C:
		}
		response, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("GET /metrics: %s, %v", response.Status, err)
		}
		text := expfmt.NewTextParser(model.UTF8Validation)
		families, err := text.TextToMetricFamilies(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("GET /metrics: %v", err)
		}
		return families
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// series returns the label sets under which a metric of a PromQL expression is
// exported; nil when it is not.
func series(families map[string]*dto.MetricFamily, name string) []map[string]string {
	family := families[name]
	histogram := false
	if family == nil {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			base, ok := strings.CutSuffix(name, suffix)
			if ok && families[base] != nil && families[base].GetType() == dto.MetricType_HISTOGRAM {
				family, histogram = families[base], suffix == "_bucket"
			}
		}
	} else if family.GetType() == dto.MetricType_HISTOGRAM {
		return nil // the bare name of a classic histogram is no series
	}
	if family == nil {
		return nil
	}
	var out []map[string]string
	for _, m := range family.GetMetric() {
		set := map[string]string{}
		for _, l := range m.GetLabel() {
			set[l.GetName()] = l.GetValue()
		}
		if histogram {
			set["le"] = "+Inf"
		}
		out = append(out, set)
	}
	return out
}

// Every alert and every panel asks for a metric, with labels and values, that
// the binary exports. An alert on a name that does not exist never fires, and
// nobody notices.
func TestEveryQueryFindsSomething(t *testing.T) {
	t.Parallel()
	families := scrape(t)
	for _, q := range queries(t) {
		var known []string // labels of all metrics of this expression
		parser.Inspect(q.expr, func(node parser.Node, _ []parser.Node) error {
			v, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			all := series(families, v.Name)
			if all == nil {
				t.Errorf("%s: the bridge exports no %s", q.where, v.Name)
				return nil
			}
			for l := range all[0] {
				known = append(known, l)
			}
			var own []*labels.Matcher
			for _, m := range v.LabelMatchers {
				if m.Name != model.MetricNameLabel && !slices.Contains(targetLabels, m.Name) {
					own = append(own, m)
				}
			}
			found := slices.ContainsFunc(all, func(set map[string]string) bool {
				for _, m := range own {
					if !m.Matches(set[m.Name]) {
						return false
					}
				}
				return true
			})
			if !found {
				t.Errorf("%s: no series of %s matches %v; there are %v", q.where, v.Name, own, all)
			}
			return nil
		})
		parser.Inspect(q.expr, func(node parser.Node, _ []parser.Node) error {
			if a, ok := node.(*parser.AggregateExpr); ok {
				for _, l := range a.Grouping {
					if !slices.Contains(known, l) && !slices.Contains(targetLabels, l) {
						t.Errorf("%s: groups by %s, which its metrics do not have (%v)", q.where, l, known)
					}
				}
			}
			return nil
		})
	}
}

// The other way round: whatever the bridge counts for itself is shown or
// watched somewhere.
func TestEveryMetricIsLookedAt(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for _, q := range queries(t) {
		parser.Inspect(q.expr, func(node parser.Node, _ []parser.Node) error {
			if v, ok := node.(*parser.VectorSelector); ok {
				asked[v.Name] = true
			}
			return nil
		})
	}
	for name, family := range scrape(t) {
		if !strings.HasPrefix(name, "pos_bridge_") {
			continue
		}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			name += "_bucket"
		}
		if !asked[name] {
			t.Errorf("no alert and no panel asks for %s", name)
		}
	}
}

// The metric that the HorizontalPodAutoscaler goes by is one the bridge has.
func TestAutoscalingMetric(t *testing.T) {
	t.Parallel()
	o := mustRender(t, "autoscaling").find(t, "HorizontalPodAutoscaler", "pos-pos-bridge")
	if !strings.Contains(o.YAML, "name: pos_bridge_sessions_active\n") {
		t.Errorf("it does not go by pos_bridge_sessions_active:\n%s", o.YAML)
	}
	if series(scrape(t), "pos_bridge_sessions_active") == nil {
		t.Error("the bridge exports no pos_bridge_sessions_active")
	}
}
