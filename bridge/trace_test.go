package bridge_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
)

// A trace that a requester began: trace id, span id, and both in a header.
const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	callerID    = "b7ad6b7169203331"
	traceparent = "00-" + traceID + "-" + callerID + "-01"
)

// collector is an OTLP/HTTP receiver that keeps every span it is sent.
type collector struct {
	t     *testing.T
	url   string
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   bytes.Buffer
}

func collect(t *testing.T) *collector {
	c := &collector{t: t}
	c.url = serve(t, c)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Errorf("read export: %v", err)
	}
	var export coltrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: decode export: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named returns the spans of a name.
func (c *collector) named(name string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []*tracepb.Span
	for _, s := range c.spans {
		if s.GetName() == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// traceVariables leaves of OpenTelemetry's variables only the endpoint.
func traceVariables(t *testing.T, endpoint string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_RESOURCE_ATTRIBUTES",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
}

// runTraced runs a daemon as "pos-bridge serve" does, with traces as the variables
// say. stop drains it and delivers what spans are left.
func (b *bundle) runTraced(change ...func(*bridge.Config)) (stop func()) {
	b.t.Helper()
	d, err := bridge.New(b.config(change...), bridge.Build{Version: "v1.2.3"}, quiet())
	if err != nil {
		b.t.Fatal(err)
	}
	tracer, _, shutdown, err := tracing.Setup(b.ctx, "v1.2.3", tracing.OnError(func(err error) { b.t.Errorf("spans were lost: %v", err) }))
	if err != nil {
		b.t.Fatal(err)
	}
	d.UseTracer(tracer)
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, context.Background()) }()
	r := &replica{b: b, url: "http://" + d.Addr().String(), done: make(chan struct{})}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			end()
			if err := <-done; err != nil {
				b.t.Errorf("the daemon ended with %v", err)
			}
			if err := shutdown(b.ctx); err != nil {
				b.t.Errorf("deliver spans: %v", err)
			}
		})
	}
	b.t.Cleanup(stop)
	r.waitReady(http.StatusOK)
	return stop
}

// startTraced starts a payment with a trace context, none when it is empty.
func (b *bundle) startTraced(id, terminal, traceparent string) {
	b.t.Helper()
	msg := nats.NewMsg("pos." + terminal + ".payment.start")
	msg.Data = []byte(`{"order_id":"` + id + `","amount":1000,"currency":"EUR"}`)
	if traceparent != "" {
		msg.Header.Set("traceparent", traceparent)
	}
	answer, err := b.nc.RequestMsgWithContext(b.ctx, msg)
	if err != nil {
		b.t.Fatal(err)
	}
	reply{b.t, answer.Data, answer.Header}.started()
}

// parents are the trace contexts on an order's status messages, in order.
func (b *bundle) parents(order string) []string {
	b.recorder.mu.Lock()
	defer b.recorder.mu.Unlock()
	var list []string
	for _, s := range b.statuses {
		if s.OrderID == order {
			list = append(list, strings.Join(s.msg.Header["traceparent"], ","))
		}
	}
	return list
}

// Everything that a payment causes is one trace: the requester's.
func TestOnePaymentIsOneTrace(t *testing.T) {
	c := collect(t)
	traceVariables(t, c.url)
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	stop := b.runTraced(short)
	b.startTraced("a", terminal1, traceparent)
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	b.startTraced("without", terminal2, "") // begins a trace of its own
	b.await("without", "initialized")
	b.cancel(terminal2, "without")
	b.await("without", "initialized", "cancelled")
	b.waitFree(terminal2)
	stop()

	var command string // the span id of the command
	own := map[string]bool{}
	for _, s := range c.named("command start") {
		id := hex.EncodeToString(s.GetTraceId())
		if id != traceID {
			own[id] = true
			continue
		}
		command = hex.EncodeToString(s.GetSpanId())
		if got := hex.EncodeToString(s.GetParentSpanId()); got != callerID {
			t.Errorf("the command's parent is %s, want the requester's %s", got, callerID)
		}
	}
	if command == "" || len(own) != 1 {
		t.Fatalf("commands of the requester's trace: %q, other traces: %d, want one of each", command, len(own))
	}
	publishes := map[string]bool{}
	for _, name := range []string{"create order", "follow event stream", "reconcile order", "publish status"} {
		found := false
		for _, s := range c.named(name) {
			id := hex.EncodeToString(s.GetTraceId())
			if id != traceID && !own[id] {
				t.Errorf("%s is in a trace of nobody's: %s", name, id)
			}
			if id != traceID {
				continue
			}
			found = true
			if got := hex.EncodeToString(s.GetParentSpanId()); got != command {
				t.Errorf("the parent of %s is %s, want the command %s", name, got, command)
			}
			if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() == 0 {
				t.Errorf("%s has not ended", name)
			}
			if name == "publish status" {
				publishes["00-"+traceID+"-"+hex.EncodeToString(s.GetSpanId())+"-01"] = true
			}
		}
		if !found {
			t.Errorf("no span %s in the trace", name)
		}
	}
	parents := b.parents("a")
	for i, parent := range parents {
		if !publishes[parent] {
			t.Errorf("status %d carries %q, which is none of the publishes %v", i+1, parent, publishes)
		}
	}
	if len(parents) != 2 || parents[0] == parents[1] {
		t.Errorf("the statuses carry %v, want two different ones", parents)
	}
	for i, parent := range b.parents("without") {
		if len(parent) != 55 || !own[parent[3:35]] {
			t.Errorf("status %d of the payment without a trace carries %q, want the trace that its command began", i+1, parent)
		}
	}
	if bytes.Contains(c.raw.Bytes(), []byte(apiKey)) || bytes.Contains(c.raw.Bytes(), []byte("eyJ")) {
		t.Error("a key or a token stands in the spans")
	}
}

// A replica that takes a payment over goes on with its trace.
func TestTraceGoesOnElsewhere(t *testing.T) {
	c := collect(t)
	traceVariables(t, c.url)
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	stopFirst := b.runTraced()
	b.startTraced("a", terminal1, traceparent)
	b.await("a", "initialized")
	stopSecond := b.runTraced()
	stopFirst()
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	stopSecond()
	for i, parent := range b.parents("a") {
		if !strings.HasPrefix(parent, "00-"+traceID+"-") {
			t.Errorf("status %d carries %q, want trace %s", i+1, parent, traceID)
		}
	}
	if got := len(c.named("follow event stream")); got < 2 {
		t.Errorf("%d streams were followed, want one on each replica", got)
	}
	for _, s := range c.spans {
		if got := hex.EncodeToString(s.GetTraceId()); got != traceID {
			t.Errorf("%s is in trace %s", s.GetName(), got)
		}
	}
}

// Without the variables there are no spans; a requester's trace context is
// passed on as it came, and none is made up.
func TestTracesAreOff(t *testing.T) {
	c := collect(t)
	traceVariables(t, "")
	b := setup(t, options{})
	stop := b.runTraced()
	b.startTraced("with", terminal1, traceparent)
	b.startTraced("without", terminal2, "")
	b.await("with", "initialized", "completed")
	b.await("without", "initialized", "completed")
	b.waitFree(terminal1)
	b.waitFree(terminal2)
	stop()
	for i, got := range b.parents("with") {
		if got != traceparent {
			t.Errorf("status %d carries %q, want the requester's own %q", i+1, got, traceparent)
		}
	}
	for i, got := range b.parents("without") {
		if got != "" {
			t.Errorf("status %d carries %q, want nothing", i+1, got)
		}
	}
	if n := len(c.spans); n != 0 {
		t.Errorf("%d spans were delivered", n)
	}
}
