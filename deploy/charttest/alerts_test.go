package charttest

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"sigs.k8s.io/yaml"
)

// Time of the simulated scrapes: one every step, for span.
const (
	step = 15 * time.Second
	span = 150 * time.Minute
	// settled is when the longest window of the alerts, an hour, is full.
	settled = 70 * time.Minute
)

// weather is what two replicas export over time: the value pattern of each
// series, in promtool's notation, by metric and labels. A key that ends in
// "@a" is of replica a alone.
type weather map[string]string

// over returns the weather with some series changed; an empty pattern takes a
// series away.
func (w weather) over(change weather) weather {
	out := maps.Clone(w)
	maps.Copy(out, change)
	return out
}

const (
	always0 = "0x600"
	always1 = "1x600"
	// The pattern grows from the 400th sample on, 100 minutes in.
	laterGrows = "0x400 1+1x199"
	laterOnce  = "0x400 1x199"
	busy       = "0+15x600" // one a second
)

// fine is a busy hour in which nothing is wrong.
var fine = weather{
	`pos_bridge_ready`:             always1,
	`pos_bridge_draining`:          always0,
	`process_start_time_seconds`:   "1000x600",
	`pos_bridge_nats_connected`:    always1,
	`pos_bridge_pending_publishes`: "0x100 3 0x100 1 1 0x397",
	`pos_bridge_build_info{version="1.0.0",commit="abc",goversion="go1.26"}`:            always1,
	`pos_bridge_delivery_latency_seconds_bucket{le="0.1"}`:                              busy,
	`pos_bridge_delivery_latency_seconds_bucket{le="5"}`:                                busy,
	`pos_bridge_delivery_latency_seconds_bucket{le="+Inf"}`:                             busy,
	`pos_bridge_provider_requests_total{operation="create",code="200"}`:                 busy,
	`pos_bridge_provider_requests_total{operation="create",code="422"}`:                 "0+2x600",
	`pos_bridge_provider_requests_total{operation="create",code="503"}`:                 always0,
	`pos_bridge_provider_requests_total{operation="get",code="error"}`:                  always0,
	`pos_bridge_provider_requests_total{operation="stream",code="503"}`:                 busy,
	`pos_bridge_provider_request_duration_seconds_bucket{operation="create",le="0.5"}`:  busy,
	`pos_bridge_provider_request_duration_seconds_bucket{operation="create",le="10"}`:   busy,
	`pos_bridge_provider_request_duration_seconds_bucket{operation="create",le="+Inf"}`: busy,
	`pos_bridge_commands_total{command="start",code="ok"}`:                              busy,
	`pos_bridge_commands_total{command="start",code="terminal_busy"}`:                   "0+3x600",
	`pos_bridge_commands_total{command="start",code="provider_error"}`:                  always0,
	`pos_bridge_commands_total{command="start",code="provider_unavailable"}`:            always0,
	`pos_bridge_commands_total{command="start",code="outcome_unknown"}`:                 always0,
	`pos_bridge_sessions_active`:                                                        "100x600",
	`pos_bridge_streams_connected`:                                                      "97x600",
	`pos_bridge_stream_reconnects_total{reason="ended"}`:                                "0+4x600",
	`pos_bridge_reconciles_total{result="news"}`:                                        "0+1x600",
	`pos_bridge_status_published_total{status="completed",source="stream"}`:             "0+30x600",
	`pos_bridge_invalid_events_total`:                                                   always0,
	`pos_bridge_foreign_events_total`:                                                   always0,
	`pos_bridge_sessions_unresolved_total`:                                              always0,
	`pos_bridge_oldest_session_age_seconds`:                                             "1500x600",
	`pos_bridge_sessions_panicked_total`:                                                always0,
	`pos_bridge_sweep_repairs_total{finding="unfollowed"}`:                              always0,
	`pos_bridge_sweep_repairs_total{finding="unwatched"}`:                               "0+1x600",
	`pos_bridge_webhook_notifications_total{result="asked"}`:                            busy,
	`pos_bridge_webhook_notifications_total{result="unsigned"}`:                         "0+1x600",
	`pos_bridge_webhook_notifications_total{result="wrong_signature"}`:                  always0,
	`pos_bridge_sessions_without_status`:                                                always0,
	`pos_bridge_failovers_total`:                                                        always0,
	`pos_bridge_handovers_total`:                                                        always0,
	`pos_bridge_fences_lost_total`:                                                      always0,
	`pos_bridge_terminal_groups_current`:                                                always1,
}

