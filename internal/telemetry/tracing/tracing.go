// Package tracing sets OpenTelemetry traces up from its standard variables, and
// carries trace context in the headers of NATS messages.
//
// Without OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// traces are off: spans cost nothing, and a trace context that came in still
// goes out with what it caused.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Name is the instrumentation scope of every span, and the service's name
// unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say another.
const (
	Name        = "github.com/posbridge/bridge"
	ServiceName = "pos-bridge"
)

// The variables that this package reads itself. The OpenTelemetry SDK reads
// the others: headers, time limits, compression, certificates, sampler, batches.
const (
	envDisabled       = "OTEL_SDK_DISABLED"
	envExporter       = "OTEL_TRACES_EXPORTER"
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// ErrVariable is wrapped by every error of a variable that cannot be used.
var ErrVariable = errors.New("bad OpenTelemetry variable")

// Option changes what Setup makes.
type Option func(*options)

type options struct{ onError func(error) }

// OnError is told when spans could not be delivered; they are lost then. It may
// be called from several goroutines. Without it nobody is told.
func OnError(f func(error)) Option { return func(o *options) { o.onError = f } }

// Setup returns a tracer that delivers spans as the standard variables say, or
// one that does nothing when they do not ask for it. shutdown delivers what is
// left, for as long as its context allows; it is never nil. An error wraps
// ErrVariable, names the variable and leaves nothing running.
func Setup(ctx context.Context, version string, opts ...Option) (tracer trace.Tracer, propagator propagation.TextMapPropagator, shutdown func(context.Context) error, err error) {
	propagator = propagation.TraceContext{}
	off := noop.NewTracerProvider().Tracer(Name)
	nothing := func(context.Context) error { return nil }
	on, err := enabled()
	if err != nil || !on {
		return off, propagator, nothing, err
	}

	o := options{onError: func(error) {}}
	for _, opt := range opts {
		opt(&o)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return off, propagator, nothing, fmt.Errorf("make trace exporter: %w", err)
	}
	// Later sources win: the variables over the names given here.
	res, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", ServiceName),
			attribute.String("service.version", version),
		),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
	if err != nil {
		return off, propagator, nothing, fmt.Errorf("%w: OTEL_RESOURCE_ATTRIBUTES must be key=value,…: %w", ErrVariable, errors.Join(err, exporter.Shutdown(ctx)))
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(res),
		sdktrace.WithBatcher(reporting{SpanExporter: exporter, onError: o.onError}),
	)
	tracer = provider.Tracer(Name, trace.WithInstrumentationVersion(version))
	return tracer, propagator, provider.Shutdown, nil
}

// enabled tells whether the variables ask for traces, and checks those that
// the SDK would only complain about later, or silently pass over.
func enabled() (bool, error) {
	if v := os.Getenv(envDisabled); v != "" {
		disabled, err := strconv.ParseBool(strings.ToLower(v))
		if err != nil {
			return false, fmt.Errorf("%w: %s must be true or false", ErrVariable, envDisabled)
		}
		if disabled {
			return false, nil
		}
	}
	switch os.Getenv(envExporter) {
	case "none":
		return false, nil
	case "", "otlp":
	default:
		return false, fmt.Errorf("%w: %s must be otlp or none", ErrVariable, envExporter)
	}
	var on bool
	for _, name := range []string{envEndpoint, envTracesEndpoint} {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		// The URL may hold a password: it is not shown.
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return false, fmt.Errorf("%w: %s must be a URL such as http://collector:4318", ErrVariable, name)
		}
		on = true
	}
	if !on {
		return false, nil
	}
	for _, name := range []string{envTracesProtocol, envProtocol} {
		if v := os.Getenv(name); v != "" {
			if v != "http/protobuf" {
				return false, fmt.Errorf("%w: %s must be http/protobuf (a collector's port 4318)", ErrVariable, name)
			}
			break // the one for traces wins over the one for all
		}
	}
	return true, nil
}

// reporting tells onError what the SDK would print to stderr.
type reporting struct {
	sdktrace.SpanExporter
	onError func(error)
}

func (r reporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		r.onError(fmt.Errorf("deliver %d spans: %w", len(spans), err))
	}
	return nil
}
