package telemetry

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace stands before every metric of the bridge.
const namespace = "pos_bridge"

// Metrics are the bridge's Prometheus metrics, in a registry of their own. The
// methods are safe for use by several goroutines. No label takes a value from
// outside as it came: what is not known is counted as "other".
//
// Every counter exists with 0 from the start for the values of its labels that
// are known, so that an alert on its increase sees the first one.
type Metrics struct {
	registry *prometheus.Registry
	now      func() time.Time

	sessionsActive     prometheus.Gauge
	sessionsStarted    prometheus.Counter
	sessionsEnded      *prometheus.CounterVec
	sessionsUnresolved prometheus.Counter
	failovers          prometheus.Counter
	handovers          prometheus.Counter
	fencesLost         prometheus.Counter
	sessionsPanicked   prometheus.Counter
	sessionsSilent     prometheus.Gauge
	sweepRepairs       *prometheus.CounterVec
	oldestSession      atomic.Int64 // Unix nanoseconds of its start, 0 without one

	streamsConnected prometheus.Gauge
	streamReconnects *prometheus.CounterVec
	reconciles       *prometheus.CounterVec
	invalidEvents    prometheus.Counter
	foreignEvents    prometheus.Counter
	otherEvents      *prometheus.CounterVec

	statusPublished  *prometheus.CounterVec
	deliveryLatency  prometheus.Histogram
	pendingPublishes prometheus.Gauge

	notifications *prometheus.CounterVec

	commands        *prometheus.CounterVec
	commandDuration *prometheus.HistogramVec

	providerRequests *prometheus.CounterVec
	providerDuration *prometheus.HistogramVec

	natsConnected  prometheus.Gauge
	natsReconnects prometheus.Counter
	ready          prometheus.Gauge
	draining       prometheus.Gauge
	groupReloads   *prometheus.CounterVec
	groupsCurrent  prometheus.Gauge
}

// Buckets of the histograms, in seconds.
var (
	// A status is on the bus within milliseconds, or after a NATS outage.
	deliveryBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	// Get and list take a millisecond; start and cancel wait for the provider,
	// at most for BRIDGE_START_DEADLINE.
	commandBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}
	// A provider call ends with BRIDGE_REQUEST_TIMEOUT at the latest.
	providerBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30}
)