// weathers are what can happen, and the alerts that must fire then: these and
// no others.
var weathers = map[string]struct {
	series weather
	fires  []string
}{
	"nothing is wrong": {fine, nil},
	"nothing to do": {fine.over(weather{
		`pos_bridge_commands_total{command="start",code="ok"}`: always0, `pos_bridge_commands_total{command="start",code="terminal_busy"}`: always0,
		`pos_bridge_provider_requests_total{operation="create",code="200"}`: always0, `pos_bridge_provider_requests_total{operation="create",code="422"}`: always0,
		`pos_bridge_provider_requests_total{operation="stream",code="503"}`: always0,
		`pos_bridge_sessions_active`:                                        always0, `pos_bridge_streams_connected`: always0, `pos_bridge_stream_reconnects_total{reason="ended"}`: always0,
		`pos_bridge_delivery_latency_seconds_bucket{le="0.1"}`: always0, `pos_bridge_delivery_latency_seconds_bucket{le="5"}`: always0, `pos_bridge_delivery_latency_seconds_bucket{le="+Inf"}`: always0,
		`pos_bridge_reconciles_total{result="news"}`: always0, `pos_bridge_status_published_total{status="completed",source="stream"}`: always0,
	}), nil},
	"a rolling update": {fine.over(weather{
		`pos_bridge_ready@a`: "1x400 0x4 1x195", `pos_bridge_draining@a`: "0x400 1x1 0x198",
		`pos_bridge_ready@b`: "1x408 0x4 1x187", `pos_bridge_draining@b`: "0x408 1x1 0x190",
		`process_start_time_seconds@a`:                                             "1000x400 7000x199",
		`pos_bridge_nats_connected@a`:                                              "1x400 0x2 1x197",
		`pos_bridge_handovers_total@a`:                                             "0x400 100x199",
		`pos_bridge_sessions_active@a`:                                             "100x400 0x4 200x195",
		`pos_bridge_streams_connected@a`:                                           "97x400 0x4 196x195",
		`pos_bridge_pending_publishes@a`:                                           "0x399 4x2 0x198",
		`pos_bridge_fences_lost_total@a`:                                           "0x400 3x199",
		`pos_bridge_build_info{version="1.1.0",commit="abd",goversion="go1.26"}@a`: "_x404 1x195",
		`pos_bridge_build_info{version="1.0.0",commit="abc",goversion="go1.26"}`:   "",
		`pos_bridge_build_info{version="1.0.0",commit="abc",goversion="go1.26"}@b`: "1x408 _x191",
	}), nil},
	"nobody is there":    {weather{}, []string{"PosBridgeNobodyReady"}},
	"nobody is ready":    {fine.over(weather{`pos_bridge_ready`: "1x400 0x199"}), []string{"PosBridgeNobodyReady", "PosBridgeReplicaNotReady"}},
	"one is not ready":   {fine.over(weather{`pos_bridge_ready@a`: "1x400 0x199"}), []string{"PosBridgeReplicaNotReady"}},
	"one draining":       {fine.over(weather{`pos_bridge_ready@a`: "1x400 0x199", `pos_bridge_draining@a`: "0x400 1x199"}), nil},
	"one does not start": {fine.over(weather{`pos_bridge_ready`: "", `pos_bridge_ready@a`: always1}), []string{"PosBridgeReplicaMissing"}},
	"crash loop":         {fine.over(weather{`process_start_time_seconds@a`: "1000x400 7000x10 7100x10 7200x10 7300x169"}), []string{"PosBridgeRestarting"}},
	"an update stuck":    {fine.over(weather{`pos_bridge_build_info{version="1.1.0",commit="abd",goversion="go1.26"}@a`: "_x200 1x399"}), []string{"PosBridgeMixedVersions"}},
	"one without NATS":   {fine.over(weather{`pos_bridge_nats_connected@a`: "1x400 0x199", `pos_bridge_ready@a`: "1x400 0x199", `pos_bridge_pending_publishes@a`: "0x402 5+1x197"}), []string{"PosBridgeNatsAway", "PosBridgePublishesStuck", "PosBridgeReplicaNotReady"}},
	"a blink of NATS":    {fine.over(weather{`pos_bridge_nats_connected`: "1x400 0x2 1x197", `pos_bridge_ready`: "1x400 0x2 1x197", `pos_bridge_pending_publishes`: "0x400 5x3 0x196"}), nil},
	"slow JetStream":     {fine.over(weather{`pos_bridge_delivery_latency_seconds_bucket{le="0.1"}`: "0+15x400 6000x199"}), []string{"PosBridgeDeliverySlow"}},
	"provider away":      {fine.over(weather{`pos_bridge_provider_requests_total{operation="get",code="error"}`: "0x400 15+15x199", `pos_bridge_provider_requests_total{operation="create",code="503"}`: "0x400 15+15x199", `pos_bridge_provider_requests_total{operation="create",code="200"}`: "0+15x400 6000x199", `pos_bridge_commands_total{command="start",code="ok"}`: "0+15x400 6000x199", `pos_bridge_commands_total{command="start",code="provider_unavailable"}`: "0x400 15+15x199"}), []string{"PosBridgeProviderFailing", "PosBridgeStartsFailing"}},
	"a refused key":      {fine.over(weather{`pos_bridge_commands_total{command="start",code="provider_error"}@a`: laterOnce}), []string{"PosBridgeProviderRefuses"}},
	"a slow provider":    {fine.over(weather{`pos_bridge_provider_request_duration_seconds_bucket{operation="create",le="0.5"}`: "0+15x400 6000x199"}), []string{"PosBridgeProviderSlow"}},
	"a lost answer":      {fine.over(weather{`pos_bridge_commands_total{command="start",code="outcome_unknown"}@b`: laterOnce}), []string{"PosBridgeOutcomeUnknown"}},
	"streams refused":    {fine.over(weather{`pos_bridge_streams_connected`: "97x400 10x199"}), []string{"PosBridgeStreamsAway"}},
	"streams flap":       {fine.over(weather{`pos_bridge_stream_reconnects_total{reason="ended"}`: "0+4x400 1600+150x199"}), []string{"PosBridgeStreamsReconnecting"}},
	"a deaf stream":      {fine.over(weather{`pos_bridge_status_published_total{status="completed",source="reconcile"}`: "0+1x300 300+20x299"}), []string{"PosBridgeStreamMisses"}},
	"an invalid event":   {fine.over(weather{`pos_bridge_invalid_events_total@a`: laterOnce}), []string{"PosBridgeInvalidEvents"}},
	"a foreign event":    {fine.over(weather{`pos_bridge_foreign_events_total@b`: laterOnce}), []string{"PosBridgeForeignEvents"}},
	"a payment given up": {fine.over(weather{`pos_bridge_sessions_unresolved_total@a`: laterOnce}), []string{"PosBridgeUnresolved"}},
	"a stuck session":    {fine.over(weather{`pos_bridge_oldest_session_age_seconds@a`: "1500x400 2110+15x199"}), []string{"PosBridgeSessionTooOld"}},
	"a dead terminal":    {fine.over(weather{`pos_bridge_sessions_without_status@b`: "0x400 1x199"}), []string{"PosBridgeNoStatus"}},
	"a failed session":   {fine.over(weather{`pos_bridge_sessions_panicked_total@a`: laterOnce}), []string{"PosBridgeSessionFailed"}},
	"a repair":           {fine.over(weather{`pos_bridge_sweep_repairs_total{finding="unfollowed"}@a`: laterOnce}), []string{"PosBridgeSweepRepairs"}},
	"a wrong signature":  {fine.over(weather{`pos_bridge_webhook_notifications_total{result="wrong_signature"}@b`: laterOnce}), []string{"PosBridgeNotificationsForged"}},
	"sessions wander":    {fine.over(weather{`pos_bridge_failovers_total`: "0x400 20+20x199"}), []string{"PosBridgeTakeovers"}},
	"zombies":            {fine.over(weather{`pos_bridge_fences_lost_total@a`: laterGrows}), []string{"PosBridgeFencesLost"}},
	"a broken file":      {fine.over(weather{`pos_bridge_terminal_groups_current@b`: "1x400 0x199"}), []string{"PosBridgeGroupsFileRefused"}},
}

