//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// prefixNames are those of the regions.
var prefixNames = []string{"north", "south"}

// measureBus has workers store and acknowledge what payments store, and nothing else:
// the most that NATS carries.
func measureBus(ctx context.Context, s settings, out io.Writer) error {
	fmt.Fprintln(out, "servers  prefixes  payments/s  publishes/s  p50 ms  p99 ms  NATS CPU ms/payment  stored/payment  bytes/payment")
	return s.each(func(servers, prefixes int) error {
		i, err := install(ctx, servers, s.always)
		if err != nil {
			return err
		}
		defer i.close() //nolint:errcheck // what is left is in the system's temporary folder
		var loads []*busLoad
		for _, name := range prefixNames[:prefixes] {
			l, err := i.newBusLoad(ctx, name)
			if err != nil {
				return err
			}
			defer l.close()
			loads = append(loads, l)
		}
		began, used := time.Now(), cpu(i.servers)
		var work sync.WaitGroup
		limited, cancel := context.WithTimeout(ctx, s.duration)
		defer cancel()
		for _, l := range loads {
			for w := range s.workers {
				work.Go(func() { l.work(limited, w) })
			}
		}
		work.Wait()
		seconds := time.Since(began).Seconds()
		var took []time.Duration
		for _, l := range loads {
			if l.failed != nil {
				return l.failed
			}
			took = append(took, l.took...)
		}
		messages, size, err := i.stored(ctx, prefixNames[:prefixes])
		if err != nil {
			return err
		}
		slices.Sort(took)
		n := float64(len(took))
		ms := func(p float64) float64 { return float64(took[int(p*(n-1))].Microseconds()) / 1000 }
		fmt.Fprintf(out, "%7d  %8d  %10.0f  %11.0f  %6.1f  %6.1f  %19.2f  %14.1f  %13.0f\n",
			servers, prefixes, n/seconds, storedEach*n/seconds, ms(0.5), ms(0.99), 1000*(cpu(i.servers)-used)/n, messages/n, size/n)
		return nil
	})
}

// storedEach is how many messages of a payment are published and stored: a session, two
// claims, two statuses.
const storedEach = 5

// busLoad is one prefix and the bus of one replica.
type busLoad struct {
	bus *bus.Bus

	mu        sync.Mutex
	delivered map[string]chan bus.Delivery // by terminal
	took      []time.Duration
	failed    error
	orders    atomic.Int64
	end       context.CancelFunc
	ended     sync.WaitGroup
}

