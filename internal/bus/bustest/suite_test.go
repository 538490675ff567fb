package bustest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// ackWait of the suite: short enough to wait for it on a real server.
const ackWait = 3 * time.Second

// server is what the bridge uses of the bus.
type server interface {
	Enqueue(ctx context.Context, s bus.Session) (uint64, error)
	Queued(ctx context.Context, terminal string) (bus.Session, uint64, error)
	Consume(ctx context.Context, take func(bus.Delivery), report func(error)) error
	Append(ctx context.Context, s bus.Status, after uint64) (uint64, error)
	Last(ctx context.Context, terminal, order string) (bus.Status, error)
	Since(ctx context.Context, terminal, order string, after uint64) ([]bus.Status, uint64, error)
	Record(ctx context.Context, terminal string) (bus.Record, uint64, error)
	PutRecord(ctx context.Context, terminal string, r bus.Record, revision uint64) (uint64, error)
	DeleteRecord(ctx context.Context, terminal string, revision uint64) error
	WatchRecords(ctx context.Context, change func(bus.RecordChange), ready func()) error
	RecordsRevision(ctx context.Context) (uint64, error)
}

// TestMemory, TestRealServer and TestRealCluster run the same suite: what the
// simulation rests on is what nats-server does.

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := NewMemory(ackWait, nil)
				test(t, m.Client(Faults{}), m.Client(Faults{}))
			})
		})
	}
}

func TestRealServer(t *testing.T) {
	t.Parallel()
	realSuite(t, natstest.Run(t).URL(), 1)
}

func TestRealCluster(t *testing.T) {
	t.Parallel()
	cluster, err := natsserver.StartCluster(3, natsserver.Options{Dir: t.TempDir(), JetStream: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Shutdown)
	realSuite(t, cluster.URL(), 3)
}

func realSuite(t *testing.T, url string, replicas int) {
	t.Helper()
	i := 0
	for name, test := range suite {
		i++
		space, err := subjects.New(fmt.Sprintf("suite%d", i))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, connect(t, url, space, replicas), connect(t, url, space, replicas))
		})
	}
}