// load writes the weather as promqltest reads it.
func (w weather) load() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load %s\n", model.Duration(step))
	for _, replica := range []string{"a", "b"} {
		for _, key := range slices.Sorted(maps.Keys(w)) {
			name, of, only := strings.Cut(key, "@")
			if _, own := w[key+"@"+replica]; w[key] == "" || own || only && of != replica {
				continue
			}
			name, own, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
			labels := fmt.Sprintf(`namespace=%q,job="pos-pos-bridge",pod=%q`, namespace, replica)
			if own != "" {
				labels += "," + own
			}
			fmt.Fprintf(&b, "  %s{%s} %s\n", name, labels, w[key])
		}
	}
	// Somebody else's bridge, which is in a bad way and none of our business.
	b.WriteString("  pos_bridge_sessions_unresolved_total{namespace=\"other\",job=\"pos-pos-bridge\",pod=\"x\"} 0+1x600\n")
	b.WriteString("  pos_bridge_nats_connected{namespace=\"payments\",job=\"another\",pod=\"x\"} 0x600\n")
	return b.String()
}

var labelOfTemplate = regexp.MustCompile(`\$labels\.(\w+)`)

// Each alert fires in the weather it is made for, and in no other.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rules := alertRules(t)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 10_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: promqlParser,
	})
	t.Cleanup(func() { _ = engine.Close() })
	covered := map[string]bool{}
	for _, w := range weathers {
		for _, alert := range w.fires {
			covered[alert] = true
		}
	}
	for _, r := range rules {
		if !covered[r.Alert] {
			t.Errorf("no weather makes %s fire", r.Alert)
		}
	}
	for name, w := range weathers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage := promqltest.LoadedStorage(t, w.series.load())
			t.Cleanup(func() { _ = storage.Close() })
			var fired []string
			for _, r := range rules {
				start := time.Unix(0, 0).Add(settled)
				q, err := engine.NewRangeQuery(t.Context(), storage, nil, r.Expr.String(), start, start.Add(span-settled-step), step)
				if err != nil {
					t.Fatalf("%s: %v", r.Alert, err)
				}
				result, err := q.Exec(t.Context()).Matrix()
				if err != nil {
					t.Fatalf("%s: %v", r.Alert, err)
				}
				if firing := firing(t, r, result); firing != nil {
					fired = append(fired, r.Alert)
					wantLabels(t, r, *firing)
				}
				q.Close()
			}
			slices.Sort(fired)
			if !slices.Equal(fired, w.fires) {
				t.Errorf("fired %v, want %v", fired, w.fires)
			}
		})
	}
}

