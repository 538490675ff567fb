package follower

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// queueOf is a queue with these sessions.
func queueOf(sessions ...bus.Delivery) *fakeBus {
	return &fakeBus{
		locked: func() (terminals []string) {
			for _, d := range sessions {
				terminals = append(terminals, d.Session.Terminal())
			}
			return terminals
		},
		queued: func(terminal string) (bus.Delivery, error) {
			for _, d := range sessions {
				if d.Session.Terminal() == terminal {
					return d, nil
				}
			}
			return bus.Delivery{}, bus.ErrNotFound
		},
		log: func(string) (payment.Log, error) { return payment.Log{}, nil },
	}
}

func queuedSession(terminal, order string) bus.Delivery {
	return bus.Delivery{Seq: 7, Session: payment.Session{Hash: "hash", Request: schema.StartRequest{TerminalID: terminal, OrderID: order}}}
}

// following makes "me" follow an order.
func following(f *Follower, ref Ref) {
	inLoop(context.Background(), f, func(answer func(bool)) {
		s := payment.Session{Hash: "hash", Nonce: "nonce", Reply: "inbox", Request: schema.StartRequest{TerminalID: ref.Terminal, OrderID: ref.Order}}
		a := f.begin(ref, s, payment.Place{})
		a.payment.Phase = payment.Following{}
		f.count(a, true)
		answer(true)
	})
}

// claimed are the claims of a board.
func claimed(owners map[Ref]string) *orders {
	o := &orders{changed: make(chan struct{}), claims: map[Ref]payment.Claim{}}
	for ref, owner := range owners {
		o.claims[ref] = payment.Claim{Owner: owner, Phase: payment.ClaimOpen}
	}
	return o
}

