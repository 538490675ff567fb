package bridge

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// BenchmarkDelivery measures the way of a status through the bridge, from the
// event read to the subscriber, against the floor of the same run: the same
// message published by hand on the same stream, to the same subscriber. The two
// take turns, and their medians are compared.
func BenchmarkDelivery(b *testing.B) {
	url := natstest.Run(b).URL()
	connected := make(chan struct{}, 1)
	space := subjects.Default()
	c, err := bus.Connect(bus.Options{
		URLs: url, Name: b.Name(), Space: space, Replicas: 1, StatusMaxAge: time.Hour, AckWait: 10 * time.Second,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(context.Background()) })
	<-connected
	if _, err := c.Ensure(b.Context()); err != nil {
		b.Fatal(err)
	}
	listener, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(listener.Close)
	heard := make(chan time.Time, 16)
	if _, err := listener.Subscribe("pos.*.*.status", func(*nats.Msg) { heard <- time.Now() }); err != nil {
		b.Fatal(err)
	}
	if err := listener.Flush(); err != nil {
		b.Fatal(err)
	}

	events := make(chan string)
	p := &quietProvider{follow: func(ctx context.Context, h multisafepay.StreamHandler) error {
		for {
			select {
			case status := <-events:
				h.Event(multisafepay.StreamEvent{Type: "session.order", Order: &multisafepay.OrderEvent{OrderID: "o", SessionID: "s", Status: status}})
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}}
	r := NewReplica(Settings{
		ReplicaID: "a", ReplicaTTL: 10 * time.Second, StartDeadline: 30 * time.Second,
		BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second, ReconcileInterval: time.Hour,
		SettleWindow: time.Second, SessionTimeout: time.Hour, RequestTimeout: 10 * time.Second,
	}, Ports{
		Queue: c, Journal: c, Records: c, Requesters: c, Clock: c, Provider: p, Groups: terminalgroups.Single(redact.NewSecret("key")),
		Space: space, Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	consumed := make(chan error, 1)
	go func() { consumed <- c.Consume(ctx, r.take, func(error) {}) }()
	b.Cleanup(func() {
		cancel()
		r.stopWork()
		r.wg.Wait()
		<-consumed
	})
	if _, failure := r.Start(ctx, schema.StartRequest{OrderID: "o", TerminalID: "T", Amount: 1, Currency: "EUR"}, Requester{}); failure != nil {
		b.Fatal(failure)
	}
	events <- "initialized"
	<-heard

	statuses := []string{"declined", "initialized"}
	var seq uint64
	var took, floor []time.Duration
	n := 0
	for b.Loop() {
		status := statuses[n%2]
		n++
		began := time.Now()
		events <- status
		took = append(took, (<-heard).Sub(began))

		byHand := bus.Status{StartedAt: began, Replica: "a", Event: schema.StatusEvent{
			OrderID: "floor", TerminalID: "T", SessionID: "s", Status: status, Sequence: uint64(n), Source: schema.SourceStream,
			Amount: 1, Currency: "EUR", ObservedAt: began.UTC(),
		}}
		began = time.Now()
		if seq, err = c.Append(ctx, byHand, seq); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, (<-heard).Sub(began))
	}
	slices.Sort(took)
	slices.Sort(floor)
	b.ReportMetric(float64(took[n/2].Microseconds()), "µs/delivery")
	b.ReportMetric(float64(floor[n/2].Microseconds()), "µs/floor")
	b.ReportMetric(float64(took[n/2])/float64(floor[n/2]), "x-floor")
}
