package tracing

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

// unset clears every variable that this package looks at. It makes the test
// one that is not parallel: the variables are the process's.
func unset(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		envDisabled, envExporter, envEndpoint, envTracesEndpoint, envProtocol, envTracesProtocol,
		"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER",
	} {
		t.Setenv(name, "")
	}
}

// receiver is an OTLP/HTTP collector that keeps what it is sent.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	spans    []*tracepb.ResourceSpans
}

func newReceiver(t *testing.T, status int) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("read export: %v", err)
		}
		var export coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Errorf("decode export: %v", err)
		}
		r.mu.Lock()
		r.requests = append(r.requests, req)
		r.spans = append(r.spans, export.GetResourceSpans()...)
		r.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

// received returns the spans by name, and the attributes of their resource.
func (r *receiver) received() (map[string]*tracepb.Span, map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans, resource := map[string]*tracepb.Span{}, map[string]string{}
	for _, rs := range r.spans {
		for _, kv := range rs.GetResource().GetAttributes() {
			resource[kv.GetKey()] = kv.GetValue().GetStringValue()
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				spans[s.GetName()] = s
			}
		}
	}
	return spans, resource
}

func TestSpansReachReceiver(t *testing.T) {
	unset(t)
	ignore := goleak.IgnoreCurrent()
	r := newReceiver(t, http.StatusOK)
	t.Setenv(envEndpoint, r.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")

	tracer, _, shutdown, err := Setup(t.Context(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	// A requester's trace goes on in the command, its child and the message out.
	in := nats.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	ctx, command := tracer.Start(Extract(t.Context(), in), "command start", trace.WithAttributes(attribute.String("terminal", "T1")))
	ctx, publish := tracer.Start(ctx, "publish")
	out := Fields(Continue(t.Context(), Fields(ctx)))
	publish.End()
	command.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	spans, resource := r.received()
	if len(spans) != 2 {
		t.Fatalf("got %d spans, want 2", len(spans))
	}
	c, p := spans["command start"], spans["publish"]
	if got, want := hex.EncodeToString(c.GetTraceId()), "0af7651916cd43dd8448eb211c80319c"; got != want {
		t.Errorf("trace of the command: got %s, want the requester's %s", got, want)
	}
	if got, want := hex.EncodeToString(c.GetParentSpanId()), "b7ad6b7169203331"; got != want {
		t.Errorf("parent of the command: got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(p.GetParentSpanId()), hex.EncodeToString(c.GetSpanId()); got != want {
		t.Errorf("parent of the publish: got %s, want %s", got, want)
	}
	want := "00-0af7651916cd43dd8448eb211c80319c-" + hex.EncodeToString(p.GetSpanId()) + "-01"
	if got := out["traceparent"]; got != want {
		t.Errorf("traceparent out: got %v, want %s", got, want)
	}
	if a := c.GetAttributes(); len(a) != 1 || a[0].GetKey() != "terminal" || a[0].GetValue().GetStringValue() != "T1" {
		t.Errorf("attributes: got %v", a)
	}
	for key, want := range map[string]string{
		"service.name": ServiceName, "service.version": "1.2.3", "deployment.environment.name": "test",
	} {
		if got := resource[key]; got != want {
			t.Errorf("resource %s: got %q, want %q", key, got, want)
		}
	}
	req := r.requests[0]
	if req.URL.Path != "/v1/traces" || req.Header.Get("X-Tenant") != "shop" {
		t.Errorf("request: got path %s, header %q", req.URL.Path, req.Header.Get("X-Tenant"))
	}
	r.Close()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, ignore)
}

func TestServiceNameAndTracesEndpoint(t *testing.T) {
	unset(t)
	r := newReceiver(t, http.StatusOK)
	t.Setenv(envTracesEndpoint, r.URL+"/own/path")
	t.Setenv("OTEL_SERVICE_NAME", "till-bridge")
	tracer, _, shutdown, err := Setup(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "one")
	span.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, resource := r.received(); resource["service.name"] != "till-bridge" {
		t.Errorf("got resource %v", resource)
	}
	if got := r.requests[0].URL.Path; got != "/own/path" {
		t.Errorf("path: got %s", got)
	}
}

func TestLostSpansAreReported(t *testing.T) {
	unset(t)
	r := newReceiver(t, http.StatusBadRequest)
	t.Setenv(envEndpoint, r.URL)
	errs := make(chan error, 1)
	tracer, _, shutdown, err := Setup(t.Context(), "", OnError(func(err error) { errs <- err }))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "one")
	span.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-errs:
		if !strings.Contains(err.Error(), "deliver 1 spans") {
			t.Errorf("got %v", err)
		}
	default:
		t.Error("nobody was told")
	}
}

// A collector that never answers holds a stop up for no longer than asked.
func TestShutdownIsBounded(t *testing.T) {
	unset(t)
	stop := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { <-stop }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(stop) })
	t.Setenv(envEndpoint, silent.URL)
	tracer, _, shutdown, err := Setup(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "one")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_ = shutdown(ctx) // whether it says so is the SDK's business
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
}

