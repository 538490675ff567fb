package bridge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/subjects"
)

// TestJunkHurtsNoPayment sends 2,000 commands of junk per second while
// payments go on: each payment takes its whole course.
func TestJunkHurtsNoPayment(t *testing.T) {
	payments := 6
	perSecond := rate.Limit(2_000)
	if testing.Short() { // beside the race detector, which takes ten times as long
		payments, perSecond = 2, 200
	}
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run(func(c *bridge.Config) { // a busy machine is slow, which is not what is tested here
		c.Timing.StartDeadline, c.Timing.RequestTimeout, c.Timing.ReplicaTTL = 20*time.Second, 15*time.Second, 10*time.Second
	})
	junk := []string{
		"", "{", "null", "[]", `"x"`, "\x00\xff", `{"order_id":"a"}`, `{"order_id":1,"terminal_id":"T"}`,
		`{"order_id":"a","terminal_id":"*","amount":1,"currency":"EUR"}`, `{"order_id":"../x y","terminal_id":">","amount":1,"currency":"EUR"}`,
		`{"order_id":"a","terminal_id":"T1","amount":-1,"currency":"EUR"}`, `{"order_id":"a","order_id":"b"}`,
		strings.Repeat(`{"a":`, 2000), `{"order_id":"` + strings.Repeat("x", 20_000) + `"}`,
	}
	targets := []string{
		b.space.Command(subjects.Start), b.space.Command(subjects.Cancel), b.space.Command(subjects.Get),
		"pos.SIM00001.payment.start", "pos.%.payment.start", "pos.SIM00002.payment.get",
	}
	flood := natstest.Connect(t, b.natsURL)
	stop := make(chan struct{})
	var sent int
	var sender sync.WaitGroup
	sender.Go(func() {
		limit := rate.NewLimiter(perSecond, 200)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if limit.Wait(b.ctx) != nil {
				return
			}
			// Half of them want an answer, at an inbox that nobody reads.
			msg := nats.NewMsg(targets[i%len(targets)])
			msg.Data = []byte(junk[i%len(junk)])
			if i%2 == 0 {
				msg.Reply = "_INBOX.junk"
			}
			if err := flood.PublishMsg(msg); err != nil {
				t.Errorf("send junk: %v", err)
				return
			}
			sent++
		}
	})
	began := time.Now()
	for i := range payments {
		terminal := terminal1
		if i%2 == 1 {
			terminal = terminal2
		}
		id := fmt.Sprintf("real-%d", i)
		b.start(order(id, terminal))
		b.await(id, "initialized")
		b.act(terminal, simulator.ActDecline)
		b.await(id, "initialized", "declined")
		b.act(terminal, simulator.ActTap)
		b.await(id, "initialized", "declined", "initialized")
		b.act(terminal, simulator.ActApprove)
		b.await(id, "initialized", "declined", "initialized", "completed")
	}
	took := time.Since(began)
	close(stop)
	sender.Wait()
	t.Logf("%d payments of 4 statuses in %s beside %d commands of junk (%.0f/s)", payments, took.Round(time.Millisecond), sent, float64(sent)/took.Seconds())
}
