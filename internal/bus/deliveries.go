package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The puller asks for sessions itself. Consume and Messages of nats.go stall for
// seconds if a message returns before they have noted that they asked for it, and
// Next loses what arrives while it is cancelled.
const (
	// slots is how many sessions the server may send before the replica asks for
	// more. Few, so that a paused replica gets few; more than one, so that the
	// next session does not wait for a round trip.
	slots = 4
	// pullExpires is how long the server keeps one request.
	pullExpires = 30 * time.Second
	// pullHeartbeat is how often the server reports that it still has a request.
	// After two missing reports the puller asks again.
	pullHeartbeat = 1 * time.Second
	// pullPause is how long the puller waits after the server refused a request.
	pullPause = 100 * time.Millisecond
	// stopLimit is how long the end of Deliveries may take.
	stopLimit = 500 * time.Millisecond
)

// puller receives sessions for one call of Deliveries. Everything happens in its
// goroutine.
type puller struct {
	bus    *Bus
	take   func(Delivery)
	report func(error)
	inbox  string
	// open is how many sessions the server may still send.
	open int
}

// Deliveries hands sessions to take until ctx ends, each as soon as JetStream
// delivers it. take must return at once: while it runs, other sessions wait.
// report gets everything that goes wrong on the way. A session that the bridge
// cannot have written is deleted. One of a later release is left to a replica that
// knows it. Deliveries returns early only if the consumer does not exist, or cannot be
// looked at in the beginning.
func (b *Bus) Deliveries(ctx context.Context, take func(Delivery), report func(error)) error {
	if err := b.lookAtConsumer(ctx); err != nil {
		return err
	}
	p := &puller{bus: b, take: take, report: report, inbox: b.conn.NewInbox()}
	messages := make(chan *nats.Msg, 16*slots) // never full: a few heartbeats besides the slots
	sub, err := b.conn.ChanSubscribe(p.inbox, messages)
	if err != nil {
		return fmt.Errorf("receive sessions: %w", err)
	}
	closed := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(closed) })
	defer func() { p.giveBack(sub, messages, closed) }()
	connected := b.conn.StatusChanged(nats.CONNECTED)
	defer b.conn.RemoveStatusListener(connected)
	wake := time.NewTimer(0) // asks for the first time
	defer wake.Stop()
	for {
		next := 2 * pullHeartbeat
		select {
		case <-ctx.Done():
			return nil
		case msg := <-messages:
			if pause, err := p.receive(ctx, msg); err != nil {
				return err
			} else if pause {
				next = pullPause
			}
		case <-connected:
			p.open = 0
			p.ask()
		case <-wake.C: // a pause is over, or the server does not have the request
			p.open = 0
			if !p.ask() {
				next = pullPause
			}
		case <-closed:
			return fmt.Errorf("receive sessions: %w", nats.ErrConnectionClosed)
		}
		wake.Reset(next)
	}
}

// ask lets the server send sessions up to slots. It reports false while there is
// no connection.
func (p *puller) ask() bool {
	request := fmt.Sprintf(`{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, slots-p.open, pullExpires, pullHeartbeat)
	subject := p.bus.apiSubject("CONSUMER.MSG.NEXT", p.bus.space.SessionStream(), consumerName)
	if err := p.bus.conn.PublishRequest(subject, p.inbox, []byte(request)); err != nil {
		return false
	}
	p.open = slots
	return true
}

// receive takes a session or a word about a request. pause asks the caller to wait
// before the next request.
func (p *puller) receive(ctx context.Context, msg *nats.Msg) (pause bool, err error) {
	if msg.Reply != "" { // a session
		if p.open = max(0, p.open-1); p.open <= slots/2 {
			p.ask()
		}
		p.deliver(ctx, msg)
		return false, nil
	}
	switch status := msg.Header.Get("Status"); status {
	case "100": // heartbeat
		return false, nil
	case "408": // a request is over; the rest of it does not come any more
		rest, _ := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
		if p.open = max(0, p.open-max(rest, 1)); p.open <= slots/2 {
			p.ask()
		}
		return false, nil
	default: // no consumer, no leader, the server stops
		p.open = 0
		err := p.bus.lookAtConsumer(ctx)
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return true, err
		}
		if err == nil {
			err = fmt.Errorf("receive sessions: %w %s %s", errAnswer, status, msg.Header.Get("Description"))
		}
		p.report(err)
		return true, nil
	}
}

// deliver hands one session over.
func (p *puller) deliver(ctx context.Context, msg *nats.Msg) {
	about, ok := p.bus.parseHandle(msg.Reply)
	if !ok {
		p.report(ErrHandle)
		return
	}
	d, err := p.bus.readDelivery(jetstream.RawStreamMsg{Subject: msg.Subject, Sequence: about.seq, Header: msg.Header, Data: msg.Data, Time: about.storedAt})
	d.Handle, d.Delivered = msg.Reply, about.times
	if err == nil {
		p.take(d)
		return
	}
	p.report(err)
	if errors.Is(err, ErrNewer) {
		return
	}
	if err := p.bus.DeleteSession(ctx, d.Seq); err != nil {
		p.report(err) // it comes again
	}
}

// giveBack ends the subscription, and returns to the queue what nobody has taken.
func (p *puller) giveBack(sub *nats.Subscription, messages <-chan *nats.Msg, closed <-chan struct{}) {
	_ = sub.Drain() // fails only when the connection is closed
	select {
	case <-closed:
	case <-time.After(stopLimit):
	}
	for {
		select {
		case msg := <-messages:
			if msg.Reply != "" {
				_ = p.bus.Nak(msg.Reply) // if it is lost, the session comes again after ReplicaTTL
			}
		default:
			return
		}
	}
}

// lookAtConsumer checks that the consumer exists.
func (b *Bus) lookAtConsumer(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	if _, err := b.js.Consumer(ctx, b.space.SessionStream(), consumerName); err != nil {
		return b.noted(fmt.Errorf("look at consumer: %w", err))
	}
	return nil
}
