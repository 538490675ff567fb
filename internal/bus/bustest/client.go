package bustest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// callLimit is how long a call waits for its answer, as bus has it.
const callLimit = 2 * time.Second

// Faults say how often what goes wrong, in thousandths of the calls.
type Faults struct {
	// LostRequest: the call never arrives.
	LostRequest int
	// LostAnswer: the call is carried out, its answer does not arrive.
	LostAnswer int
	// Late: the call is carried out after its caller has given up.
	Late int
	// Slow: the answer takes up to a second.
	Slow int
}

// Client is one replica's connection to a Memory.
type Client struct {
	server *Memory
	faults Faults
	inbox  chan bus.Delivery
	// random is the client's own, so that what one does leaves the others'
	// chances as they are.
	random *rand.Rand
	// cut is true while the connection is down.
	cut atomic.Bool
	// dead is true once the process behind it was killed: it does nothing more.
	dead atomic.Bool

	mu     sync.Mutex
	frozen chan struct{} // closed when the process goes on; nil while it runs
}

// Client connects a replica.
func (m *Memory) Client(f Faults) *Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Client{
		server: m, faults: f, inbox: make(chan bus.Delivery, 10_000),
		random: rand.New(rand.NewPCG(m.random.Uint64(), m.random.Uint64())),
	}
}

// Cut takes the connection away, or brings it back.
func (c *Client) Cut(down bool) {
	c.cut.Store(down)
	if !down {
		c.server.mu.Lock()
		c.server.deliver()
		c.server.mu.Unlock()
	}
}

// Kill ends the process behind the client, as kill -9 does: it stops where it
// next touches the network, for ever. Freeze(false) lets its goroutines go once
// nothing matters any more.
func (c *Client) Kill() {
	c.dead.Store(true)
	c.cut.Store(true)
	c.Freeze(true)
}

// Freeze stops the process behind the client where it next touches the
// network, or lets it go on.
func (c *Client) Freeze(stop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case stop && c.frozen == nil:
		c.frozen = make(chan struct{})
	case !stop && c.frozen != nil:
		close(c.frozen)
		c.frozen = nil
	}
}

// Gate waits while the process is frozen, and reports whether it still lives.
// What waited there goes on one after the other.
func (c *Client) Gate() bool {
	for {
		c.mu.Lock()
		frozen := c.frozen
		c.mu.Unlock()
		if frozen == nil {
			return !c.dead.Load()
		}
		<-frozen
		time.Sleep(c.upTo(time.Millisecond))
	}
}

// chance is true in n of 1000 cases.
func (c *Client) chance(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(1000) < n
}

func (c *Client) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.random.Int64N(int64(d)))
}

// call carries a call to the server and its answer back, or not.
func call[T any](ctx context.Context, c *Client, do func() (T, error)) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	unanswered := func() (T, error) {
		var none T
		<-ctx.Done()
		c.Gate()
		return none, errUnanswered
	}
	if !c.Gate() || c.cut.Load() || c.chance(c.faults.LostRequest) {
		return unanswered()
	}
	if c.chance(c.faults.Late) {
		time.AfterFunc(callLimit+c.upTo(callLimit), func() {
			_, _ = do() // nobody waits for it
		})
		return unanswered()
	}
	wait := c.upTo(2 * time.Millisecond)
	if c.chance(c.faults.Slow) {
		wait = c.upTo(time.Second)
	}
	if !pause(ctx, wait) {
		return unanswered()
	}
	value, err = do()
	if c.chance(c.faults.LostAnswer) || c.cut.Load() {
		return unanswered()
	}
	if !c.Gate() {
		return unanswered()
	}
	return value, err
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Append is bus.Bus's.
func (c *Client) Append(ctx context.Context, s bus.Status, after uint64) (uint64, error) {
	return call(ctx, c, func() (uint64, error) { return c.server.append(s, after) })
}

// Last is bus.Bus's.
func (c *Client) Last(ctx context.Context, terminal, order string) (bus.Status, error) {
	return call(ctx, c, func() (bus.Status, error) { return c.server.last(terminal, order) })
}

// Since is bus.Bus's.
func (c *Client) Since(ctx context.Context, terminal, order string, after uint64) (statuses []bus.Status, last uint64, err error) {
	statuses, err = call(ctx, c, func() ([]bus.Status, error) {
		return slices.DeleteFunc(c.server.Statuses(terminal, order), func(s bus.Status) bool { return s.Seq <= after }), nil
	})
	if len(statuses) > 0 {
		last = statuses[len(statuses)-1].Seq
	}
	return statuses, last, err
}

// AppendInvalid is bus.Bus's.
func (c *Client) AppendInvalid(ctx context.Context, e schema.InvalidEvent) error {
	_, err := call(ctx, c, func() (struct{}, error) {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.invalid = append(c.server.invalid, e)
		return struct{}{}, nil
	})
	return err
}

// Enqueue is bus.Bus's.
func (c *Client) Enqueue(ctx context.Context, s bus.Session) (uint64, error) {
	return call(ctx, c, func() (uint64, error) { return c.server.enqueue(s) })
}

