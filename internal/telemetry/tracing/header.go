package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// maxTraceState is the longest tracestate that is taken along, in bytes; W3C
// Trace Context asks for at least 512. A longer one is left out.
const maxTraceState = 512

const (
	headerParent = "traceparent"
	headerState  = "tracestate"
)

// Inject writes the trace context of ctx into a message's header (nats.Header
// is one), under the lower-case names of W3C Trace Context. It writes nothing
// when there is none; header must not be nil when there is one.
func Inject(ctx context.Context, header map[string][]string) {
	propagation.TraceContext{}.Inject(ctx, carrier(header))
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

// carrier reads and writes a NATS header. NATS, unlike HTTP, keeps the case of
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

func (c carrier) Set(key, value string) { c[key] = []string{value} }

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