func connect(t *testing.T, url string, space subjects.Space, replicas int) *bus.Bus {
	t.Helper()
	connected := make(chan struct{}, 1)
	b, err := bus.Connect(bus.Options{
		URLs: url, Space: space, Replicas: replicas, StatusMaxAge: time.Hour, AckWait: ackWait,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	<-connected
	for attempt := 0; ; attempt++ { // a new cluster takes a moment to elect its leaders
		if _, err = b.Ensure(t.Context()); err == nil {
			return b
		}
		if attempt == 20 {
			t.Fatal(err)
		}
	}
}

var suite = map[string]func(t *testing.T, a, b server){
	"a terminal is locked by one session": func(t *testing.T, a, b server) {
		seq := must(a.Enqueue(t.Context(), session("T1", "o1", "n1")))(t)
		_, err := b.Enqueue(t.Context(), session("T1", "o2", "n2"))
		wantConflict(t, err)
		// The same again, as when its answer was lost: one server refuses it, three
		// know it and say where it stands. Either way it is there once.
		again, err := a.Enqueue(t.Context(), session("T1", "o1", "n1"))
		if !errors.Is(err, bus.ErrConflict) && (err != nil || again != seq) {
			t.Errorf("got %d, %v, want a conflict or %d", again, err, seq)
		}
		s, at, err := b.Queued(t.Context(), "T1")
		if err != nil || at != seq || s.Nonce != "n1" {
			t.Errorf("got %q at %d, %v; want n1 at %d", s.Nonce, at, err, seq)
		}
		must(b.Enqueue(t.Context(), session("T2", "o3", "n3")))(t)
		if _, _, err := a.Queued(t.Context(), "T3"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
	},
	"a session that is done frees its terminal": func(t *testing.T, a, _ server) {
		taken := consume(t, a)
		first := must(a.Enqueue(t.Context(), session("T1", "o1", "n1")))(t)
		d := <-taken
		if d.Seq != first || d.Redelivered {
			t.Errorf("got %d redelivered=%v, want %d", d.Seq, d.Redelivered, first)
		}
		if err := d.Handle.Done(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A replicated queue confirms a moment before the message is gone.
		for began := time.Now(); time.Since(began) < 5*time.Second; {
			if _, _, err := a.Queued(t.Context(), "T1"); errors.Is(err, bus.ErrNotFound) {
				break
			}
		}
		if second := must(a.Enqueue(t.Context(), session("T1", "o2", "n2")))(t); second <= first {
			t.Errorf("got sequence %d after %d", second, first)
		}
		<-taken
	},
	"a released session is handed out again at once": func(t *testing.T, a, _ server) {
		taken := consume(t, a)
		must(a.Enqueue(t.Context(), session("T1", "o1", "n1")))(t)
		d := <-taken
		if err := d.Handle.Release(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		again := <-taken
		if !again.Redelivered || again.Seq != d.Seq || time.Since(began) > ackWait/2 {
			t.Errorf("got %d redelivered=%v after %s", again.Seq, again.Redelivered, time.Since(began))
		}
	},
	"a session without a beat goes elsewhere, a beaten one stays": func(t *testing.T, a, b server) {
		taken := consume(t, a)
		must(a.Enqueue(t.Context(), session("T1", "o1", "n1")))(t)
		d := <-taken
		elsewhere := consume(t, b)
		began := time.Now()
		beat := time.NewTicker(ackWait / 3)
		defer beat.Stop()
		for time.Since(began) < 2*ackWait {
			select {
			case <-beat.C:
				if err := d.Handle.InProgress(); err != nil {
					t.Fatal(err)
				}
			case <-taken:
				t.Fatal("handed out again though it was beaten")
			case <-elsewhere:
				t.Fatal("handed out elsewhere though it was beaten")
			}
		}
		var again bus.Delivery
		select {
		case again = <-taken:
		case again = <-elsewhere:
		}
		if !again.Redelivered || again.Seq != d.Seq {
			t.Errorf("got %d redelivered=%v, want %d again", again.Seq, again.Redelivered, d.Seq)
		}
	},
	"a status is stored once, after the one before it": func(t *testing.T, a, b server) {
		one := must(a.Append(t.Context(), status(1, "initialized", "a"), 0))(t)
		_, err := a.Append(t.Context(), status(1, "initialized", "a"), 0) // the same again
		wantConflict(t, err)
		_, err = b.Append(t.Context(), status(1, "declined", "b"), 0) // the same id, other news
		wantConflict(t, err)
		_, err = b.Append(t.Context(), status(2, "declined", "b"), 0) // a fence that no longer stands
		wantConflict(t, err)
		_, err = b.Append(t.Context(), status(1, "declined", "b"), one) // a known id at the right place
		wantConflict(t, err)
		two := must(b.Append(t.Context(), status(2, "declined", "b"), one))(t)
		last, err := a.Last(t.Context(), "T1", "o/1")
		if err != nil || last.Seq != two || last.Event.Status != "declined" || last.Replica != "b" || last.Hash != "hash" {
			t.Errorf("got %+v, %v", last, err)
		}
		all, end, err := b.Since(t.Context(), "T1", "o/1", 0)
		if err != nil || len(all) != 2 || all[0].Seq != one || all[0].Replica != "a" || all[1].Seq != two || end != two {
			t.Errorf("got %+v, %v", all, err)
		}
		none, _, err := b.Since(t.Context(), "T1", "o/1", two)
		if err != nil || len(none) != 0 {
			t.Errorf("got %+v, %v, want none", none, err)
		}
		if _, err := a.Last(t.Context(), "T1", "other"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
	},
	"an event reads back equal to what was written": func(t *testing.T, a, _ server) {
		s := status(1, "initialized", "a")
		s.Event.ObservedAt = time.Now().UTC().Round(0)
		must(a.Append(t.Context(), s, 0))(t)
		last, err := a.Last(t.Context(), "T1", "o/1")
		if err != nil || last.Event != s.Event {
			t.Errorf("got %+v, want %+v, %v", last.Event, s.Event, err)
		}
	},
	"a record is written at the revision that was read": func(t *testing.T, a, b server) {
		_, none, err := a.Record(t.Context(), "T1")
		if !errors.Is(err, bus.ErrNotFound) || none != 0 {
			t.Fatalf("got revision %d, %v", none, err)
		}
		one := must(a.PutRecord(t.Context(), "T1", bus.Record{Seq: 7, Replica: "a"}, 0))(t)
		_, err = b.PutRecord(t.Context(), "T1", bus.Record{Seq: 7, Replica: "b"}, 0)
		wantConflict(t, err)
		two := must(b.PutRecord(t.Context(), "T1", bus.Record{Seq: 7, Replica: "b"}, one))(t)
		wantConflict(t, a.DeleteRecord(t.Context(), "T1", one))
		if err := b.DeleteRecord(t.Context(), "T1", two); err != nil {
			t.Fatal(err)
		}
		_, gone, err := a.Record(t.Context(), "T1")
		if !errors.Is(err, bus.ErrNotFound) || gone <= two {
			t.Errorf("got revision %d, %v, want not found after %d", gone, err, two)
		}
		_, err = a.PutRecord(t.Context(), "T1", bus.Record{Seq: 8}, 0)
		wantConflict(t, err)
		three := must(a.PutRecord(t.Context(), "T1", bus.Record{Seq: 8}, gone))(t)
		if at := must(b.RecordsRevision(t.Context()))(t); at != three {
			t.Errorf("got %d, want %d", at, three)
		}
	},
	"a watch tells what is there and what changes, in order": func(t *testing.T, a, b server) {
		one := must(a.PutRecord(t.Context(), "T1", bus.Record{Seq: 1}, 0))(t)
		ctx, cancel := context.WithCancel(t.Context())
		changes, ready, done := make(chan bus.RecordChange, 10), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- b.WatchRecords(ctx, func(c bus.RecordChange) { changes <- c }, func() { close(ready) })
		}()
		<-ready
		if c := <-changes; c.Terminal != "T1" || c.Record == nil || c.Record.Seq != 1 || c.Revision != one {
			t.Errorf("got %+v", c)
		}
		if err := a.DeleteRecord(t.Context(), "T1", one); err != nil {
			t.Fatal(err)
		}
		if c := <-changes; c.Terminal != "T1" || c.Record != nil || c.Revision <= one {
			t.Errorf("got %+v, want a deletion", c)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	},
}

func session(terminal, order, nonce string) bus.Session {
	return bus.Session{Request: schema.StartRequest{TerminalID: terminal, OrderID: order}, Nonce: nonce}
}

func status(sequence uint64, name, replica string) bus.Status {
	return bus.Status{
		Event: schema.StatusEvent{TerminalID: "T1", OrderID: "o/1", Sequence: sequence, Status: name},
		Hash:  "hash", Replica: replica, StartedAt: time.Unix(1, 0).UTC(),
	}
}

// consume hands what s is handed to the returned channel, until the test ends.
func consume(t *testing.T, s server) <-chan bus.Delivery {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	taken, done := make(chan bus.Delivery, 10), make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Consume(ctx, func(d bus.Delivery) { taken <- d }, func(error) {}); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return taken
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, bus.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}
