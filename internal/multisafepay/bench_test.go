package multisafepay

import (
	"bufio"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// The seed's event, as a stream of many.
const benchEvents = 1000

func benchStream() string {
	return strings.Repeat("event: session.order\ndata: {\"financial_status\":\"initialized\",\"order_id\":\"example_order_id\",\"session_id\":\"d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei\",\"status\":\"initialized\",\"transaction_id\":\"89000000\"}\n\n", benchEvents)
}

// BenchmarkStreamEvents reads events from bytes to OrderEvent and reports, as
// "x-floor", how many times that is of what a bare scan of the same lines takes
// in the same run. Nothing that reads the lines can be faster than that.
func BenchmarkStreamEvents(b *testing.B) {
	stream := benchStream()
	floor := func() {
		lines := bufio.NewScanner(strings.NewReader(stream))
		n := 0
		for lines.Scan() {
			n++
		}
		if n != 3*benchEvents {
			b.Fatalf("%d lines", n)
		}
	}
	read := func() {
		n := 0
		r := newStreamReader(strings.NewReader(stream), time.Hour, func() {}, StreamHandler{})
		_ = (&Client{}).read(context.Background(), r, redact.Secret{}, StreamHandler{Event: func(e StreamEvent) {
			if e.Order != nil {
				n++
			}
		}})
		r.stop()
		if n != benchEvents {
			b.Fatalf("%d events", n)
		}
	}
	var floorTime, readTime time.Duration
	for b.Loop() {
		start := time.Now()
		floor()
		middle := time.Now()
		read()
		floorTime += middle.Sub(start)
		readTime += time.Since(middle)
	}
	b.ReportMetric(float64(readTime)/float64(floorTime), "x-floor")
	b.ReportMetric(float64(readTime.Nanoseconds())/float64(b.N*benchEvents), "ns/event")
	b.ReportMetric(0, "ns/op")
}
