package follower

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/simulator"
)

// The queue does not hear that a replica that stops gives its session back. The session
// is given back again, and followed until another replica has claimed it.
func TestDrainUnheard(t *testing.T) {
	t.Parallel()
	s := setup(t, simulator.Options{Manual: true})
	long := func(r *payment.Rules) { r.ReplicaTTL = 20 * time.Second }
	first := s.replica(long)
	if _, failure := s.reply(s.start(first.bus, "SIM00001", "C-2")); failure != nil {
		t.Fatal(failure)
	}
	second := s.replica(long)
	for first.peers.alone() { // until the second one has asked whether it is there
		if s.ctx.Err() != nil {
			t.Fatal("the first replica does not know the second one")
		}
	}
	s.deafTo.Store(1)
	if err := first.Drain(s.ctx); err != nil {
		t.Fatal(err)
	}
	if log, err := first.bus.ReadLog(s.ctx, "SIM00001", "C-2", true); err != nil || log.Claim.Owner != second.opts.Rules.Self {
		t.Errorf("the first replica has left before another one has claimed the session: %v", err)
	}
	if _, err := s.sim.Act("SIM00001", simulator.ActTap); err != nil {
		t.Fatal(err)
	}
	s.until("initialized")
}

// The queue loses the session of a replica that stops: it is queued again, and another
// replica goes on.
func TestDrainWithoutTheSession(t *testing.T) {
	t.Parallel()
	s := setup(t, simulator.Options{Manual: true})
	long := func(r *payment.Rules) { r.ReplicaTTL = 20 * time.Second }
	first := s.replica(long)
	if _, failure := s.reply(s.start(first.bus, "SIM00001", "C-3")); failure != nil {
		t.Fatal(failure)
	}
	second := s.replica(long)
	s.eventually("the first replica knows the second one", func() bool { return !first.peers.alone() })
	queued, err := first.bus.Queued(s.ctx, "SIM00001")
	if err == nil {
		err = first.bus.DeleteSession(s.ctx, queued.Seq)
	}
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- first.Drain(s.ctx) }()
	sweep, now := &sweeper{f: first.Follower}, time.Now()
	ref := Ref{Terminal: "SIM00001", Order: "C-3"}
	s.eventually("the second replica has the session", func() bool {
		now = now.Add(sweepRepeat)
		if _, err := sweep.sweep(s.ctx, now); err != nil {
			t.Fatal(err)
		}
		return second.opts.Orders.Open()[ref] == second.opts.Rules.Self
	})
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A sweep leaves an order that ended unpaid to the replica that watches it, and
// finds it when that one has gone.
func TestSweepOfWatchedOrders(t *testing.T) {
	t.Parallel()
	s := setup(t, simulator.Options{Manual: true})
	watching := func(r *payment.Rules) { r.Aftercare = []time.Duration{10 * time.Minute} }
	first := s.replica(watching)
	if _, failure := s.reply(s.start(first.bus, "SIM00001", "E-1")); failure != nil {
		t.Fatal(failure)
	}
	if _, failure := first.Cancel(s.ctx, "SIM00001", "E-1"); failure != nil {
		t.Fatal(failure)
	}
	s.until("cancelled")
	second := s.replica(watching)
	ref, owner := Ref{Terminal: "SIM00001", Order: "E-1"}, first.opts.Rules.Self
	s.eventually("the second replica knows of the order", func() bool { return second.opts.Orders.Watched(time.Hour, time.Hour)[ref] == owner })
	sweep := &sweeper{f: second.Follower}
	look := func() []finding {
		found, err := sweep.look(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	look() // the first may not know the replica yet
	if found := look(); len(found) > 0 {
		t.Errorf("found %v, and its replica is there", found)
	}
	first.end()
	s.eventually("the first replica has gone", func() bool { return !second.peers.isThere(owner) })
	for _, now := range twoSweeps() {
		if _, err := sweep.sweep(s.ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	self := second.opts.Rules.Self
	s.eventually("the second replica watches the order", func() bool { return second.opts.Orders.Watched(time.Hour, time.Hour)[ref] == self })
}

// eventually looks again and again until something holds.
func (s *scene) eventually(what string, holds func() bool) {
	s.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatal("in vain: " + what)
		}
	}
}

// A payment that makes the program panic ends alone: the others go on, and it neither
// is tried forever nor ends without a status.
func TestPaymentThatPanics(t *testing.T) {
	t.Parallel()
	s := setup(t, simulator.Options{Manual: true})
	s.note = func(order string, n payment.Note) {
		if order == "poison" && (n.Kind == payment.NoteCreated || n.Kind == payment.NoteStream) {
			panic("a fault of the program")
		}
	}
	r := s.replica(func(r *payment.Rules) { r.ReplicaTTL = 300 * time.Millisecond })
	s.start(r.bus, "SIM00001", "poison")
	if _, failure := s.reply(s.start(r.bus, "SIM00002", "well")); failure != nil {
		t.Fatal(failure)
	}
	for {
		if e := s.next(); e.OrderID == "poison" && e.Final {
			if e.Status != "cancelled" { // given up, after an attempt to cancel
				t.Errorf("got %+v", e)
			}
			break
		}
	}
	if _, err := s.sim.Act("SIM00002", simulator.ActApprove); err != nil {
		t.Fatal(err)
	}
	s.until("completed")
}

// What asks a payment that panics is sent to another replica, and not left waiting.
func TestWaitersOfAPaymentThatPanics(t *testing.T) {
	t.Parallel()
	f := fakeFollower(t, &fakeBus{})
	ref := Ref{Terminal: "T1", Order: "A"}
	answered := make(chan payment.Respond, 1)
	f.post(func() {
		a := f.begin(ref, payment.Session{}, payment.Place{})
		f.waiters.add(a, func(r payment.Respond) { answered <- r })
		a.payment.Rules = nil // Step will fail
		f.step(a, payment.Delivered{Place: payment.Place{Delivered: 1}})
	})
	if r := <-answered; !r.Elsewhere {
		t.Errorf("got %+v", r)
	}
	a, _ := inLoop(t.Context(), f, func(answer func(*actor)) {
		f.find(ref)
		answer(f.actors[ref])
	})
	if a != nil {
		t.Error("it is tried again at once")
	}
}

// The queue hears again and again that a session is followed, by its delivery.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	s := setup(t, simulator.Options{Manual: true})
	beats := make(chan string, 1000)
	if _, err := s.conn.Subscribe("$JS.ACK.POS_SESSIONS.bridge.>", func(m *nats.Msg) {
		if string(m.Data) == "+WPI" {
			beats <- m.Subject
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	r := s.replica()
	if _, failure := s.reply(s.start(r.bus, "SIM00001", "H-1")); failure != nil {
		t.Fatal(failure)
	}
	var heard [2]string
	for i := range heard {
		select {
		case heard[i] = <-beats:
		case <-s.ctx.Done():
			t.Fatalf("heard %d heartbeats", i)
		}
	}
	if heard[0] != heard[1] {
		t.Errorf("the heartbeats of one delivery are %v", heard)
	}
}

// Far ticks wait for others, at most for a grid; near ones, and those that a till waits
// for, do not.
func TestTicksWaitForEachOther(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 70_000_000, time.UTC)
	for _, tt := range []struct {
		answered    bool
		after, want time.Duration
	}{
		{true, farAway - 1, farAway - 1},
		{true, farAway, farAway + 130*time.Millisecond},
		{true, time.Minute, time.Minute + 130*time.Millisecond},
		{false, time.Minute, time.Minute},
	} {
		p := payment.Payment{Answered: tt.answered}
		p.Timers[payment.TimerQuestion] = now.Add(tt.after)
		if got := dueOf(p, now).Sub(now); got != tt.want {
			t.Errorf("answered %v, due after %s: got %s, want %s", tt.answered, tt.after, got, tt.want)
		}
	}
	if got := dueOf(payment.Payment{Answered: true}, now); !got.IsZero() {
		t.Errorf("without a timer: got %s", got)
	}
}
