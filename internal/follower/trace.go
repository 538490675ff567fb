package follower

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/schema"
)

// Traced makes every call to the provider and every publish of a status a span
// of the payment's trace. It wraps nothing without a tracer: traces that are off
// cost nothing.
func (o Options) Traced(tracer trace.Tracer) Options {
	if _, off := tracer.(noop.Tracer); tracer != nil && !off {
		o.Provider, o.Bus = tracedProvider{o.Provider, tracer}, tracedBus{o.Bus, tracer}
	}
	return o
}

type tracedProvider struct {
	Provider
	tracer trace.Tracer
}

func (p tracedProvider) Create(ctx context.Context, key redact.Secret, o schema.StartRequest, notAfter time.Time) (multisafepay.Created, error) {
	ctx, span := p.tracer.Start(ctx, "create order", trace.WithSpanKind(trace.SpanKindClient), about(o.TerminalID, o.OrderID))
	created, err := p.Provider.Create(ctx, key, o, notAfter)
	endSpan(span, err)
	return created, err
}

func (p tracedProvider) Get(ctx context.Context, key redact.Secret, order string) (multisafepay.OrderState, error) {
	ctx, span := p.tracer.Start(ctx, "reconcile order", trace.WithSpanKind(trace.SpanKindClient), about("", order))
	there, err := p.Provider.Get(ctx, key, order)
	span.SetAttributes(attribute.String("pos.status", there.Status))
	endSpan(span, err)
	return there, err
}

func (p tracedProvider) Cancel(ctx context.Context, key redact.Secret, order string) (string, error) {
	ctx, span := p.tracer.Start(ctx, "cancel order", trace.WithSpanKind(trace.SpanKindClient), about("", order))
	status, err := p.Provider.Cancel(ctx, key, order)
	endSpan(span, err)
	return status, err
}

func (p tracedProvider) Follow(ctx context.Context, s multisafepay.Stream, lastID string, h multisafepay.StreamHandler) error {
	ctx, span := p.tracer.Start(ctx, "follow event stream", trace.WithSpanKind(trace.SpanKindClient))
	err := p.Provider.Follow(ctx, s, lastID, h)
	span.SetAttributes(attribute.String("pos.stream_end", multisafepay.Reason(err)))
	span.End()
	return err
}

type tracedBus struct {
	Bus
	tracer trace.Tracer
}

// AppendStatus publishes a status within a span; the message carries its context on.
func (b tracedBus) AppendStatus(ctx context.Context, s payment.Status, expect uint64, done bus.Published) {
	ctx, span := b.tracer.Start(ctx, "publish status", trace.WithSpanKind(trace.SpanKindProducer), about(s.Event.TerminalID, s.Event.OrderID))
	span.SetAttributes(attribute.String("pos.status", s.Event.Status), attribute.String("pos.source", s.Event.Source))
	if out := tracing.Fields(ctx); out != nil {
		s.Trace = out
	}
	b.Bus.AppendStatus(ctx, s, expect, func(seq uint64, err error) {
		endSpan(span, err)
		done(seq, err)
	})
}

func about(terminal, order string) trace.SpanStartEventOption {
	attributes := []attribute.KeyValue{attribute.String("pos.order_id", order)}
	if terminal != "" {
		attributes = append(attributes, attribute.String("pos.terminal", terminal))
	}
	return trace.WithAttributes(attributes...)
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