// firing returns the labels of a series that stands for as long as the alert
// asks for; nil when there is none.
func firing(t *testing.T, r monitoring.Rule, result promql.Matrix) *labels.Labels {
	t.Helper()
	var hold time.Duration
	if r.For != nil {
		d, err := model.ParseDuration(string(*r.For))
		if err != nil {
			t.Fatal(err)
		}
		hold = time.Duration(d)
	}
	for _, s := range result {
		since := s.Floats[0].T
		for i, p := range s.Floats {
			if i > 0 && p.T-s.Floats[i-1].T > step.Milliseconds() {
				since = p.T
			}
			if p.T-since >= hold.Milliseconds() {
				return &s.Metric
			}
		}
	}
	return nil
}

// wantLabels holds the words of an alert to the labels it fires with.
func wantLabels(t *testing.T, r monitoring.Rule, got labels.Labels) {
	t.Helper()
	for _, text := range r.Annotations {
		for _, m := range labelOfTemplate.FindAllStringSubmatch(text, -1) {
			if got.Get(m[1]) == "" {
				t.Errorf("%s speaks of $labels.%s, but fires with %s", r.Alert, m[1], got)
			}
		}
	}
}

// Prometheus itself takes the rules, templates included.
func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"production", "everything"} {
		r := mustRender(t, name)
		rule := find[*monitoring.PrometheusRule](t, r, fullname(r))
		text, err := yaml.Marshal(rule.Spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, errs := rulefmt.Parse(text, false, model.UTF8Validation, promqlParser, slog.New(slog.DiscardHandler)); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

// Every alert says how bad it is, what it means, and leads to its section of
// the runbook, which is named like it.
func TestRunbook(t *testing.T) {
	t.Parallel()
	operations, err := os.ReadFile(repository + "/docs/operations.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("docs/operations.md is not there: the runbook sections are not checked")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alertRules(t) {
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, a := range []string{"summary", "description"} {
			if r.Annotations[a] == "" {
				t.Errorf("%s has no %s", r.Alert, a)
			}
		}
		want := "https://github.com/posbridge/bridge/blob/main/docs/operations.md#" + strings.ToLower(r.Alert)
		if got := r.Annotations["runbook_url"]; got != want {
			t.Errorf("%s: runbook_url %s, want %s", r.Alert, got, want)
		}
		if !regexp.MustCompile(`(?m)^#+ ` + r.Alert + `$`).Match(operations) {
			t.Errorf("docs/operations.md has no section %s", r.Alert)
		}
	}
}
