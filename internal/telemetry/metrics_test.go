package telemetry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/posbridge/bridge/schema"
)

// gather returns every series of the bridge's own, as name{label="value",…},
// with its value; of a histogram, the number of observations.
func gather(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), namespace+"_") {
			continue
		}
		for _, metric := range f.GetMetric() {
			series[f.GetName()+labels(metric)] = value(metric)
		}
	}
	return series
}

func labels(m *dto.Metric) string {
	if len(m.GetLabel()) == 0 {
		return ""
	}
	var pairs []string
	for _, l := range m.GetLabel() {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	default:
		return float64(m.GetHistogram().GetSampleCount())
	}
}

func TestMetricsOfTheContractExistFromTheStart(t *testing.T) {
	t.Parallel()
	series := gather(t, NewMetrics("1.2.3", "abc", "go1.26"))
	for _, want := range []string{
		`pos_bridge_sessions_active`,
		`pos_bridge_streams_connected`,
		`pos_bridge_status_published_total{source="stream",status="completed"}`,
		`pos_bridge_status_published_total{source="reconcile",status="cancelled"}`,
		`pos_bridge_status_published_total{source="bridge",status="unresolved"}`,
		`pos_bridge_commands_total{code="ok",command="start"}`,
		`pos_bridge_commands_total{code="outcome_unknown",command="cancel"}`,
		`pos_bridge_command_duration_seconds{command="list"}`,
		`pos_bridge_stream_reconnects_total{reason="idle"}`,
		`pos_bridge_provider_requests_total{code="error",operation="create"}`,
		`pos_bridge_provider_requests_total{code="200",operation="terminals"}`,
		`pos_bridge_provider_request_duration_seconds{operation="stream"}`,
		`pos_bridge_delivery_latency_seconds`,
		`pos_bridge_failovers_total`,
		`pos_bridge_handovers_total`,
		`pos_bridge_reconciles_total{result="news"}`,
		`pos_bridge_fences_lost_total`,
		`pos_bridge_sessions_unresolved_total`,
		`pos_bridge_sessions_started_total`,
		`pos_bridge_sessions_ended_total{status="unresolved"}`,
		`pos_bridge_invalid_events_total`,
		`pos_bridge_foreign_events_total`,
		`pos_bridge_oldest_session_age_seconds`,
		`pos_bridge_nats_connected`,
		`pos_bridge_nats_reconnects_total`,
		`pos_bridge_pending_publishes`,
		`pos_bridge_ready`,
		`pos_bridge_draining`,
		`pos_bridge_terminal_groups_reloads_total{result="error"}`,
	} {
		if got, ok := series[want]; !ok || got != 0 {
			t.Errorf("%s: got %v (there: %v), want 0", want, got, ok)
		}
	}
	for _, want := range []string{
		`pos_bridge_terminal_groups_current`,
		`pos_bridge_build_info{commit="abc",goversion="go1.26",version="1.2.3"}`,
	} {
		if got := series[want]; got != 1 {
			t.Errorf("%s: got %v, want 1", want, got)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	t.Parallel()
	m := NewMetrics("", "", "")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	m.now = func() time.Time { return now }
	tests := []struct {
		name string
		do   func()
		want map[string]float64
	}{
		{
			"status", func() { m.StatusPublished("declined", "reconcile") },
			map[string]float64{`pos_bridge_status_published_total{source="reconcile",status="declined"}`: 1},
		},
		{"unresolved", func() { m.SessionEnded("unresolved") }, map[string]float64{
			`pos_bridge_sessions_ended_total{status="unresolved"}`: 1,
			`pos_bridge_sessions_unresolved_total`:                 1,
		}},
		{"command carried out", func() { m.CommandAnswered("start", "", time.Second) }, map[string]float64{
			`pos_bridge_commands_total{code="ok",command="start"}`: 1,
			`pos_bridge_command_duration_seconds{command="start"}`: 1,
		}},
		{
			"command refused", func() { m.CommandAnswered("get", string(schema.NotFound), time.Second) },
			map[string]float64{`pos_bridge_commands_total{code="not_found",command="get"}`: 1},
		},
		{"provider", func() { m.ProviderRequest("create", "503", time.Second) }, map[string]float64{
			`pos_bridge_provider_requests_total{code="503",operation="create"}`:   1,
			`pos_bridge_provider_request_duration_seconds{operation="create"}`:    1,
			`pos_bridge_provider_requests_total{code="error",operation="create"}`: 0,
		}},
		{
			"reconnect", func() { m.StreamReconnected("too_large") },
			map[string]float64{`pos_bridge_stream_reconnects_total{reason="too_large"}`: 1},
		},
		{
			"reconcile", func() { m.Reconciled(ReconcileNoNews) },
			map[string]float64{`pos_bridge_reconciles_total{result="no_news"}`: 1},
		},
		{"takeover", m.SessionTakenOver, map[string]float64{`pos_bridge_failovers_total`: 1}},
		{"handover", m.SessionHandedOver, map[string]float64{`pos_bridge_handovers_total`: 1}},
		{"fence", m.FenceLost, map[string]float64{`pos_bridge_fences_lost_total`: 1}},
		{"start", m.SessionStarted, map[string]float64{`pos_bridge_sessions_started_total`: 1}},
		{"invalid", m.EventInvalid, map[string]float64{`pos_bridge_invalid_events_total`: 1}},
		{"foreign", m.EventForeign, map[string]float64{`pos_bridge_foreign_events_total`: 1}},
		{"delivery", func() { m.Delivered(time.Millisecond) }, map[string]float64{`pos_bridge_delivery_latency_seconds`: 1}},
		{"gauges", func() {
			m.AddActiveSessions(3)
			m.AddActiveSessions(-1)
			m.AddConnectedStreams(1)
			m.AddPendingPublishes(4)
			m.SetNATSConnected(true)
			m.SetReady(true)
			m.SetDraining(true)
			m.NATSReconnected()
		}, map[string]float64{
			`pos_bridge_sessions_active`: 2, `pos_bridge_streams_connected`: 1, `pos_bridge_pending_publishes`: 4,
			`pos_bridge_nats_connected`: 1, `pos_bridge_ready`: 1, `pos_bridge_draining`: 1, `pos_bridge_nats_reconnects_total`: 1,
		}},
		{"active sessions set", func() { m.SetActiveSessions(7) }, map[string]float64{`pos_bridge_sessions_active`: 7}},
		{
			"oldest session", func() { m.SetOldestSession(now.Add(-90 * time.Second)) },
			map[string]float64{`pos_bridge_oldest_session_age_seconds`: 90},
		},
		{
			"oldest session started in the future", func() { m.SetOldestSession(now.Add(time.Second)) },
			map[string]float64{`pos_bridge_oldest_session_age_seconds`: 0},
		},
		{"no session", func() { m.SetOldestSession(time.Time{}) }, map[string]float64{`pos_bridge_oldest_session_age_seconds`: 0}},
		{"groups bad", func() { m.GroupsReloaded(errors.New("bad")) }, map[string]float64{
			`pos_bridge_terminal_groups_reloads_total{result="error"}`: 1, `pos_bridge_terminal_groups_current`: 0,
		}},
		{"groups good again", func() { m.GroupsReloaded(nil) }, map[string]float64{
			`pos_bridge_terminal_groups_reloads_total{result="ok"}`: 1, `pos_bridge_terminal_groups_current`: 1,
		}},
	}
	for _, tt := range tests { // one after the other: they share m
		t.Run(tt.name, func(t *testing.T) {
			tt.do()
			series := gather(t, m)
			for name, want := range tt.want {
				if got, ok := series[name]; !ok || got != want {
					t.Errorf("%s: got %v (there: %v), want %v", name, got, ok, want)
				}
			}
		})
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics("", "", "")
	observe := func(junk string) {
		m.StatusPublished(junk, junk)
		m.SessionEnded(junk)
		m.CommandAnswered("start", junk, 0)
		m.CommandAnswered(junk, "ok", 0)
		m.ProviderRequest(junk, junk, 0)
		m.StreamReconnected(junk)
		m.Reconciled(ReconcileResult(junk))
	}
	observe("first")
	before := len(gather(t, m))
	for i := range 500 {
		observe(fmt.Sprintf("junk %d", i))
	}
	series := gather(t, m)
	if len(series) != before {
		t.Errorf("series after junk: got %d, want %d", len(series), before)
	}
	for name, want := range map[string]float64{
		`pos_bridge_status_published_total{source="other",status="other"}`:    501,
		`pos_bridge_commands_total{code="other",command="start"}`:             501,
		`pos_bridge_commands_total{code="ok",command="other"}`:                501,
		`pos_bridge_provider_requests_total{code="error",operation="other"}`:  501,
		`pos_bridge_stream_reconnects_total{reason="other"}`:                  501,
		`pos_bridge_sessions_ended_total{status="other"}`:                     501,
		`pos_bridge_reconciles_total{result="other"}`:                         501,
		`pos_bridge_provider_request_duration_seconds{operation="other"}`:     501,
		`pos_bridge_command_duration_seconds{command="other"}`:                501,
		`pos_bridge_sessions_unresolved_total`:                                0,
		`pos_bridge_commands_total{code="provider_rejected",command="start"}`: 0,
	} {
		if got := series[name]; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestHTTPCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"200": "200", "404": "404", "599": "599", "100": "100",
		"error": "error", "": "error", "600": "error", "99": "error", "0200": "error", "+20": "error", "2e2": "error",
	} {
		if got := httpCode(code); got != want {
			t.Errorf("%q: got %q, want %q", code, got, want)
		}
	}
}

func TestHandlerAnswersScrape(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2.3", "abc", "go1.26")
	server := httptest.NewServer(m.Handler())
	t.Cleanup(server.Close)
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s", resp.Status)
	}
	for _, want := range []string{
		"# TYPE pos_bridge_sessions_active gauge\npos_bridge_sessions_active 0\n",
		"# TYPE pos_bridge_delivery_latency_seconds histogram\n",
		`pos_bridge_delivery_latency_seconds_bucket{le="+Inf"} 0`,
		"go_goroutines ", "process_start_time_seconds ", "go_build_info{",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("scrape has no %q", want)
		}
	}
}

// Every name follows the conventions: counters end in _total, times in
// _seconds, and everything has a help text that is a sentence.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	families, err := NewMetrics("", "", "").Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		name := f.GetName()
		if !strings.HasPrefix(name, namespace+"_") {
			continue
		}
		if isCounter := f.GetType() == dto.MetricType_COUNTER; isCounter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, f.GetType())
		}
		if f.GetType() == dto.MetricType_HISTOGRAM && !strings.HasSuffix(name, "_seconds") {
			t.Errorf("%s: no unit", name)
		}
		if f.GetHelp() == "" || name != "pos_bridge_build_info" && !strings.HasSuffix(f.GetHelp(), ".") {
			t.Errorf("%s: help %q", name, f.GetHelp())
		}
	}
}