func TestOffWithoutVariables(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
	}{
		{"nothing set", nil},
		{"disabled", map[string]string{envEndpoint: "http://127.0.0.1:1", envDisabled: "TRUE"}},
		{"exporter none", map[string]string{envEndpoint: "http://127.0.0.1:1", envExporter: "none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			unset(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			tracer, propagator, shutdown, err := Setup(t.Context(), "1.2.3")
			if err != nil {
				t.Fatal(err)
			}
			if propagator == nil {
				t.Error("no propagator")
			}
			_, span := tracer.Start(t.Context(), "one")
			if span.IsRecording() {
				t.Error("span is recorded")
			}
			// The requester's context passes through all the same.
			in := nats.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
			ctx, _ := tracer.Start(Extract(t.Context(), in), "two")
			if got := Fields(ctx)["traceparent"]; got != in["Traceparent"][0] {
				t.Errorf("traceparent out: got %q", got)
			}
			if err := shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadVariables(t *testing.T) {
	const secret = "hunter2"
	tests := []struct {
		name, variable, value string
	}{
		{"no scheme", envEndpoint, "collector:4318"},
		{"grpc scheme", envTracesEndpoint, "grpc://user:" + secret + "@collector:4317"},
		{"no host", envEndpoint, "http://"},
		{"not a URL", envEndpoint, "http://user:" + secret + "@[::1"},
		{"disabled", envDisabled, "maybe"},
		{"exporter", envExporter, "zipkin"},
		{"protocol", envProtocol, "grpc"},
		{"protocol of traces", envTracesProtocol, "grpc"},
		{"resource", "OTEL_RESOURCE_ATTRIBUTES", "no-equals-sign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			unset(t)
			t.Setenv(envEndpoint, "http://127.0.0.1:4318")
			t.Setenv(tt.variable, tt.value)
			tracer, _, shutdown, err := Setup(t.Context(), "")
			if !errors.Is(err, ErrVariable) || !strings.Contains(err.Error(), tt.variable) {
				t.Fatalf("got %v, want it to name %s", err, tt.variable)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows a password: %v", err)
			}
			if tracer == nil || shutdown == nil {
				t.Error("tracer or shutdown is nil")
			}
		})
	}
}

func TestHeaderJunk(t *testing.T) {
	t.Parallel()
	good := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tests := []struct {
		name      string
		header    nats.Header
		want      bool
		wantState string
	}{
		{"nil", nil, false, ""},
		{"empty value", nats.Header{"traceparent": {}}, false, ""},
		{"junk", nats.Header{"traceparent": {"junk"}}, false, ""},
		{"zero ids", nats.Header{"traceparent": {"00-00000000000000000000000000000000-0000000000000000-01"}}, false, ""},
		{"upper case name", nats.Header{"TRACEPARENT": {good}}, true, ""},
		{"state", nats.Header{"traceparent": {good}, "tracestate": {"a=1"}}, true, "a=1"},
		{"state too long", nats.Header{"traceparent": {good}, "tracestate": {"a=" + strings.Repeat("x", 511)}}, true, ""},
		{"long junk", nats.Header{"traceparent": {strings.Repeat("00-", 100000)}}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := trace.SpanContextFromContext(Extract(t.Context(), tt.header))
			if sc.IsValid() != tt.want {
				t.Errorf("got valid %v, want %v", sc.IsValid(), tt.want)
			}
			if got := sc.TraceState().String(); got != tt.wantState {
				t.Errorf("state: got %q, want %q", got, tt.wantState)
			}
		})
	}
}

func TestNothingToCarry(t *testing.T) {
	t.Parallel()
	if got := Fields(Continue(t.Context(), nil)); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func BenchmarkSpanOff(b *testing.B) {
	tracer, _, _, err := Setup(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	header := nats.Header{}
	b.ReportAllocs()
	for b.Loop() {
		ctx, span := tracer.Start(Extract(b.Context(), header), "command")
		Fields(ctx)
		span.End()
	}
}
