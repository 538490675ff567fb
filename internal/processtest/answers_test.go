package processtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// unanswered is how long a requester waits before it gives up.
const unanswered = 40 * time.Second

// Replicas stop and start again all the time while many ask. Every request that has
// reached one is answered: nobody waits in vain. Without any replica NATS itself says
// at once that nobody listens.
func TestEveryRequestIsAnsweredDuringStops(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string][]string{"one replica": {"a"}, "two replicas": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const requesters = 32
			stops := processtest.Count(t, "BRIDGE_STOPS", 6, 60)
			s := processtest.NewScene(t, processtest.SceneOptions{Terminals: requesters, Provider: simulator.Options{Pace: 20}})
			f := s.NewFleet(t)
			for _, id := range ids {
				f.Start(id)
			}
			var c answers
			ctx, stop := context.WithCancel(t.Context())
			var work sync.WaitGroup
			for _, terminal := range s.Terminals {
				conn := processtest.Connect(t, processtest.URLs(s.NATS))
				work.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						c.ask(t, conn, terminal, n)
					}
				})
			}
			for i := range stops {
				before := c.asked.Load()
				processtest.Until(t, exitLimit, "requests come", func() bool { return c.asked.Load() > before+500 })
				f.Upgrade(ids[i%len(ids)], processtest.Version) // drains it, and starts another one
			}
			stop()
			work.Wait()
			t.Logf("%d requests during %d stops: %d answered, %d of them refused as shutting down; nobody listened to %d",
				c.asked.Load(), stops, c.answered.Load(), c.refused.Load(), c.nobody.Load())
			if c.answered.Load() == 0 || len(ids) > 1 && c.nobody.Load() > 0 {
				t.Error("with two replicas somebody always listens")
			}
			s.Close(t)
		})
	}
}

// answers counts what became of requests.
type answers struct{ asked, answered, refused, nobody atomic.Int64 }

// ask sends one request: mostly questions, now and then a payment.
func (c *answers) ask(t *testing.T, conn *nats.Conn, terminal string, n int) {
	order := fmt.Sprintf("%s-%d", terminal, n/200)
	subject, request := "pos.payment.get", any(map[string]string{"terminal_id": terminal, "order_id": order})
	switch n % 200 {
	case 0:
		subject, request = "pos.payment.start", processtest.NewStart(terminal, order, "approve")
	case 10, 20, 30:
		subject = "pos." + terminal + ".payment.cancel"
	case 40:
		subject, request = "pos.payment.list", map[string]string{}
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Error(err)
		return
	}
	c.asked.Add(1)
	answer, err := conn.Request(subject, body, unanswered)
	var reply processtest.Reply
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		c.nobody.Add(1)
		return
	case err != nil:
		t.Errorf("%s of %s: %v", subject, order, err)
		return
	case json.Unmarshal(answer.Data, &reply) != nil:
		t.Errorf("%s of %s: answered %s", subject, order, answer.Data)
	}
	c.answered.Add(1)
	if reply.Error != nil && reply.Error.Code == "shutting_down" {
		c.refused.Add(1)
	}
}
