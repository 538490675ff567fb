package overview

import (
	"strconv"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/telemetry"
)

// shownTotals are the numbers of /metrics that the console shows.
var shownTotals = []struct{ name, metric string }{
	{"Followed here", "sessions_active"},
	{"Streams connected", "streams_connected"},
	{"Statuses published", "status_published_total"},
	{"Completed", `status_published_total{status="completed"}`},
	{"Declined", `status_published_total{status="declined"}`},
	{"Cancelled", `status_published_total{status="cancelled"}`},
	{"Unresolved", "sessions_unresolved_total"},
	{"Without a status", "sessions_without_status"},
	{"Commands", "commands_total"},
	{"Stream reconnects", "stream_reconnects_total"},
	{"Reconciles", "reconciles_total"},
	{"Takeovers", "failovers_total"},
	{"Provider requests", "provider_requests_total"},
}

// totals reads the numbers of /metrics.
func totals(m *telemetry.Metrics) []console.Total {
	families, _ := m.Registry().Gather() // what can be gathered is there, whatever the error
	sums, within := map[string]float64{}, "–"
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "pos_bridge_")
		if !ours {
			continue
		}
		for _, metric := range f.GetMetric() {
			value := metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			sums[name] += value
			for _, l := range metric.GetLabel() {
				sums[name+"{"+l.GetName()+`="`+l.GetValue()+`"}`] += value
			}
			h := metric.GetHistogram()
			if name != "delivery_latency_seconds" || h.GetSampleCount() == 0 {
				continue
			}
			bounds := h.GetBucket()
			within = "over " + inWords(seconds(bounds[len(bounds)-1].GetUpperBound()))
			for _, b := range bounds {
				if float64(b.GetCumulativeCount()) >= 0.99*float64(h.GetSampleCount()) {
					within = inWords(seconds(b.GetUpperBound()))
					break
				}
			}
		}
	}
	shown := make([]console.Total, 0, len(shownTotals)+1)
	for _, t := range shownTotals {
		shown = append(shown, console.Total{Name: t.name, Value: strconv.FormatFloat(sums[t.metric], 'f', -1, 64), Metric: t.metric})
	}
	return append(shown, console.Total{Name: "99 % delivered within", Value: within, Metric: "delivery_latency_seconds"})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
