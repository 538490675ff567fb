// Command naive does the bridge's job without its promises: it starts orders,
// follows each event stream and publishes every status to JetStream. It stores
// nothing else, asks nothing, recovers nothing and runs alone. The benchmark
// compares the bridge with it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func main() {
	natsURL := flag.String("nats", nats.DefaultURL, "address of NATS")
	api := flag.String("api", "", "address of the provider")
	key := flag.String("key", "", "the terminal group's key")
	contract := flag.Bool("contract", false, "publish what the contract asks for: under the fence, with headers, republished once stored")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *natsURL, *api, *key, *contract); err != nil {
		log.Fatal(err) //nolint:gocritic // stop has nothing left to do
	}
}

// run serves start requests until ctx ends.
func run(ctx context.Context, natsURL, api, key string, contract bool) error {
	conn, err := nats.Connect(natsURL)
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	space := subjects.Default()
	stream := jetstream.StreamConfig{Name: space.StatusStream(), Subjects: []string{space.All(subjects.Status)}, Storage: jetstream.FileStorage}
	if contract {
		const stored = "pos.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
		stream.Subjects = []string{space.All(subjects.Journal) + ".*"}
		stream.SubjectTransform = &jetstream.SubjectTransformConfig{Source: stream.Subjects[0], Destination: stored}
		stream.RePublish = &jetstream.RePublish{Source: space.AllLogs(), Destination: stored}
	}
	if _, err := js.CreateOrUpdateStream(ctx, stream); err != nil {
		return fmt.Errorf("create status stream: %w", err)
	}
	p := program{ctx: ctx, js: js, contract: contract, orders: api + "/orders?api_key=" + url.QueryEscape(key)}
	if _, err := conn.QueueSubscribe(space.Command(subjects.Start), "naive", func(m *nats.Msg) { p.work.Go(func() { p.start(m) }) }); err != nil {
		return fmt.Errorf("subscribe to starts: %w", err)
	}
	<-ctx.Done()
	p.work.Wait()
	return nil
}

// program is what every order needs.
type program struct {
	ctx      context.Context //nolint:containedctx // ends with the process
	js       jetstream.JetStream
	orders   string         // address for new orders, key included
	contract bool           // see the flag
	work     sync.WaitGroup // one goroutine per order
}

// start creates an order, replies and follows it.
func (p *program) start(m *nats.Msg) {
	order, stream, err := p.create(m.Data)
	if err != nil {
		_ = m.Respond([]byte(`{"error":{"code":"invalid_request"}}`))
		return
	}
	reply, err := json.Marshal(order)
	if err != nil {
		log.Print(err)
		return
	}
	if err := m.Respond(reply); err != nil {
		log.Print(err)
	}
	p.work.Go(func() { p.follow(order, stream) }) // with a fresh, small stack
}

// answer is what the provider says to a new order.
type answer struct {
	Data struct {
		SessionID string `json:"session_id"`
		Token     string `json:"events_token"`
		URL       string `json:"events_stream_url"`
	} `json:"data"`
}

// create sends the order to the provider.
func (p *program) create(body []byte) (schema.StartReply, *http.Request, error) {
	var none schema.StartReply
	var start schema.StartRequest
	if err := json.Unmarshal(body, &start); err != nil {
		return none, nil, fmt.Errorf("read start: %w", err)
	}
	subject, err := subjects.Default().Of(start.TerminalID, start.OrderID, subjects.Status)
	if err != nil {
		return none, nil, err
	}
	order, err := json.Marshal(map[string]any{
		"type": "redirect", "order_id": start.OrderID, "gateway": "", "currency": start.Currency, "amount": start.Amount,
		"description": start.OrderID, "gateway_info": map[string]string{"terminal_id": start.TerminalID},
	})
	if err != nil {
		return none, nil, fmt.Errorf("write order: %w", err)
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.orders, bytes.NewReader(order))
	if err != nil {
		return none, nil, fmt.Errorf("write order: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return none, nil, fmt.Errorf("create order: %w", err)
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return none, nil, fmt.Errorf("create order: status %d: %w", resp.StatusCode, err)
	}
	stream, err := http.NewRequestWithContext(p.ctx, http.MethodGet, a.Data.URL, http.NoBody)
	if err != nil {
		return none, nil, fmt.Errorf("use event stream: %w", err)
	}
	stream.Header.Set("Authorization", a.Data.Token)
	return schema.StartReply{
		OrderID: start.OrderID, TerminalID: start.TerminalID, SessionID: a.Data.SessionID,
		Status: schema.StatusCreated, StatusSubject: subject, Created: true,
	}, stream, nil
}

// follow publishes the statuses of one order until its stream is over for good.
func (p *program) follow(order schema.StartReply, stream *http.Request) {
	var (
		last   schema.StatusEvent
		stored uint64 // sequence of last in the stream
	)
	conn := sse.NewConnection(stream)
	conn.SubscribeEvent("session.order", func(e sse.Event) {
		next := schema.StatusEvent{TerminalID: order.TerminalID, Source: schema.SourceStream, Sequence: last.Sequence + 1, PreviousStatus: last.Status, ObservedAt: time.Now().UTC()}
		if err := json.Unmarshal([]byte(e.Data), &next); err != nil {
			log.Print(err)
			return
		}
		body, err := json.Marshal(next)
		if err != nil {
			log.Print(err)
			return
		}
		msg := &nats.Msg{Subject: order.StatusSubject, Data: body}
		if p.contract {
			err = asContracted(msg, next, stored)
		}
		var ack *jetstream.PubAck
		if err == nil {
			ack, err = p.js.PublishMsg(p.ctx, msg)
		}
		if err != nil {
			log.Print(err)
			return
		}
		last, stored = next, ack.Sequence
	})
	if err := conn.Connect(); err != nil && p.ctx.Err() == nil {
		log.Print(err)
	}
}

// asContracted gives a message the subject and the headers of the contract, and
// the fence: it is stored only behind the order's message with the sequence expect.
func asContracted(msg *nats.Msg, e schema.StatusEvent, expect uint64) error {
	log, err := subjects.Default().Log(e.TerminalID, e.OrderID)
	if err != nil {
		return err
	}
	if msg.Subject, err = subjects.Default().Journal(e.TerminalID, e.OrderID, subjects.Status); err != nil {
		return err
	}
	at := e.ObservedAt.Format(time.RFC3339Nano)
	id := e.TerminalID + "." + subjects.OrderToken(e.OrderID) + "." + strconv.FormatUint(e.Sequence, 10)
	msg.Header = nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(expect, 10)}, jetstream.ExpectedLastSubjSeqSubjHeader: {log},
		jetstream.MsgIDHeader: {id}, "ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"/pos/" + e.TerminalID}, "ce-type": {schema.CloudEventType},
		"ce-subject": {e.OrderID}, "ce-time": {at}, "content-type": {"application/json"},
	}
	return nil
}
