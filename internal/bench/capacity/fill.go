//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// measureFill stores the statuses of many orders, and measures what they cost: memory
// and disk of the server, its restart, and the start of a replica that reads them all
// because they are young.
func measureFill(ctx context.Context, s settings, out io.Writer) error {
	i, err := install(ctx, max(s.servers, 1), s.always)
	if err != nil {
		return err
	}
	defer i.close() //nolint:errcheck // what is left is in the system's temporary folder
	if err := i.build(ctx, "bridge", "github.com/posbridge/bridge/cmd/bridge"); err != nil {
		return err
	}
	name := prefixNames[0]
	l, err := i.newBusLoad(ctx, name)
	if err != nil {
		return err
	}
	defer l.close()
	before, began := i.natsMemory(), time.Now()
	if err := i.fill(ctx, name, s.orders); err != nil {
		return err
	}
	messages, size, err := i.stored(ctx, []string{name})
	if err != nil {
		return err
	}
	n := float64(s.orders)
	fmt.Fprintf(out, "%d orders with 2 statuses: stored in %s, %.0f messages, %.0f bytes per order\n", s.orders, time.Since(began).Round(time.Millisecond), messages, size/n)
	fmt.Fprintf(out, "memory of the server while it stored them: %.0f bytes per order\n", (i.natsMemory()-before)*(1<<20)/n)
	end(i.servers)
	i.servers, began = nil, time.Now()
	if err := i.start(ctx); err != nil {
		return err
	}
	if err := until(ctx, "the stream is there", func() bool {
		m, _, err := i.stored(ctx, []string{name})
		return err == nil && m == messages
	}); err != nil {
		return err
	}
	fmt.Fprintf(out, "killed and started again: the stream was there after %s\n", time.Since(began).Round(time.Millisecond))
	fmt.Fprintf(out, "memory of the server then: %.0f bytes per order\n", (i.natsMemory()-before)*(1<<20)/n)
	began = time.Now()
	if err := i.serve(ctx, "BRIDGE_SUBJECT_PREFIX="+name, "BRIDGE_API_URL=http://127.0.0.1:1/v1/json", "BRIDGE_API_KEY="+apiKey); err != nil {
		return err
	}
	fmt.Fprintf(out, "a replica was ready after %s\n", time.Since(began).Round(time.Millisecond))
	return nil
}

const (
	// windowSize is how many publishes are under way.
	windowSize = 4096
	// stall is how long a publish waits for room.
	stall = time.Minute
)

// fill stores statuses without a fence, which is faster.
func (i *installation) fill(ctx context.Context, prefix string, orders int) error {
	js, err := jetstream.New(i.conn, jetstream.WithPublishAsyncMaxPending(windowSize))
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	now := time.Now().UTC()
	for n := range orders {
		terminal, order := "T"+strconv.Itoa(n%100_000), "order-"+strconv.Itoa(n)
		for sequence, status := range []string{"initialized", "completed"} {
			body, err := json.Marshal(schema.StatusEvent{
				OrderID: order, TerminalID: terminal, SessionID: "session-" + order, TransactionID: "123456789", Status: status, FinancialStatus: status,
				Final: sequence == 1, Sequence: uint64(sequence + 1), Source: schema.SourceStream, Amount: 1250, Currency: "EUR", ObservedAt: now,
			})
			if err != nil {
				return fmt.Errorf("write status: %w", err)
			}
			m := nats.NewMsg(prefix + "." + terminal + "." + order + ".journal.status")
			m.Data = body
			for key, value := range map[string]string{
				"Bridge-Version": strconv.Itoa(bus.Version), "Bridge-Epoch": "1", "Bridge-Group": "57958", "Bridge-Replica": "replica-7d9f8b6c5-abcde",
				"Bridge-Started-At": now.Format(time.RFC3339Nano), "Bridge-Request-Hash": "cc2f7b7d1f4a5e6b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d",
				"ce-id": order, "ce-source": "/" + prefix + "/" + terminal, "ce-type": schema.CloudEventType, "ce-specversion": "1.0", "ce-subject": order,
				"ce-time": now.Format(time.RFC3339Nano), "content-type": "application/json",
			} {
				m.Header.Set(key, value)
			}
			if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(stall)); err != nil {
				return fmt.Errorf("fill: %w", err)
			}
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
