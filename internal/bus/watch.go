package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/subjects"
)

// Entry is one message of an order's log.
type Entry struct {
	Terminal, Order string
	Kind            subjects.Kind
	// Seq is its sequence in the status stream, At when it was stored.
	Seq uint64
	At  time.Time
	// Claim or Status, by Kind; both nil for an invalid event, or if the message
	// cannot be read.
	Claim  *payment.Claim
	Status *payment.Status
}

const (
	// watchHeartbeat is how often the server reports during silence. After two
	// missing reports the watch makes a new consumer.
	watchHeartbeat = 2 * time.Second
	// watchPause is how long the watch waits before it tries again.
	watchPause = 250 * time.Millisecond
	// watchIdle is how long the server keeps a consumer that nobody uses.
	watchIdle = 30 * time.Second
)

// Watch passes every message of all orders to entry, from those stored at since
// (zero: from the first) on, in the order of the stream, until ctx ends. It
// continues after an outage where it was. ready is called when everything that was
// stored before the call has been passed on, with the last sequence of that; and
// again after an outage if the stream was made anew, or its last messages are gone,
// so that nothing is left to pass on. Watch returns early only if it cannot start, and
// with ErrLost.
func (b *Bus) Watch(ctx context.Context, since time.Time, entry func(Entry), ready func(seq uint64)) error {
	last, err := b.LastSeq(ctx)
	if err != nil {
		return err
	}
	w := &watch{bus: b, since: since, last: last, entry: entry, ready: ready}
	consumer, err := w.consumer(ctx)
	if err != nil {
		return b.noted(fmt.Errorf("watch statuses: %w", err))
	}
	for {
		if err == nil {
			err = w.follow(ctx, consumer)
		}
		_ = b.noted(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchPause):
		}
		var last uint64
		if last, err = b.LastSeq(ctx); err == nil {
			if err = w.checkLost(ctx, last); errors.Is(err, ErrLost) {
				return err
			}
		}
		if err == nil {
			consumer, err = w.consumer(ctx)
		}
		if err == nil && last > w.seen && consumer.CachedInfo().NumPending == 0 {
			w.seen = last
			ready(last)
		}
	}
}

// watch is the state of one call of Watch. Everything happens in its goroutine.
type watch struct {
	bus   *Bus
	since time.Time
	// seen is the last sequence that was passed on; 0: none.
	seen uint64
	// status is the last status that was passed on, nil if there was none. Statuses stay
	// where they are, and claims do not.
	status *Entry
	// short is since when the stream has been shorter than what was passed on, zero if
	// it is not.
	short time.Time
	// last is the last sequence of the stream when the watch began.
	last  uint64
	entry func(Entry)
	// ready is nil once it was called.
	ready func(uint64)
}

// consumer makes an ephemeral consumer for everything that was not seen yet.
func (w *watch) consumer(ctx context.Context) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Description:       "Shows the orders to one replica",
		FilterSubject:     w.bus.space.AllLogs(),
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: watchIdle,
	}
	switch {
	case w.seen > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, w.seen+1
	case !w.since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &w.since
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	return w.bus.js.CreateConsumer(ctx, w.bus.space.StatusStream(), config) //nolint:wrapcheck // the callers say what they did
}

// errGap: the connection lost a message of the consumer.
var errGap = errors.New("a message is missing")

// follow passes on what a consumer delivers, until one is missing, or the consumer
// is gone or may be.
func (w *watch) follow(ctx context.Context, consumer jetstream.Consumer) error {
	ctx, stop := w.untilReconnected(ctx)
	defer stop()
	if consumer.CachedInfo().NumPending == 0 {
		w.caughtUp()
	}
	messages, err := consumer.Messages(jetstream.PullHeartbeat(watchHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("pull statuses: %w", err)
	}
	defer messages.Stop()
	for n := uint64(1); ; n++ {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("pull statuses: %w", err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("pull statuses: %w", err)
		}
		if meta.Sequence.Consumer != n {
			return errGap
		}
		w.seen = meta.Sequence.Stream
		if e, ok := w.bus.newEntry(jetstream.RawStreamMsg{Subject: msg.Subject(), Sequence: w.seen, Header: msg.Headers(), Data: msg.Data(), Time: meta.Timestamp}); ok {
			w.entry(e)
			if e.Kind == subjects.Status {
				w.status = &e
			}
		}
		if w.seen >= w.last || meta.NumPending == 0 {
			w.caughtUp()
		}
	}
}

// untilReconnected is ctx until the connection is a new one: the server may have
// forgotten the consumer then, and would not say so for two heartbeats.
func (w *watch) untilReconnected(ctx context.Context) (until context.Context, stop func()) {
	until, cancel := context.WithCancel(ctx)
	connected := w.bus.conn.StatusChanged(nats.CONNECTED)
	var work sync.WaitGroup
	work.Go(func() {
		if _, again := <-connected; again {
			cancel()
		}
	})
	return until, func() {
		w.bus.conn.RemoveStatusListener(connected) // closes it
		work.Wait()
		cancel()
	}
}

// ErrLost says that the stream does not have messages any more that it had passed on: a
// server lost what it had acknowledged. Their sequences are used again.
var ErrLost = errors.New("the stream has lost stored messages")

// errShort: the stream seems to have lost messages, or a new leader has not caught up.
var errShort = errors.New("the stream is shorter than it was")

// lostAfter is how long a new leader may take to catch up.
const lostAfter = 2 * time.Second

// checkLost finds out, before the watch continues, whether the stream still has what
// was passed on. last is its last sequence.
func (w *watch) checkLost(ctx context.Context, last uint64) error {
	if last < w.seen {
		if w.short.IsZero() {
			w.short = time.Now()
		}
		if time.Since(w.short) < lostAfter {
			return errShort
		}
		return ErrLost
	}
	w.short = time.Time{}
	if w.status == nil {
		return nil
	}
	m, err := w.bus.getMessage(ctx, w.bus.space.StatusStream(), messageRequest{Seq: w.status.Seq})
	if err == nil && !m.Time.Equal(w.status.At) {
		return ErrLost // another message has its sequence
	}
	if err == nil || errors.Is(err, ErrNotFound) { // it was too old, or the stream is a new one
		return nil
	}
	return err
}

func (w *watch) caughtUp() {
	if w.ready != nil {
		w.ready(w.last)
		w.ready = nil
	}
}

// newEntry reads a message of any order; ok is false if it is not the bridge's.
func (b *Bus) newEntry(m jetstream.RawStreamMsg) (e Entry, ok bool) {
	var err error
	if e.Terminal, e.Order, e.Kind, err = b.space.Parse(m.Subject); err != nil {
		return Entry{}, false
	}
	e.Seq, e.At = m.Sequence, m.Time
	e.Claim, e.Status, _ = readRecord(m)
	return e, true
}
