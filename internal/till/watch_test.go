package till_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// watching is "pos-bridge watch" under test.
type watching struct {
	out, notes *bridgetest.Output
	stop       func() error
}

func watch(t *testing.T, s stand, change func(*till.Watch)) watching {
	t.Helper()
	w := watching{out: &bridgetest.Output{}, notes: &bridgetest.Output{}}
	watch := till.Watch{Till: s.till, Screen: till.NewScreen(w.out, w.notes, env{}.get), Now: newClock().Now, Every: never}
	change(&watch)
	ctx, cancel := context.WithCancel(limited(t))
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(ctx) }()
	w.stop = func() error {
		cancel()
		return <-ended
	}
	t.Cleanup(cancel)
	return w
}

func at(e schema.StatusEvent, clock string) schema.StatusEvent {
	e.ObservedAt, _ = time.Parse(time.RFC3339, clock) // constants of the tests
	return e
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	w := watch(t, s, func(*till.Watch) {})
	w.notes.Await(t, "watching all terminals at "+s.till.Server()+"; Ctrl-C ends\n")
	s.bridge.Store(at(event("pay-1", 1, "initialized"), "2026-11-22T23:59:59Z"))
	e := at(bridgetest.Event("SIM00001", "INV/2026.7", 1, "completed"), "2026-11-23T15:05:07+01:00")
	e.Amount, e.Currency, e.Source = 1200, "JPY", schema.SourceReconcile
	s.bridge.Store(e)
	w.out.Await(t, "JPY")
	s.bridge.StoreInvalid(schema.InvalidEvent{TerminalID: "T1", OrderID: "pay-1", Reason: "no status\a", ObservedAt: e.ObservedAt})
	w.out.Await(t, "not understood")
	s.wire.Cut()
	w.notes.Await(t, "connection to NATS lost")
	s.bridge.Store(at(event("pay-1", 2, "declined"), "2026-11-23T14:05:08Z"))
	s.wire.Mend()
	w.out.Await(t, "declined")
	if err := w.stop(); err != nil {
		t.Errorf("got %v", err)
	}
	want := `2026-11-22 23:59:59  T1          pay-1                 initialized     12.50 EUR  under way: the card is asked for, or being processed
14:05:07  SIM00001    INV/2026.7            completed        1200 JPY  paid (learnt by asking)
14:05:07  T1          pay-1                 invalid                    not understood: no status` + "\uFFFD" + `
14:05:08  T1          pay-1                 declined        12.50 EUR  declined; the customer may try again on the terminal
`
	if got := w.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWatchSince(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	s.bridge.Store(event("a", 1, "initialized"), bridgetest.Event("T2", "b", 1, "initialized"), event("a", 2, "completed"))
	w := watch(t, s, func(w *till.Watch) {
		w.Filter, w.Since, w.JSON, w.Now = client.Filter{Terminal: "T1"}, time.Minute, true, time.Now
	})
	w.out.Await(t, "completed")
	s.bridge.Store(event("a", 3, "reversed"))
	w.out.Await(t, "reversed")
	if err := w.stop(); err != nil {
		t.Errorf("got %v", err)
	}
	lines := strings.Split(strings.TrimSpace(w.out.String()), "\n")
	if len(lines) != 3 {
		t.Errorf("got %d lines, want 3:\n%s", len(lines), w.out)
	}
}

func TestWatchSinceWithoutAStream(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	out := &bridgetest.Output{}
	err := till.Watch{Till: s.till, Screen: till.NewScreen(out, out, env{}.get), Since: time.Minute}.Run(limited(t))
	if err == nil {
		t.Fatal("got no error")
	}
	if got, want := till.Describe(err), "read stream POS_STATUS: the status stream is not there"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := new(till.Screen).Advice(err, "", ""); len(got) == 0 {
		t.Error("got no advice")
	}
}

func TestWatchSaysWhatItCannotSee(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	w := watch(t, s, func(w *till.Watch) { w.Filter = client.Filter{Terminal: "T1", Order: "a"} })
	w.notes.Await(t, "watching order a on terminal T1")
	s.bridge.Tell(event("a", 1, "initialized"), event("a", 4, "completed"))
	w.notes.Await(t, "statuses 2 to 3 of order a were missed\n")
	s.bridge.TellRaw("pos.T1.a.status", []byte("junk 1"))
	w.notes.Await(t, "not a status event")
	s.bridge.TellRaw("pos.T1.a.status", []byte("junk 2")) // told once
	s.wire.Cut()
	w.notes.Await(t, "connection to NATS lost")
	s.wire.Mend()
	w.notes.Await(t, "may be missing (the status stream cannot be read)")
	if err := w.stop(); err != nil {
		t.Errorf("got %v", err)
	}
	if got := strings.Count(w.notes.String(), "not a status event"); got != 1 {
		t.Errorf("told of junk %d times, want once", got)
	}
}

func TestWatchStopsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	notes := &bridgetest.Output{}
	ended := make(chan error, 1)
	go func() {
		ended <- till.Watch{Till: s.till, Screen: till.NewScreen(closedPipe{}, notes, env{}.get), Every: never}.Run(limited(t))
	}()
	notes.Await(t, "watching")
	s.bridge.Store(event("a", 1, "completed"))
	if err := <-ended; !errors.Is(err, errPipe) {
		t.Errorf("got %v, want %v", err, errPipe)
	}
}

var errPipe = errors.New("nobody reads")

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errPipe }
