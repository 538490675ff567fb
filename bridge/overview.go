package bridge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
)

// glancePause is how long an overview is good for all who look.
const glancePause = 500 * time.Millisecond

// glance is the latest overview.
type glance struct {
	mu       sync.Mutex
	at       time.Time
	overview console.Overview
}

// Overview implements console.Lists.
func (v *view) Overview() console.Overview {
	v.glance.mu.Lock()
	defer v.glance.mu.Unlock()
	if time.Since(v.glance.at) > glancePause {
		v.glance.overview, v.glance.at = v.look(), time.Now()
	}
	return v.glance.overview
}

// look makes an overview.
func (v *view) look() console.Overview {
	d := v.daemon
	o := console.Overview{Replica: d.config.ReplicaID, Version: d.build.Version, Totals: v.totals()}
	reasons := map[string]string{}
	for _, r := range d.ready.state().Reasons {
		reasons[r.Condition] = r.Reason
	}
	replica, _ := v.following()
	if replica != nil {
		for _, record := range replica.board.all() {
			if record.Phase != bus.Refused && !record.Final {
				o.Open++
			}
		}
	}
	o.Health = []console.Health{
		healthOf("NATS", "Connected", reasons, condNATS),
		healthOf("JetStream", "Reads and writes succeed", reasons, condObjects, condWrites, condSessions),
		v.calls.health(time.Now()),
		healthOf("This replica", "Serves commands", reasons, condService, condStuck, condDraining),
	}
	switch {
	case reasons[condNATS] != "":
		o.Problem = "This replica is not connected to NATS: what is shown may be old."
	case replica == nil:
		o.Problem = "This replica waits for JetStream: there is nothing to show yet."
	}
	return o
}

// healthOf says how something is: good, unless one of the conditions fails.
func healthOf(name, good string, reasons map[string]string, conditions ...string) console.Health {
	for _, c := range conditions {
		if why := reasons[c]; why != "" {
			state := console.Bad
			if c == condDraining || c == condService {
				state = console.Trouble
			}
			return console.Health{Name: name, State: state, Words: strings.ToUpper(why[:1]) + why[1:]}
		}
	}
	return console.Health{Name: name, State: console.Good, Words: good}
}

// totals reads the numbers of /metrics.
func (v *view) totals() []console.Total {
	families, _ := v.daemon.metrics.Registry().Gather() // what can be gathered is there, whatever the error
	sums := map[string]float64{}
	var within string
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "pos_bridge_")
		if !ours {
			continue
		}
		for _, m := range f.GetMetric() {
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			sums[name] += value
			for _, l := range m.GetLabel() {
				sums[name+"{"+l.GetName()+"="+l.GetValue()+"}"] += value
			}
			if h := m.GetHistogram(); name == "delivery_latency_seconds" && h != nil {
				bounds, counts := make([]float64, 0, len(h.GetBucket())), make([]uint64, 0, len(h.GetBucket()))
				for _, b := range h.GetBucket() {
					bounds, counts = append(bounds, b.GetUpperBound()), append(counts, b.GetCumulativeCount())
				}
				within = mostWithin(bounds, counts, h.GetSampleCount())
			}
		}
	}
	number := func(name string) string { return strconv.FormatFloat(sums[name], 'f', -1, 64) }
	return []console.Total{
		{Name: "Followed here", Value: number("sessions_active"), Metric: "sessions_active"},
		{Name: "Streams connected", Value: number("streams_connected"), Metric: "streams_connected"},
		{Name: "Statuses published", Value: number("status_published_total"), Metric: "status_published_total"},
		{Name: "Completed", Value: number("status_published_total{status=completed}"), Metric: `status_published_total{status="completed"}`},
		{Name: "Declined", Value: number("status_published_total{status=declined}"), Metric: `status_published_total{status="declined"}`},
		{Name: "Cancelled", Value: number("status_published_total{status=cancelled}"), Metric: `status_published_total{status="cancelled"}`},
		{Name: "Unresolved", Value: number("sessions_unresolved_total"), Metric: "sessions_unresolved_total"},
		{Name: "Commands", Value: number("commands_total"), Metric: "commands_total"},
		{Name: "Stream reconnects", Value: number("stream_reconnects_total"), Metric: "stream_reconnects_total"},
		{Name: "Reconciles", Value: number("reconciles_total"), Metric: "reconciles_total"},
		{Name: "Takeovers", Value: number("failovers_total"), Metric: "failovers_total"},
		{Name: "Provider requests", Value: number("provider_requests_total"), Metric: "provider_requests_total"},
		{Name: "99 % delivered within", Value: within, Metric: "delivery_latency_seconds"},
	}
}

