// Command consumer books every status of every payment once, also those of the time
// while it was away.
//
//	consumer -create          makes its durable consumer, if it may
//	consumer
//
// It may be killed at any moment. A line of its ledger is both the work and the note
// that the work is done, so the two cannot come apart. With a database, write the key and
// the work in one transaction.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/examples/go/journal"
	"github.com/posbridge/bridge/schema"
)

// booking is a line of the ledger. ID is the message's Nats-Msg-Id, which is the same
// for every copy of an event.
type booking struct {
	ID       string `json:"id"`
	Order    string `json:"order"`
	Sequence uint64 `json:"sequence"`
	Status   string `json:"status"`
}

func main() {
	server := flag.String("server", nats.DefaultURL, "NATS server")
	api := flag.String("api-prefix", jetstream.DefaultAPIPrefix, "of the JetStream API; POS.API in an account of its own, see deploy/nats")
	name := flag.String("name", "ledger", "durable consumer")
	create := flag.Bool("create", false, "make the durable consumer")
	file := flag.String("ledger", "ledger.jsonl", "file of what is booked")
	flag.Parse()
	if err := run(*server, *api, *name, *file, *create); err != nil {
		log.Fatal(err)
	}
}

func run(server, api, name, file string, create bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ledger, err := journal.Open[booking](file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	// Keep the ids, not the highest sequence of each order: after a restart newer events
	// are delivered before those that were delivered and not acknowledged.
	booked := map[string]bool{}
	for _, b := range ledger.Lines {
		booked[b.ID] = true
	}
	nc, err := nats.Connect(server, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.NewWithAPIPrefix(nc, api)
	if err != nil {
		return err
	}
	if create {
		config := jetstream.ConsumerConfig{Durable: name, FilterSubject: "pos.*.*.status", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 10 * time.Second}
		if _, err := js.CreateOrUpdateConsumer(ctx, "POS_STATUS", config); err != nil {
			return err
		}
	}
	consumer, err := js.Consumer(ctx, "POS_STATUS", name)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, messages.Stop)
	fmt.Println("consuming")
	for {
		msg, err := messages.Next()
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		id := msg.Headers().Get(nats.MsgIdHdr)
		if !booked[id] {
			var e schema.StatusEvent
			if err := json.Unmarshal(msg.Data(), &e); err != nil {
				return fmt.Errorf("read %s: %w", id, err)
			}
			if err := ledger.Append(booking{id, e.OrderID, e.Sequence, e.Status}); err != nil {
				return err
			}
			booked[id] = true
			fmt.Println("booked", e.OrderID, e.Sequence, e.Status)
		}
		if err := msg.Ack(); err != nil { // a lost one means a second delivery
			log.Print(err)
		}
	}
}
