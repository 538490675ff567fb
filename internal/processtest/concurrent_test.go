package processtest_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// Thirty identical starts at once, through two replicas: one order at the
// provider, one answer that says created, and all the same session.
func TestThirtyIdenticalStarts(t *testing.T) {
	t.Parallel()
	const starts, rounds = 30, 3
	s := processtest.NewScene(t, processtest.SceneOptions{Provider: simulator.Options{Manual: true}})
	replicas := []*processtest.Replica{s.Serve(t, "a"), s.Serve(t, "b")}
	ctx := processtest.Context(t)
	terminal := s.Terminals[0]
	for round := range rounds {
		order := fmt.Sprintf("order-%d", round)
		// The provider takes its time, so that all of them are there before it answers.
		if _, err := s.Provider.SetFault(simulator.Fault{Name: simulator.FaultSlowAPI, Operation: simulator.OpCreate, Delay: 300 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		replies := make([]processtest.Reply, starts)
		var group sync.WaitGroup
		for i := range replies {
			subject := "pos.payment.start"
			if i%2 == 1 {
				subject = "pos." + terminal + ".payment.start"
			}
			group.Go(func() {
				reply, err := processtest.Ask(ctx, s.Conn, subject, processtest.NewStart(terminal, order, ""), time.Minute)
				if err != nil {
					t.Errorf("start %d: %v", i, err)
				}
				replies[i] = reply
			})
		}
		group.Wait()
		made, ok := s.Provider.Order(order)
		if !ok || made.Calls.Create != 1 || made.Calls.Made != 1 {
			t.Errorf("the provider was asked for %d creates, want 1", made.Calls.Create)
		}
		created := 0
		for i, r := range replies {
			if r.Error != nil {
				t.Errorf("start %d: %+v", i, *r.Error)
				continue
			}
			if r.Created {
				created++
			}
			if r.SessionID != made.SessionID || r.OrderID != order || r.TerminalID != terminal {
				t.Errorf("start %d: %+v, want session %s", i, r, made.SessionID)
			}
		}
		if created != 1 {
			t.Errorf("%d answers say created, want 1", created)
		}
		if _, err := s.Provider.Act(terminal, simulator.ActApprove); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Auditor.WaitHeard(ctx, order, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range replicas {
		t.Logf("replica %s answered %v starts", r.ID, r.Metric(t, "pos_bridge_commands_total", `code="ok",command="start"`))
	}
	s.Close(t)
}
