package processtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// faulty is an installation whose JetStream does something wrong.
type faulty struct {
	*processtest.Scene
	t        *testing.T
	ctx      context.Context
	js       jetstream.JetStream
	replicas []*processtest.Replica
}

func setupFaulty(t *testing.T) *faulty {
	t.Helper()
	// A start waits as long as a repair may take.
	s := processtest.NewScene(t, processtest.SceneOptions{Terminals: 2, Provider: simulator.Options{Pace: pace}, Env: processtest.Env{"START_DEADLINE": "2m"}})
	js, err := jetstream.New(s.Conn)
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{Scene: s, t: t, ctx: processtest.Context(t), js: js, replicas: []*processtest.Replica{s.Serve(t, "a"), s.Serve(t, "b")}}
}

// start starts a payment that waits for its customer.
func (f *faulty) start(terminal, order string) processtest.Reply {
	f.t.Helper()
	reply, err := processtest.Insist(f.ctx, f.Conn, "pos.payment.start", processtest.NewStart(terminal, order, string(simulator.WaitForHand)))
	if err != nil || reply.Error != nil {
		f.t.Fatalf("start %s: %+v, %v", order, reply, err)
	}
	return reply
}

// seen waits until all replicas have seen what is stored: each answer to list has.
func (f *faulty) seen() {
	f.t.Helper()
	for range 20 {
		if _, err := processtest.Insist(f.ctx, f.Conn, "pos.payment.list", map[string]string{}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// act has the customer do something, and waits for the status that is stored then.
func (f *faulty) act(terminal, order string, action simulator.Action, status string) {
	f.t.Helper()
	if _, err := f.Provider.Act(terminal, action); err != nil {
		f.t.Fatal(err)
	}
	if err := f.Auditor.WaitStored(f.ctx, terminal, order, status); err != nil {
		f.t.Fatal(err)
	}
}

// skip has the consumer skip so many sessions.
func (f *faulty) skip(n uint64) {
	f.t.Helper()
	if err := f.Skip(f.ctx, n); err != nil {
		f.t.Fatal(err)
	}
}

// locked tells whether a session locks the terminal.
func (f *faulty) locked(terminal string) bool {
	stream, err := f.js.Stream(f.ctx, "POS_SESSIONS")
	if err != nil {
		return false
	}
	_, err = stream.GetLastMsgForSubject(f.ctx, "pos."+terminal+".session")
	return err == nil
}

// repaired waits until a sweep, or the replica itself, has counted a repair.
func (f *faulty) repaired(finding string) {
	f.t.Helper()
	processtest.Until(f.t, time.Minute, finding+" is counted", func() bool {
		var sum float64
		for _, r := range f.replicas {
			sum += r.Metric(f.t, "pos_bridge_sweep_repairs_total", fmt.Sprintf("finding=%q", finding))
		}
		return sum > 0
	})
}

// named waits until the readiness of a replica names a trouble, and returns a function
// that waits until all are ready again.
func (f *faulty) named(condition string) (ready func()) {
	f.t.Helper()
	processtest.Until(f.t, time.Minute, "/readyz names "+condition, func() bool {
		for _, r := range f.replicas {
			if _, body, err := r.Get("/readyz"); err == nil && strings.Contains(body, `"condition":"`+condition+`"`) {
				f.t.Logf("%s: %s", r.ID, strings.TrimSpace(body))
				return true
			}
		}
		return false
	})
	return func() {
		for _, r := range f.replicas {
			r.WaitReady(f.t)
		}
	}
}

// within fails the test if something takes longer than a minute, and logs how long.
func (f *faulty) within(what string, do func()) {
	f.t.Helper()
	began := time.Now()
	do()
	took := time.Since(began)
	f.t.Logf("%s after %s", what, took.Round(time.Millisecond))
	if took > time.Minute {
		f.t.Errorf("%s took %s", what, took)
	}
}

// A sweep takes a session that JetStream never delivers. It also removes the session of a
// payment that is over, whose acknowledgement did not stick: its terminal was locked.
func TestASweepRepairsTheQueue(t *testing.T) {
	t.Parallel()
	f := setupFaulty(t)
	f.start("T00001", "A")
	stream, err := f.js.Stream(f.ctx, "POS_SESSIONS")
	if err != nil {
		t.Fatal(err)
	}
	over, err := stream.GetLastMsgForSubject(f.ctx, "pos.T00001.session")
	if err != nil {
		t.Fatal(err)
	}
	f.act("T00001", "A", simulator.ActApprove, "completed")
	processtest.Until(t, time.Minute, "the terminal is free", func() bool { return !f.locked("T00001") })
	f.skip(2)
	if _, err := f.js.Publish(f.ctx, "pos.T00001.session", over.Data); err != nil {
		t.Fatal(err)
	}
	named := make(chan func(), 1)
	go func() { named <- f.named("sweep") }()
	f.within("the start was answered", func() { f.start("T00002", "B") })
	f.within("the terminal was free", func() {
		processtest.Until(t, time.Minute, "the terminal is free again", func() bool { return !f.locked("T00001") })
	})
	(<-named)()
	f.repaired("undelivered")
	f.repaired("ended")
	f.act("T00002", "B", simulator.ActApprove, "completed")
	f.start("T00001", "C")
	f.act("T00001", "C", simulator.ActApprove, "completed")
	f.Close(t)
}

// A consumer that is ahead of its stream would not deliver the next hundred sessions.
func TestAConsumerIsAheadOfItsStream(t *testing.T) {
	t.Parallel()
	f := setupFaulty(t)
	f.start("T00001", "A")
	f.skip(100)
	named := make(chan func(), 1)
	go func() { named <- f.named("jetstream") }()
	f.within("the start was answered", func() { f.start("T00002", "B") })
	(<-named)()
	f.repaired("consumer_ahead")
	f.act("T00002", "B", simulator.ActApprove, "completed")
	f.act("T00001", "A", simulator.ActApprove, "completed")
	f.Close(t)
}

// The server loses the end of a payment, which it had acknowledged.
func TestAFinalStatusIsLost(t *testing.T) {
	t.Parallel()
	f := setupFaulty(t)
	f.start("T00001", "A")
	f.act("T00001", "A", simulator.ActTap, "initialized")
	f.NATS[0].Lose(t, func() {
		f.act("T00001", "A", simulator.ActApprove, "completed")
		processtest.Until(t, time.Minute, "the terminal is free", func() bool { return !f.locked("T00001") })
		f.seen()
	}, "POS_STATUS")
	f.within("the final status was stored again", func() {
		if err := f.Auditor.WaitStored(f.ctx, "T00001", "A", "completed"); err != nil {
			t.Error(err)
		}
	})
	f.repaired("statuses_lost")
	for _, r := range f.replicas {
		r.WaitReady(t)
	}
	f.start("T00001", "B")
	f.act("T00001", "B", simulator.ActApprove, "completed")
}

// The server loses the session of an open payment: its terminal is locked again.
func TestTheLockOfAnOpenPaymentIsLost(t *testing.T) {
	t.Parallel()
	f := loseOpenPayment(t, "unqueued", "POS_SESSIONS")
	f.Close(t)
}

// The server loses everything about an open payment. Its owner still follows it.
func TestEverythingAboutAnOpenPaymentIsLost(t *testing.T) {
	t.Parallel()
	loseOpenPayment(t, "statuses_lost", "POS_STATUS", "POS_SESSIONS")
}

// loseOpenPayment has the server lose what streams store about an open payment. That is
// found and repaired, the payment ends, and its terminal takes the next one.
func loseOpenPayment(t *testing.T, finding string, streams ...string) *faulty {
	t.Helper()
	f := setupFaulty(t)
	f.NATS[0].Lose(t, func() {
		f.start("T00001", "A")
		f.act("T00001", "A", simulator.ActTap, "initialized")
		f.seen()
	}, streams...)
	f.within("the terminal was locked again", func() {
		processtest.Until(t, time.Minute, "the terminal is locked", func() bool { return f.locked("T00001") })
	})
	f.repaired(finding)
	f.act("T00001", "A", simulator.ActApprove, "completed")
	for _, r := range f.replicas {
		r.WaitReady(t)
	}
	f.start("T00001", "B")
	f.act("T00001", "B", simulator.ActApprove, "completed")
	return f
}
