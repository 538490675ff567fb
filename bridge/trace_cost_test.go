package bridge

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Traces that are off leave what a replica works with as it is.
func TestTracesThatAreOffWrapNothing(t *testing.T) {
	t.Parallel()
	bare := Ports{Journal: &bus.Bus{}}
	if got := bare.traced(noop.NewTracerProvider().Tracer("")); got.Journal != bare.Journal || got.Provider != bare.Provider {
		t.Error("a tracer that does nothing was wrapped around the journal or the provider")
	}
	if got := bare.traced(sdktrace.NewTracerProvider().Tracer("")); got.Journal == bare.Journal {
		t.Error("a tracer that does something was not")
	}
}

// discard is an exporter for spans that nobody wants.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// What traces cost a publish, off and on, against one that knows of none; the
// three take turns in one run and are compared by their medians, so that the
// ratios hold on a busy machine.
func BenchmarkTraceCost(b *testing.B) {
	connected := make(chan struct{}, 1)
	journal, err := bus.Connect(bus.Options{
		URLs: natstest.Run(b).URL(), Name: b.Name(), Space: subjects.Default(), Replicas: 1, StatusMaxAge: time.Hour, AckWait: time.Second,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { journal.Close(context.Background()) })
	<-connected
	if _, err := journal.Ensure(b.Context()); err != nil {
		b.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	tracers := []trace.Tracer{nil, noop.NewTracerProvider().Tracer(""), provider.Tracer("")}
	var took [3][]time.Duration
	n := 0
	for b.Loop() {
		for i := range tracers {
			which := (n + i) % len(tracers) // nobody is always first
			ports := Ports{Journal: journal}
			if tracers[which] != nil {
				ports = ports.traced(tracers[which])
			}
			e := schema.StatusEvent{OrderID: strconv.Itoa(n) + "-" + strconv.Itoa(which), TerminalID: "T1", Status: "completed", Sequence: 1, Source: schema.SourceStream}
			began := time.Now()
			if _, err := ports.Journal.Append(b.Context(), bus.Status{Event: e}, 0); err != nil {
				b.Fatal(err)
			}
			took[which] = append(took[which], time.Since(began))
		}
		n++
	}
	median := func(which int) float64 {
		slices.Sort(took[which])
		return float64(took[which][n/2].Nanoseconds())
	}
	b.ReportMetric(median(1)/median(0), "off/bare")
	b.ReportMetric(median(2)/median(0), "on/bare")
	b.ReportMetric(median(0), "ns/bare-publish")
}
