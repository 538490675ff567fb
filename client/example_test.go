package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/dev"
	"github.com/posbridge/bridge/schema"
)

// runDev runs what "pos-bridge dev" runs: NATS, a simulated provider, and a bridge.
func runDev(ctx context.Context) (nc *nats.Conn, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var out bridgetest.Output
	ended := make(chan error, 1)
	go func() { ended <- dev.Run(ctx, dev.Options{Pace: 100, Log: zap.NewNop(), Out: &out, Cut: ctx}) }()
	for !strings.Contains(out.String(), "Everything stays up") {
		select {
		case err := <-ended:
			log.Fatalf("dev ended: %v\n%s", err, &out)
		case <-time.After(10 * time.Millisecond):
		}
	}
	_, rest, _ := strings.Cut(out.String(), "NATS              ")
	url, _, _ := strings.Cut(rest, "\n")
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		log.Fatal(err)
	}
	return nc, func() {
		nc.Close()
		cancel()
		<-ended
	}
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, stop := runDev(ctx) // or nats.Connect, to the NATS of your bridge
	defer stop()

	bridge, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	payment, err := bridge.Start(ctx, schema.StartRequest{ // store it before
		OrderID: "order-1", TerminalID: "SIM00001", Amount: 1250, Currency: "EUR",
	})
	if err != nil { // nothing was started
		log.Fatal(err)
	}
	defer payment.Close()
	for status, err := range payment.Statuses(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status.Sequence, status.Status)
	}
	result, err := payment.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome)
	// Output:
	// 1 initialized
	// 2 completed
	// paid
}

func ExampleClient_Resume() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, stop := runDev(ctx)
	defer stop()
	bridge, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}

	// After a restart, for each order that was stored and is not known to be over:
	payment, err := bridge.Resume(ctx, "SIM00001", "order-1")
	if errors.Is(err, client.ErrNotFound) {
		fmt.Println("it was never started")
	}
	if err == nil {
		defer payment.Close()
	}
	// Output: it was never started
}

func ExampleError() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, stop := runDev(ctx)
	defer stop()
	bridge, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = bridge.Start(ctx, schema.StartRequest{OrderID: "order-1", TerminalID: "T999", Amount: 1250, Currency: "EUR"})
	if refused, ok := errors.AsType[*client.Error](err); ok {
		advice, _ := schema.AdviceOn(refused.Command, refused.Reply.Code)
		fmt.Println(errors.Is(err, client.ErrUnknownTerminal), advice.Means)
	}
	// Output: true This request started nothing.
}
