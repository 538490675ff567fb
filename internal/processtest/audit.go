package processtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Auditor subscribes to the bus before the first payment. In the end it compares
// what it heard, and what the stream has stored, with the provider.
type Auditor struct {
	conn     *nats.Conn
	provider *Provider

	mu      sync.Mutex
	heard   []message
	faults  []string // messages that could not even be read
	excuses []Excuse
	changed chan struct{} // closed at the next message
}

// StartAuditor subscribes to every status.
func StartAuditor(tb testing.TB, conn *nats.Conn, provider *Provider) *Auditor {
	tb.Helper()
	a := &Auditor{conn: conn, provider: provider, changed: make(chan struct{})}
	subscription, err := conn.Subscribe(statusSubjects, a.hear)
	if err == nil {
		err = subscription.SetPendingLimits(-1, -1)
	}
	if err == nil && conn.IsConnected() {
		err = conn.Flush()
	}
	if err != nil {
		tb.Fatalf("subscribe auditor: %v", err)
	}
	return a
}

func (a *Auditor) hear(m *nats.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	heard, err := messageOf(m.Subject, m.Header, m.Data)
	if err != nil {
		a.faults = append(a.faults, err.Error())
		return
	}
	a.heard = append(a.heard, heard)
	close(a.changed)
	a.changed = make(chan struct{})
}

// Excuse notes that a replica could not publish what it saw then.
func (a *Auditor) Excuse(e Excuse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.excuses = append(a.excuses, e)
}

// of returns what was heard of an order so far, and a channel that is closed when
// another message comes.
func (a *Auditor) of(order string) (heard []message, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.heard {
		if m.event.OrderID == order {
			heard = append(heard, m)
		}
	}
	return heard, a.changed
}

// Heard returns the statuses that were heard of an order so far.
func (a *Auditor) Heard(order string) []string {
	heard, _ := a.of(order)
	return statusesOf(heard)
}

// WaitHeard waits until the last status heard of an order is the given one and
// returns when it arrived.
func (a *Auditor) WaitHeard(ctx context.Context, order, status string) (time.Time, error) {
	for {
		heard, changed := a.of(order)
		if n := len(heard); n > 0 && heard[n-1].event.Status == status {
			return heard[n-1].at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for status %s of order %s, heard %v: %w", status, order, statusesOf(heard), context.Cause(ctx))
		}
	}
}

// WaitStored waits until the last stored status of an order is the given one. It
// is for tests in which the auditor or a server was away.
func (a *Auditor) WaitStored(ctx context.Context, terminal, order, status string) error {
	js, err := jetstream.New(a.conn)
	if err != nil {
		return err
	}
	var last event
	stored := Eventually(natsLimit, func() bool {
		stream, err := js.Stream(ctx, statusStream)
		if err != nil {
			return false
		}
		m, err := stream.GetLastMsgForSubject(ctx, "pos."+terminal+"."+orderToken(order)+".status")
		return err == nil && json.Unmarshal(m.Data, &last) == nil && last.Status == status
	})
	if !stored {
		return fmt.Errorf("status %s of order %s is not stored, the last one is %q", status, order, last.Status)
	}
	return nil
}

// Stored returns the statuses that are stored of an order.
func (a *Auditor) Stored(tb testing.TB, order string) []string {
	tb.Helper()
	return statusesOf(grouped(a.readStream(tb).statuses)[order])
}

// readStream reads the whole status stream. A server that was just killed may not
// answer yet.
func (a *Auditor) readStream(tb testing.TB) (stored contents) {
	tb.Helper()
	var err error
	read := Eventually(natsLimit, func() bool {
		stored, err = a.read()
		return err == nil
	})
	if !read {
		tb.Fatalf("read status stream: %v", err)
	}
	return stored
}

// read reads the whole status stream once.
func (a *Auditor) read() (contents, error) {
	c := contents{claims: map[string]int{}}
	ctx, cancel := context.WithTimeout(context.Background(), natsLimit)
	defer cancel()
	js, err := jetstream.New(a.conn)
	if err != nil {
		return c, err
	}
	stream, err := js.Stream(ctx, statusStream)
	if err != nil {
		return c, err
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return c, err
	}
	for left := int(stream.CachedInfo().State.Msgs); left > 0; {
		batch, err := consumer.Fetch(min(left, 1000), jetstream.FetchMaxWait(10*time.Second))
		if err != nil {
			return c, err
		}
		for m := range batch.Messages() {
			left--
			if err := c.add(m); err != nil {
				return c, err
			}
		}
		if err := batch.Error(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Audit reads the status stream and judges every order of the provider. The
// payments must be over.
func (a *Auditor) Audit(tb testing.TB) Report {
	tb.Helper()
	stored := a.readStream(tb)
	a.mu.Lock()
	defer a.mu.Unlock()
	r := Report{Events: len(stored.statuses), Wrong: slices.Clone(a.faults)}
	r.judgeStream(stored)
	byOrder, heardOf, shown := grouped(stored.statuses), grouped(a.heard), map[string][]Shown{}
	for _, s := range a.provider.Shown() {
		shown[s.Order] = append(shown[s.Order], s)
	}
	for _, o := range a.provider.Orders() {
		r.Orders++
		r.judgeForm(o, byOrder[o.ID])
		r.judgeHistory(o, byOrder[o.ID], shown[o.ID], a.excuses)
		r.judgeHeard(o.ID, byOrder[o.ID], heardOf[o.ID])
		delete(byOrder, o.ID)
		delete(heardOf, o.ID)
	}
	r.judgeUnknown(byOrder, heardOf)
	return r
}

func grouped(messages []message) map[string][]message {
	groups := map[string][]message{}
	for _, m := range messages {
		groups[m.event.OrderID] = append(groups[m.event.OrderID], m)
	}
	return groups
}

// WaitRest waits until the queue is empty: no terminal is locked.
func (a *Auditor) WaitRest(tb testing.TB, limit time.Duration) {
	tb.Helper()
	queued := uint64(0)
	var err error
	rest := Eventually(limit, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		var js jetstream.JetStream
		var stream jetstream.Stream
		if js, err = jetstream.New(a.conn); err != nil {
			return false
		}
		if stream, err = js.Stream(ctx, sessionStream); err != nil {
			return false
		}
		queued = stream.CachedInfo().State.Msgs
		return queued == 0
	})
	if !rest {
		tb.Errorf("after %s %d sessions are still queued (%v)", limit, queued, err)
	}
}
