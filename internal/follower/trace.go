package follower

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/posbridge/bridge/internal/telemetry/tracing"
)

// traceIn continues the trace of a session.
func traceIn(ctx context.Context, header map[string]string) context.Context {
	if len(header) == 0 {
		return ctx
	}
	lists := make(map[string][]string, len(header))
	for k, v := range header {
		lists[k] = []string{v}
	}
	return tracing.Extract(ctx, lists)
}

// traceOut is the trace context to send on, nil when there is none.
func traceOut(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	lists := map[string][]string{}
	tracing.Inject(ctx, lists)
	header := make(map[string]string, len(lists))
	for k, v := range lists {
		header[k] = v[0]
	}
	return header
}
