package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxTraceState is the longest tracestate that is taken along, in bytes; W3C
// Trace Context asks for at least 512. A longer one is left out.
const maxTraceState = 512

const (
	headerParent = "traceparent"
	headerState  = "tracestate"
)

// Fields is the trace context of ctx, under the lower-case names of W3C Trace
// Context; nil when there is none.
func Fields(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	fields := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, fields)
	return fields
}

// Continue returns ctx with the trace context of Fields, ctx itself when it is nil.
func Continue(ctx context.Context, fields map[string]string) context.Context {
	if len(fields) == 0 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(fields))
}

// Extract returns ctx with the trace context that a message's header carries;
// ctx itself when it carries none, or none that is well formed. The names are
// found in upper and lower case.
func Extract(ctx context.Context, header map[string][]string) context.Context {
	if len(header) == 0 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, carrier(header))
}

// carrier reads a NATS header. NATS, unlike HTTP, keeps the case of
// a name, and a requester may have written it in either.
type carrier map[string][]string

func (c carrier) Get(key string) string {
	value := c.find(key)
	if key == headerState && len(value) > maxTraceState {
		return ""
	}
	return value
}

func (c carrier) find(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	for k, v := range c {
		if len(v) > 0 && strings.EqualFold(k, key) {
			return v[0]
		}
	}
	return ""
}

// Set is not used: a header is only read.
func (carrier) Set(string, string) {}

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
