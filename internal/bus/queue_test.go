package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// consume takes sessions until the test ends, or stop is called, which waits.
func consume(t *testing.T, b *bus.Bus) (taken chan bus.Delivery, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	taken = make(chan bus.Delivery, 64)
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, func(d bus.Delivery) { taken <- d }, func(error) {}) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return taken, stop
}

// Ten publishers race for one terminal on three servers: one wins.
func TestOneHolderOfALock(t *testing.T) {
	t.Parallel()
	cluster := natstest.RunCluster(t, 3)
	b := ready(t, cluster.URL(), func(o *bus.Options) { o.Replicas = 3 })
	publishers := []*bus.Bus{b.Bus}
	for i := range 9 {
		publishers = append(publishers, b.another(func(o *bus.Options) { o.URLs = cluster[i%3].URL() }))
	}
	for round := range 10 {
		terminal := "T" + string(rune('0'+round))
		var group errgroup.Group
		var mu sync.Mutex
		var won []int
		for i, p := range publishers {
			group.Go(func() error {
				s := session(terminal, "o")
				s.Nonce += "/" + string(rune('0'+i))
				_, err := p.Enqueue(t.Context(), s)
				if err == nil {
					mu.Lock()
					won = append(won, i)
					mu.Unlock()
				}
				if errors.Is(err, bus.ErrConflict) {
					err = nil
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(won) != 1 {
			t.Errorf("terminal %s is held by %v", terminal, won)
		}
	}
}

// A session goes from its start to its end: it locks its terminal, is handed to
// one replica, comes back when that one is silent, and is gone when it is done.
func TestSessionInTheQueue(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	s := session("T1", "o")
	s.Reply, s.Hash, s.StartedAt = "_INBOX.x", "hash", time.Now().UTC().Round(0)
	seq, err := b.Enqueue(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "p")); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("another order: got %v, want a conflict", err)
	}
	if _, err := b.Enqueue(t.Context(), s); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("the same session: got %v, want a conflict", err)
	}
	if got, at, err := b.Queued(t.Context(), "T1"); err != nil || at != seq || got.Nonce != s.Nonce || !got.StartedAt.Equal(s.StartedAt) {
		t.Errorf("got %+v at %d, %v", got, at, err)
	}
	if _, _, err := b.Queued(t.Context(), "T2"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a free terminal: %v", err)
	}
	taken, _ := consume(t, b.Bus)
	first := wait(t, taken)
	if first.Seq != seq || first.Redelivered || first.Session.Order() != "o" || first.Session.Terminal() != "T1" {
		t.Errorf("got %+v", first)
	}
	again := wait(t, taken) // after AckWait, for nobody beat
	if again.Seq != seq || !again.Redelivered {
		t.Errorf("got %+v", again)
	}
	if err := again.Handle.Release(); err != nil {
		t.Fatal(err)
	}
	released := time.Now()
	third := wait(t, taken)
	if took := time.Since(released); took > 400*time.Millisecond {
		t.Errorf("a released session came back after %s, want at once", took)
	}
	if err := third.Handle.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Queued(t.Context(), "T1"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("after Done: %v", err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "p")); err != nil {
		t.Errorf("the next session: %v", err)
	}
	if got := wait(t, taken); got.Session.Order() != "p" {
		t.Errorf("got %+v", got)
	}
}

// A beaten session stays where it is.
func TestBeatenSessionStays(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	if _, err := b.Enqueue(t.Context(), session("T1", "o")); err != nil {
		t.Fatal(err)
	}
	taken, _ := consume(t, b.Bus)
	d := wait(t, taken)
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for range 12 { // more than twice AckWait
		<-beat.C
		if err := d.Handle.InProgress(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case again := <-taken:
		t.Errorf("it came back: %+v", again)
	default:
	}
}

// Two consumers share the sessions: each is handed to one of them.
func TestConsumersShare(t *testing.T) {
	t.Parallel()
	b := ready(t, "", func(o *bus.Options) { o.AckWait = time.Minute })
	one, _ := consume(t, b.Bus)
	two, _ := consume(t, b.another(func(o *bus.Options) { o.AckWait = time.Minute }))
	const sessions = 20
	for i := range sessions {
		if _, err := b.Enqueue(t.Context(), session("T"+string(rune('a'+i)), "o")); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for len(got) < sessions {
		select {
		case d := <-one:
			got = append(got, d.Session.Terminal())
		case d := <-two:
			got = append(got, d.Session.Terminal())
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d of %d sessions were handed over", len(got), sessions)
		}
	}
	slices.Sort(got)
	if unique := slices.Compact(slices.Clone(got)); len(unique) != sessions {
		t.Errorf("handed over more than once: %q", got)
	}
}

// What stands in the queue and is no session is reported and taken out: it
// would come back for ever.
func TestJunkInTheQueue(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	for subject, body := range map[string]string{
		"pos.T1.session": "nonsense",
		"pos.T2.session": `{"request":{"terminal_id":"T3","order_id":"o"}}`,
		"pos.T4.session": `{"request":{"terminal_id":"T4","order_id":"*"}}`,
		"pos.T5.session": `{}`,
	} {
		if _, err := b.js.Publish(t.Context(), subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	reported := make(chan error, 64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Consume(ctx, func(d bus.Delivery) { t.Errorf("handed over: %+v", d) }, func(err error) { reported <- err })
	}()
	for range 4 {
		wait(t, reported)
	}
	cancel()
	<-done
	for _, terminal := range []string{"T1", "T2", "T4", "T5"} {
		_, err := b.Enqueue(t.Context(), session(terminal, "o"))
		for errors.Is(err, bus.ErrConflict) { // until the server has taken the junk out
			_, err = b.Enqueue(t.Context(), session(terminal, "o"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A consumer that is deleted and made again hands out what is in the queue,
// whether Consume noticed it or not.
func TestConsumerMadeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	if err := b.Consume(t.Context(), func(bus.Delivery) {}, func(error) {}); err == nil {
		t.Error("consumed what is not there")
	}
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "o")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	taken, ended := make(chan bus.Delivery, 64), make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = b.Consume(ctx, func(d bus.Delivery) { taken <- d }, func(error) {}) // fails until it is there again
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	d := wait(t, taken)
	if err := d.Handle.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.js.DeleteConsumer(t.Context(), "POS_SESSIONS", "bridge"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "p")); err != nil {
		t.Fatal(err)
	}
	for d.Session.Order() != "p" {
		d = wait(t, taken)
	}
}

// A handle of a session that is gone harms nobody.
func TestHandleOfAGoneSession(t *testing.T) {
	t.Parallel()
	b := ready(t, "", func(o *bus.Options) { o.AckWait = time.Minute })
	if _, err := b.Enqueue(t.Context(), session("T1", "o")); err != nil {
		t.Fatal(err)
	}
	taken, _ := consume(t, b.Bus)
	d := wait(t, taken)
	if err := d.Handle.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), session("T1", "p")); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, taken); got.Session.Order() != "p" {
		t.Errorf("got %+v", got)
	}
	for _, f := range []func() error{d.Handle.InProgress, d.Handle.Release, func() error { return d.Handle.Done(t.Context()) }} {
		_ = f() // may fail
	}
	flush(t, b.Conn())
	if s, _, err := b.Queued(t.Context(), "T1"); err != nil || s.Order() != "p" {
		t.Errorf("the next session is %+v, %v", s, err)
	}
	select {
	case again := <-taken:
		t.Errorf("it was handed over again: %+v", again)
	default:
	}
}