// mostWithin says within which bound of a histogram 99 % of its samples are.
func mostWithin(bounds []float64, counts []uint64, samples uint64) string {
	if samples == 0 {
		return "–"
	}
	for i, bound := range bounds {
		if float64(counts[i]) >= 0.99*float64(samples) {
			return inWords(time.Duration(bound * float64(time.Second)))
		}
	}
	return fmt.Sprintf("over %s", inWords(time.Duration(bounds[len(bounds)-1]*float64(time.Second))))
}

func inWords(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

// Bounds of what is remembered of the provider.
const (
	maxCalls   = 512
	callMemory = time.Minute
)

// calls remembers the latest requests to the provider.
type calls struct {
	mu   sync.Mutex
	last [maxCalls]call
	n    int
}

type call struct {
	at     time.Time
	took   time.Duration
	stream bool
	// failed: no answer, a failure of the provider's, or its "not now". refused:
	// it does not take the key.
	failed, refused bool
}

// providerRequest counts a request to the provider, and remembers it.
func (v *view) providerRequest(operation, code string, took time.Duration) {
	v.daemon.metrics.ProviderRequest(operation, code, took)
	v.calls.note(call{
		at: time.Now(), took: took, stream: operation == "stream",
		failed:  code == "error" || code == "429" || strings.HasPrefix(code, "5"),
		refused: code == "401" || code == "403",
	})
}

func (c *calls) note(made call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[c.n%maxCalls] = made
	c.n++
}

// health says in words how the provider is.
func (c *calls) health(now time.Time) console.Health {
	h := console.Health{Name: "MultiSafepay", State: console.Unknown, Words: "Nothing was asked in the last minute"}
	c.mu.Lock()
	defer c.mu.Unlock()
	var made, failed, refused, inARow int
	var times []time.Duration
	unbroken := true
	for i := c.n - 1; i >= max(0, c.n-maxCalls); i-- { // the latest first
		last := c.last[i%maxCalls]
		if now.Sub(last.at) > callMemory {
			break
		}
		made++
		switch {
		case last.failed:
			failed++
			if unbroken {
				inARow++
			}
		case last.refused:
			refused++
		default:
			if !last.stream {
				times = append(times, last.took)
			}
		}
		unbroken = unbroken && last.failed
	}
	switch {
	case made == 0:
	case inARow >= 3:
		h.State, h.Words = console.Bad, fmt.Sprintf("The last %d requests failed or got no answer", inARow)
	case refused > 0:
		h.State, h.Words = console.Trouble, fmt.Sprintf("A key or token was refused %s in the last minute", howOften(refused))
	case failed > 0:
		h.State, h.Words = console.Trouble, fmt.Sprintf("%d of %d requests of the last minute failed", failed, made)
	default:
		h.State, h.Words = console.Good, fmt.Sprintf("%d answers a minute", made)
		if made == 1 {
			h.Words = "1 answer in the last minute"
		}
		if len(times) > 1 {
			slices.Sort(times)
			h.Words += fmt.Sprintf(", half within %s", inWords(times[len(times)/2].Round(100*time.Microsecond)))
		}
	}
	return h
}

// howOften says how often.
func howOften(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