func (i *installation) newBusLoad(ctx context.Context, prefix string) (*busLoad, error) {
	space, err := subjects.New(prefix)
	if err != nil {
		return nil, fmt.Errorf("use prefix: %w", err)
	}
	l := &busLoad{delivered: map[string]chan bus.Delivery{}}
	l.bus, err = bus.Connect(bus.Options{
		URLs: i.urls, Name: prefix, Space: space, Replicas: i.replicas, StatusMaxAge: 168 * time.Hour, ClaimTTL: 2 * time.Hour, ReplicaTTL: 10 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	if err := until(ctx, "the objects are made", func() bool {
		_, err = l.bus.Ensure(ctx)
		return err == nil
	}); err != nil {
		return nil, err
	}
	receiving, end := context.WithCancel(ctx)
	l.end = end
	l.ended.Go(func() {
		_ = l.bus.Deliveries(receiving, l.deliver, func(error) {}) // a worker notices what does not come
	})
	return l, nil
}

func (l *busLoad) close() {
	l.end()
	l.ended.Wait()
	l.bus.Close(context.Background())
}

func (l *busLoad) of(terminal string) chan bus.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.delivered[terminal] == nil {
		l.delivered[terminal] = make(chan bus.Delivery, 4)
	}
	return l.delivered[terminal]
}

func (l *busLoad) deliver(d bus.Delivery) {
	select {
	case l.of(d.Session.Terminal()) <- d:
	default: // it comes again
	}
}

// work makes one payment after the other on one terminal.
func (l *busLoad) work(ctx context.Context, number int) {
	terminal := fmt.Sprintf("T%05d", number)
	mine := l.of(terminal)
	for ctx.Err() == nil {
		began := time.Now()
		err := l.pay(context.WithoutCancel(ctx), terminal, fmt.Sprintf("order-%09d", l.orders.Add(1)), mine)
		l.mu.Lock()
		if err != nil {
			l.failed = errors.Join(l.failed, err)
			l.mu.Unlock()
			return
		}
		l.took = append(l.took, time.Since(began))
		l.mu.Unlock()
	}
}

// pay stores what a payment stores, as a bridge does.
func (l *busLoad) pay(ctx context.Context, terminal, order string, mine <-chan bus.Delivery) error {
	request := schema.StartRequest{OrderID: order, TerminalID: terminal, Amount: 1250, Currency: "EUR", Description: order}
	const hash, group = "cc2f7b7d1f4a5e6b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d", "57958"
	session := payment.Session{Request: request, Hash: hash, Nonce: order, Group: group, Reply: "_INBOX.abcdefghijklmnopqrstuv.12345678"}
	for {
		_, err := l.bus.Enqueue(ctx, session)
		if err == nil {
			break
		}
		if !errors.Is(err, bus.ErrConflict) { // the previous acknowledgement is not applied yet
			return err
		}
	}
	d := <-mine
	now := time.Now().UTC()
	c := payment.Claim{
		Replica: "replica-7d9f8b6c5-abcde", Owner: "YDCHOMPPWAZLWRO6SXZNMAGLTU", Epoch: 1, Phase: payment.ClaimCreating,
		Session:  payment.Session{Group: group, Request: request, Hash: hash, Nonce: order, Reply: session.Reply, StartedAt: now, Deadline: now.Add(time.Minute)},
		QueueSeq: d.Seq, Handle: d.Handle, UpdatedAt: now,
	}
	claim := func(expect uint64) (uint64, error) {
		return bus.Wait(ctx, func(done bus.Published) { l.bus.AppendClaim(ctx, terminal, order, c, expect, done) })
	}
	last, err := claim(0)
	if err != nil {
		return err
	}
	c.Phase, c.SessionID, c.Sealed = payment.ClaimOpen, "session-"+order, make([]byte, 400)
	if last, err = claim(last); err != nil {
		return err
	}
	for n, name := range []string{"initialized", "completed"} {
		status := payment.Status{
			Event: schema.StatusEvent{
				OrderID: order, TerminalID: terminal, SessionID: c.SessionID, TransactionID: "123456789", Status: name, FinancialStatus: name,
				Final: n == 1, Sequence: uint64(n + 1), Source: schema.SourceStream, Amount: 1250, Currency: "EUR", ObservedAt: now,
			},
			Hash: hash, Group: group, Replica: c.Replica, Epoch: 1, StartedAt: now,
		}
		expect := last
		if last, err = bus.Wait(ctx, func(done bus.Published) { l.bus.AppendStatus(ctx, status, expect, done) }); err != nil {
			return err
		}
	}
	return l.bus.Ack(ctx, d.Handle)
}

// stored counts the messages and bytes of the prefixes' status streams.
func (i *installation) stored(ctx context.Context, prefixes []string) (messages, size float64, err error) {
	for _, prefix := range prefixes {
		space, err := subjects.New(prefix)
		if err != nil {
			return 0, 0, fmt.Errorf("use prefix: %w", err)
		}
		s, err := i.js.Stream(ctx, space.StatusStream())
		if err != nil {
			return 0, 0, fmt.Errorf("look at stream: %w", err)
		}
		messages += float64(s.CachedInfo().State.Msgs)
		size += float64(s.CachedInfo().State.Bytes)
	}
	return messages, size, nil
}
