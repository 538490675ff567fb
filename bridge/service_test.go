package bridge_test

import (
	"encoding/json"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

func ask(b *bundle, subject string, v any) {
	b.t.Helper()
	r := b.do(subject, "")
	if err := json.Unmarshal(r.body, v); err != nil {
		b.t.Fatalf("%s: %v in %s", subject, err, r.body)
	}
}

// Any replica answers a command, each of them once.
func TestReplicasShareTheCommands(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first, second := b.run(), b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	got := b.getOrder(terminal1, "a")
	got.UpdatedAt = got.StartedAt
	const gets = 40
	for range gets {
		again := b.getOrder(terminal1, "a")
		again.UpdatedAt = again.StartedAt
		if again != got {
			t.Errorf("the replicas differ: %+v and %+v", got, again)
		}
	}
	const line = `pos_bridge_commands_total{code="ok",command="get"}`
	if first.metric(line) == "0" || second.metric(line) == "0" {
		t.Errorf("one replica answered all: %s and %s", first.metric(line), second.metric(line))
	}
}

// While a replica drains, the others go on; alone it says that it is going.
func TestCommandsWhileDraining(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run()
	b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	done := make(chan struct{})
	go func() {
		defer close(done)
		first.stop()
		<-first.done
	}()
	for finished := false; !finished; {
		select {
		case <-done:
			finished = true
		default:
		}
		r, err := b.try("pos.payment.get", fields{"order_id": "a", "terminal_id": terminal1})
		if err != nil {
			t.Fatalf("a command was lost: %v", err)
		}
		switch code := r.header.Get(schema.HeaderErrorCode); code {
		case "":
		case "503":
			r.failed(schema.ShuttingDown)
		default:
			t.Fatalf("got %s: %s", code, r.body)
		}
	}
}