type queuedSession struct {
	session bus.Session
	seq     uint64
}

// Queued is bus.Bus's.
func (c *Client) Queued(ctx context.Context, terminal string) (bus.Session, uint64, error) {
	q, err := call(ctx, c, func() (queuedSession, error) {
		s, seq, err := c.server.queuedOn(terminal)
		return queuedSession{s, seq}, err
	})
	return q.session, q.seq, err
}

// Remade is bus.Bus's. The memory never loses its queue.
func (c *Client) Remade(context.Context, uint64) (bool, error) { return false, nil }

// Consume is bus.Bus's.
func (c *Client) Consume(ctx context.Context, take func(bus.Delivery), _ func(error)) error {
	c.server.mu.Lock()
	c.server.waiting = append(c.server.waiting, c)
	c.server.deliver()
	c.server.mu.Unlock()
	defer func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.waiting = slices.DeleteFunc(c.server.waiting, func(w *Client) bool { return w == c })
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-c.inbox:
			if !c.Gate() {
				continue
			}
			if ctx.Err() != nil {
				_ = d.Handle.Release() // the memory's never fails
				continue
			}
			take(d)
		}
	}
}

type recordAt struct {
	record   bus.Record
	revision uint64
}

// Record is bus.Bus's.
func (c *Client) Record(ctx context.Context, terminal string) (bus.Record, uint64, error) {
	r, err := call(ctx, c, func() (recordAt, error) {
		record, revision, err := c.server.record(terminal)
		return recordAt{record, revision}, err
	})
	return r.record, r.revision, err
}

// PutRecord is bus.Bus's.
func (c *Client) PutRecord(ctx context.Context, terminal string, r bus.Record, revision uint64) (uint64, error) {
	return call(ctx, c, func() (uint64, error) { return c.server.write(terminal, &r, revision) })
}

// DeleteRecord is bus.Bus's.
func (c *Client) DeleteRecord(ctx context.Context, terminal string, revision uint64) error {
	_, err := call(ctx, c, func() (uint64, error) { return c.server.write(terminal, nil, revision) })
	return err
}

// RecordsRevision is bus.Bus's.
func (c *Client) RecordsRevision(ctx context.Context) (uint64, error) {
	return call(ctx, c, func() (uint64, error) {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		return c.server.revision, nil
	})
}

// WatchRecords is bus.Bus's. While the connection is cut nothing is told.
func (c *Client) WatchRecords(ctx context.Context, change func(bus.RecordChange), ready func()) error {
	w := &watcher{note: make(chan struct{}, 1)}
	c.server.mu.Lock()
	for terminal, e := range c.server.records {
		w.changes = append(w.changes, changeOf(terminal, e))
	}
	slices.SortFunc(w.changes, func(a, b bus.RecordChange) int { return int(a.Revision) - int(b.Revision) })
	c.server.watchers = append(c.server.watchers, w)
	c.server.mu.Unlock()
	defer func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.watchers = slices.DeleteFunc(c.server.watchers, func(other *watcher) bool { return other == w })
	}()
	told := false
	for {
		for c.cut.Load() && !c.dead.Load() {
			if !pause(ctx, 100*time.Millisecond) {
				return nil
			}
		}
		if !c.Gate() {
			<-ctx.Done()
			return nil
		}
		for _, ch := range w.take() {
			change(ch)
		}
		if !told {
			told = true
			ready()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.note:
			if c.faults.Slow > 0 && c.chance(c.faults.Slow) {
				pause(ctx, c.upTo(3*time.Second))
			}
		}
	}
}

// Reply is bus.Bus's: it is sent without waiting, and lost while there is no
// connection.
func (c *Client) Reply(inbox string, header map[string]string, body []byte) error {
	if inbox == "" {
		return nil
	}
	if !c.Gate() || c.cut.Load() {
		return errUnanswered
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.replies = append(c.server.replies, Reply{inbox, header, body, time.Now()})
	return nil
}

// IsInbox is bus.Bus's.
func (c *Client) IsInbox(string) bool { return true }

// memoryHandle is a session handed to a client.
type memoryHandle struct {
	client   *Client
	terminal string
	seq      uint64
}

func (h *memoryHandle) InProgress() error {
	if !h.client.Gate() || h.client.cut.Load() {
		return errUnanswered
	}
	h.client.server.onSession(h.terminal, h.seq, func(q *queued) {
		if q.inFlight {
			h.client.server.arm(h.terminal, q)
		}
	})
	return nil
}

func (h *memoryHandle) Release() error {
	if !h.client.Gate() || h.client.cut.Load() {
		return errUnanswered
	}
	h.client.server.onSession(h.terminal, h.seq, func(q *queued) {
		q.inFlight = false
		h.client.server.deliver()
	})
	return nil
}

func (h *memoryHandle) Done(ctx context.Context) error {
	_, err := call(ctx, h.client, func() (struct{}, error) {
		h.client.server.onSession(h.terminal, h.seq, func(q *queued) {
			if q.timer != nil {
				q.timer.Stop()
			}
			delete(h.client.server.sessions, h.terminal)
		})
		return struct{}{}, nil
	})
	return err
}