func TestWhatASweepFinds(t *testing.T) {
	t.Parallel()
	ref := Ref{Terminal: "T1", Order: "A"}
	over := payment.Log{Last: 9, Statuses: []payment.Status{{Hash: "hash", Event: schema.StatusEvent{Status: "completed", Final: true, Sequence: 1}}}}
	begun := payment.Log{Last: 9, Claim: &payment.Claim{Owner: "stranger", Phase: payment.ClaimOpen}}
	down := errors.New("down")
	for name, tt := range map[string]struct {
		queue *fakeBus
		log   *payment.Log
		// unread is why the session cannot be read.
		unread error
		owner  string
		mine   bool
		want   []finding
	}{
		"nothing":                          {queue: queueOf()},
		"all is well here":                 {queue: queueOf(queuedSession("T1", "A")), owner: "me", mine: true},
		"all is well elsewhere":            {queue: queueOf(queuedSession("T1", "A")), owner: "there"},
		"a session that was not delivered": {queue: queueOf(queuedSession("T1", "A")), want: []finding{{ref, undelivered, 7}}},
		"a session that was left":          {queue: queueOf(queuedSession("T1", "A")), log: &begun, want: []finding{{ref, unfollowed, 7}}},
		"an order that was left here":      {queue: queueOf(), owner: "me", want: []finding{{ref, unfollowed, 0}}},
		"an owner that nobody knows":       {queue: queueOf(), owner: "stranger", want: []finding{{ref, unfollowed, 0}}},
		"both are left":                    {queue: queueOf(queuedSession("T1", "A")), log: &begun, owner: "stranger", want: []finding{{ref, unfollowed, 7}, {ref, unfollowed, 0}}},
		"an owner that is silent":          {queue: queueOf(), owner: "silent", want: []finding{{ref, unfollowed, 0}}},
		"a lost lock":                      {queue: queueOf(), owner: "me", mine: true, want: []finding{{ref, unqueued, 0}}},
		"a lost claim and a lost lock":     {queue: queueOf(), mine: true, want: []finding{{ref, unqueued, 0}}},
		"a lost claim":                     {queue: queueOf(queuedSession("T1", "B")), log: &over, mine: true, want: []finding{{Ref{Terminal: "T1", Order: "B"}, ended, 7}}},
		"a lost lock elsewhere":            {queue: queueOf(), owner: "there"},
		"a session that is over":           {queue: queueOf(queuedSession("T1", "A")), log: &over, want: []finding{{ref, ended, 7}}},
		"a session of a later release":     {queue: queueOf(queuedSession("T1", "A")), unread: bus.ErrNewer},
		"a session that cannot be read":    {queue: queueOf(queuedSession("T1", "A")), unread: down, want: []finding{{Ref{Terminal: "T1"}, unreadable, 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.log != nil {
				tt.queue.log = func(string) (payment.Log, error) { return *tt.log, nil }
			}
			if tt.unread != nil {
				tt.queue.queued = func(string) (bus.Delivery, error) { return bus.Delivery{Seq: 7}, tt.unread }
			}
			tt.queue.ask = func(string) (string, error) { return "{}", nil }
			f := fakeFollower(t, tt.queue)
			f.peers.heard("there")
			f.peers.heard("silent")
			f.peers.known["silent"].answered = time.Now().Add(-f.opts.Rules.ReplicaTTL)
			if tt.owner != "" {
				f.opts.Orders = claimed(map[Ref]string{ref: tt.owner})
			}
			if tt.mine {
				following(f, ref)
			}
			s := &sweeper{f: f}
			got, err := s.look(t.Context())
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// A sweep acts on what it sees twice, and queues a lost session again as it was.
func TestSweepRepairsWhatItSeesTwice(t *testing.T) {
	t.Parallel()
	b := queueOf()
	var queued []payment.Session
	b.enqueue = func(s payment.Session) (uint64, error) {
		queued = append(queued, s)
		return 8, nil
	}
	f, ref := fakeFollower(t, b), Ref{Terminal: "T1", Order: "A"}
	f.opts.Orders = claimed(map[Ref]string{ref: "me"})
	var said []string
	f.opts.Swept = func(faults string) { said = append(said, faults) }
	following(f, ref)
	s := &sweeper{f: f}
	now := time.Now()
	sweep := func(wantFound bool, wantQueued int) {
		t.Helper()
		now = now.Add(sweepRepeat)
		if found, err := s.sweep(t.Context(), now); err != nil || found != wantFound || len(queued) != wantQueued {
			t.Fatalf("got %v, %v, %d sessions queued; want %v, %d", found, err, len(queued), wantFound, wantQueued)
		}
	}
	sweep(true, 0)
	now = now.Add(-1)
	sweep(true, 0) // too soon: it may have been stored only just now
	sweep(true, 1) // it looks again, whether that helped
	if q := queued[0]; q.Nonce != "nonce" || q.Reply != "inbox" || q.Hash != "hash" || q.Request.OrderID != "A" {
		t.Errorf("got %+v", q)
	}
	place, _ := inLoop(t.Context(), f, func(answer func(payment.Place)) { answer(f.actors[ref].payment.Place) })
	if place.Seq != 8 {
		t.Errorf("the payment is at %d in the queue, want 8", place.Seq)
	}
	sweep(true, 1) // it is still not listed: seen once more
	b.locked = func() []string { return []string{"T1"} }
	sweep(false, 1)
	b.locked = func() []string { return nil }
	sweep(true, 1) // what was well in between counts anew
	if want := []string{"", "", "1 the queue did not have some open payments", "", "", ""}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// twoSweeps are the times of two sweeps of which the second one acts.
func twoSweeps() []time.Time {
	now := time.Now()
	return []time.Time{now, now.Add(sweepRepeat)}
}

// An order that nobody follows is taken up, and found again by the next sweep if
// that comes to nothing.
func TestSweepTakesUpWhatWasLeft(t *testing.T) {
	t.Parallel()
	f, ref := fakeFollower(t, queueOf()), Ref{Terminal: "T1", Order: "A"}
	f.opts.Bus.(*fakeBus).log = nil // its log is being read
	f.opts.Orders = claimed(map[Ref]string{ref: "stranger"})
	f.peers.known["stranger"] = &peer{gone: time.Now()}
	s := &sweeper{f: f}
	for _, now := range twoSweeps() {
		if _, err := s.sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if !f.follows(ref, "me") {
		t.Error("nobody has taken it up")
	}
}

// A stopped follower keeps nobody waiting.
func TestNobodyWaitsForAStoppedFollower(t *testing.T) {
	t.Parallel()
	f := fakeFollower(t, queueOf())
	f.stop()
	ref := Ref{Terminal: "T1", Order: "A"}
	if f.follows(ref, "me") {
		t.Error("it follows nothing any more")
	}
	if _, failure := f.Cancel(t.Context(), "T1", "A"); failure == nil || failure.Code != schema.OutcomeUnknown {
		t.Errorf("cancel: got %v", failure)
	}
	if _, _, ok := f.News(t.Context(), ref, "me"); ok {
		t.Error("it has news")
	}
	(&sweeper{f: f}).requeue(t.Context(), ref)
	if err := f.Drain(t.Context()); err != nil && !errors.Is(err, errStopped) {
		t.Errorf("drain: got %v", err)
	}
}

// A payment that is over here, and open in its log, has lost its end: it is taken up
// from its log.
func TestSweepTakesUpALostEnd(t *testing.T) {
	t.Parallel()
	f, ref := fakeFollower(t, queueOf()), Ref{Terminal: "T1", Order: "A"}
	f.opts.Bus.(*fakeBus).log = nil // its log is being read
	f.opts.Orders = claimed(map[Ref]string{ref: "me"})
	following(f, ref)
	followedBy := func(change func(*actor)) (a *actor) {
		a, _ = inLoop(t.Context(), f, func(answer func(*actor)) {
			change(f.actors[ref])
			answer(f.actors[ref])
		})
		return a
	}
	before := followedBy(func(a *actor) { a.payment.State.Final = true })
	s := &sweeper{f: f}
	for _, now := range twoSweeps() {
		if _, err := s.sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if after := followedBy(func(*actor) {}); after == nil || after == before {
		t.Errorf("followed by %p, before by %p", after, before)
	}
}
