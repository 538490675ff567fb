// Command till takes one payment at a terminal and says what became of it.
//
//	till -terminal SIM00001 -amount 1250 -order INV-7
//	till                                                resumes what is open
//
// It may be killed at any moment. Its journal has the request before it is sent, and
// each status before anybody sees it: run it again, and it goes on. Ctrl-C cancels the
// payment; a second one leaves it open.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/examples/go/journal"
	"github.com/posbridge/bridge/schema"
)

// errLeft ends a till that a second Ctrl-C has stopped.
var errLeft = errors.New("left open: the payment may still be paid; run the till with the same -journal to resume it")

// late is how long a start may still be on its way: BRIDGE_START_DEADLINE, doubled.
const late = time.Minute

// line of the journal: a request, a status of the last request, or its end.
type line struct {
	Request  *schema.StartRequest `json:"request,omitempty"`
	At       time.Time            `json:"at,omitzero"` // of the request
	Sequence uint64               `json:"sequence,omitempty"`
	Status   string               `json:"status,omitempty"`
	Over     string               `json:"over,omitempty"`
}

func main() {
	server := flag.String("server", nats.DefaultURL, "NATS server")
	file := flag.String("journal", "till.jsonl", "file that survives the till")
	var request schema.StartRequest
	flag.StringVar(&request.TerminalID, "terminal", "", "terminal")
	flag.StringVar(&request.OrderID, "order", fmt.Sprint("till-", time.Now().UnixNano()), "order id")
	flag.Int64Var(&request.Amount, "amount", 0, "in the currency's smallest unit")
	flag.StringVar(&request.Currency, "currency", "EUR", "ISO 4217 code")
	scenario := flag.String("scenario", "approve", "what a simulated customer does")
	flag.Parse()
	request.CustomInfo = &schema.CustomInfo{Custom1: "scenario:" + *scenario}
	outcome, err := run(*server, *file, request)
	if err != nil {
		log.Fatal(err) // nothing is decided: run it again
	}
	fmt.Println("outcome", outcome)
}

func run(server, file string, request schema.StartRequest) (outcome string, err error) {
	store, err := journal.Open[line](file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	open, handled := unfinished(store.Lines)
	if open == nil { // a new payment: store it before it is sent
		open = &line{Request: &request, At: time.Now()}
		if err := store.Append(*open); err != nil {
			return "", err
		}
	}
	fmt.Println("stored", open.Request.OrderID)
	nc, err := nats.Connect(server, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return "", err
	}
	defer nc.Close()
	bridge, err := client.New(nc, client.Options{})
	if err != nil {
		return "", err
	}
	ctx, stop := interruptible(bridge, open.Request.TerminalID, open.Request.OrderID)
	defer stop()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()
	payment, err := begin(ctx, bridge, *open, len(store.Lines) > 0)
	if _, refused := errors.AsType[*client.Error](err); refused { // this request started nothing
		return "not started: " + err.Error(), store.Append(line{Over: err.Error()})
	}
	if err != nil {
		return "", err
	}
	defer payment.Close()
	if doubt := payment.Doubt(); doubt != nil {
		fmt.Println("not known yet whether it started:", doubt)
	} else {
		fmt.Println("started")
	}
	for status, err := range payment.Statuses(ctx) {
		if err != nil {
			return "", err
		}
		if status.Sequence <= handled { // by an earlier run
			continue
		}
		if err := store.Append(line{Sequence: status.Sequence, Status: status.Status}); err != nil {
			return "", err
		}
		fmt.Println("status", status.Sequence, status.Status)
	}
	result, err := payment.Wait(ctx)
	if err != nil {
		return "", err
	}
	return string(result.Outcome), store.Append(line{Over: string(result.Outcome)})
}

// interruptible returns a context. The first Ctrl-C cancels the payment, whose end
// arrives as a status; the second one ends the context.
func interruptible(bridge *client.Client, terminal, order string) (ctx context.Context, stop func()) {
	ctx, leave := context.WithCancelCause(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-interrupts:
			}
			if n > 0 {
				leave(errLeft)
				return
			}
			fmt.Println("cancelling; Ctrl-C again stops this till and leaves the payment open")
			go cancel(ctx, bridge, terminal, order)
		}
	}()
	return ctx, func() {
		signal.Stop(interrupts)
		leave(nil)
	}
}

// cancel cancels the payment. The start may arrive later than the cancel: then it is sent
// again.
func cancel(ctx context.Context, bridge *client.Client, terminal, order string) {
	limited, stop := context.WithTimeout(ctx, late)
	defer stop()
	for {
		reply, err := bridge.Cancel(limited, terminal, order)
		switch {
		case ctx.Err() != nil: // the payment is over
			return
		case err == nil:
			verdict, _ := schema.VerdictOn(reply.Status, false)
			fmt.Println("cancel:", verdict.Cancelled)
			return
		case !errors.Is(err, client.ErrNotFound) || limited.Err() != nil:
			fmt.Println("not cancelled: the payment stays open, and this till follows it:", err)
			return
		}
		select {
		case <-limited.Done():
		case <-time.After(time.Second):
		}
	}
}

// begin starts the payment. An earlier run may have sent it already, so that the bridge
// is asked first. The same request, sent again, makes no second payment. After a while it
// is not sent any more: no terminal shall ring for a customer who has left.
func begin(ctx context.Context, bridge *client.Client, open line, again bool) (*client.Payment, error) {
	if !again {
		return bridge.Start(ctx, *open.Request)
	}
	payment, err := bridge.Resume(ctx, open.Request.TerminalID, open.Request.OrderID)
	unknown := errors.Is(err, client.ErrNotFound) || err == nil && payment.Doubt() != nil
	if !unknown || time.Since(open.At) > late {
		return payment, err
	}
	if err == nil {
		payment.Close()
	}
	return bridge.Start(ctx, *open.Request)
}

// unfinished is the request that the journal has no end of, and its last status.
func unfinished(lines []line) (open *line, handled uint64) {
	for _, l := range lines {
		switch {
		case l.Request != nil:
			open, handled = &l, 0
		case l.Over != "":
			open = nil
		default:
			handled = l.Sequence
		}
	}
	return open, handled
}