// NewMetrics returns metrics that count from zero. version, commit and
// goVersion are those of the build.
func NewMetrics(version, commit, goVersion string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), now: time.Now}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)

	m.sessionsActive = m.gauge("sessions_active", "Sessions that this replica follows now.")
	m.sessionsStarted = m.counter("sessions_started_total", "Sessions whose order this replica created at the provider.")
	m.sessionsEnded = m.counterVec("sessions_ended_total", "Sessions that this replica ended, by their final status.", "status")
	m.sessionsUnresolved = m.counter("sessions_unresolved_total", "Sessions that ended as unresolved: look the payment up at the provider.")
	m.failovers = m.counter("failovers_total", "Sessions taken over from a replica that died or did not answer, without those that a drain handed over.")
	m.handovers = m.counter("handovers_total", "Sessions that this replica handed over while it drained.")
	m.fencesLost = m.counter("fences_lost_total", "Sessions that this replica left because another one has claimed them.")
	m.sessionsPanicked = m.counter("sessions_panicked_total", "Sessions that a fault in the bridge's code ended on this replica; another replica continues them.")
	m.sessionsSilent = m.gauge("sessions_without_status", "Sessions of this replica that have had no status for 90 seconds after their start.")
	m.sweepRepairs = m.counterVec("sweep_repairs_total", "Repairs by the sweep, which compares the queue with the logs, by what it found.", "finding")
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "oldest_session_age_seconds",
		Help: "Age of the oldest session that this replica follows; 0 without one.",
	}, m.oldestSessionAge))

	m.streamsConnected = m.gauge("streams_connected", "Event streams that are open at the provider.")
	m.streamReconnects = m.counterVec("stream_reconnects_total", "Event streams that were opened again, by the reason why the previous one ended.", "reason")
	m.reconciles = m.counterVec("reconciles_total", "Questions to the provider about an order after a gap or a silence, by result.", "result")
	m.invalidEvents = m.counter("invalid_events_total", "Events of the provider that could not be read.")
	m.otherEvents = m.counterVec("other_events_total", "Events of the provider that are not about orders, by type.", "type")
	m.foreignEvents = m.counter("foreign_events_total", "Events of another order than the stream's.")

	m.statusPublished = m.counterVec("status_published_total", "Status events that were published, by status and source.", "status", "source")
	m.deliveryLatency = m.histogram("delivery_latency_seconds", "Time from reading a provider's event to JetStream's acknowledgement.", deliveryBuckets)
	m.pendingPublishes = m.gauge("pending_publishes", "Messages for the logs of orders that JetStream has not acknowledged yet.")

	m.notifications = m.counterVec("webhook_notifications_total", "Notifications of the provider, by result.", "result")

	m.commands = m.counterVec("commands_total", "Commands that were answered, by the reply's code.", "command", "code")
	m.commandDuration = m.histogramVec("command_duration_seconds", "Time from a command to its reply.", commandBuckets, "command")

	m.providerRequests = m.counterVec("provider_requests_total", "Requests to the provider, by HTTP status; error when there was no answer.", "operation", "code")
	m.providerDuration = m.histogramVec("provider_request_duration_seconds", "Time of a request to the provider; of a stream, until its headers.", providerBuckets, "operation")

	m.natsConnected = m.gauge("nats_connected", "1 while connected to NATS, else 0.")
	m.natsReconnects = m.counter("nats_reconnects_total", "Reconnects to NATS.")
	m.ready = m.gauge("ready", "1 while the replica is ready (/readyz), else 0.")
	m.draining = m.gauge("draining", "1 while this replica drains, else 0.")
	m.groupReloads = m.counterVec("terminal_groups_reloads_total", "Reloads of the terminal groups' file after a change.", "result")
	m.groupsCurrent = m.gauge("terminal_groups_current", "1 while the terminal groups' file is used, 0 while it cannot be read and the last good version is used.")
	m.groupsCurrent.Set(1)

	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels name the build.",
	}, []string{"version", "commit", "goversion"})
	build.WithLabelValues(version, commit, goVersion).Set(1)
	m.registry.MustRegister(build)

	m.zero()
	return m
}

// zero makes every counter with known labels exist.
func (m *Metrics) zero() {
	for _, status := range statuses {
		if status == statusUnresolved || status == statusNotCreated {
			m.statusPublished.WithLabelValues(status, sourceBridge)
			continue
		}
		for _, source := range []string{sourceStream, sourceReconcile} {
			m.statusPublished.WithLabelValues(status, source)
		}
	}
	for _, status := range finals {
		m.sessionsEnded.WithLabelValues(status)
	}
	for _, command := range commands {
		m.commandDuration.WithLabelValues(command)
		for _, code := range codes {
			m.commands.WithLabelValues(command, code)
		}
	}
	for _, finding := range findings {
		m.sweepRepairs.WithLabelValues(finding)
	}
	for _, result := range notifications {
		m.notifications.WithLabelValues(string(result))
	}
	for _, reason := range reasons {
		m.streamReconnects.WithLabelValues(reason)
	}
	for _, result := range results {
		m.reconciles.WithLabelValues(result)
	}
	for _, kind := range eventTypes {
		m.otherEvents.WithLabelValues(kind)
	}
	for _, operation := range operations {
		m.providerDuration.WithLabelValues(operation)
		m.providerRequests.WithLabelValues(operation, "200")
		m.providerRequests.WithLabelValues(operation, codeError)
	}
	for _, result := range []string{resultOK, resultError} {
		m.groupReloads.WithLabelValues(result)
	}
}

// Registry holds the metrics, for more collectors and for tests.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// One collector that fails must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}
