package bridge_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// "nats micro ls|info|stats" know the service.
func TestMicroService(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run()
	b.start(order("a", terminal1))
	b.do("pos.payment.get", `nonsense`).failed(schema.InvalidRequest)
	for _, subject := range []string{"$SRV.PING", "$SRV.PING.pos-bridge"} {
		var ping micro.Ping
		ask(b, subject, &ping)
		if ping.Name != "pos-bridge" || ping.Version != "1.2.3" || ping.Type != micro.PingResponseType || ping.Metadata["replica"] != r.id {
			t.Errorf("%s: got %+v", subject, ping)
		}
	}
	var info micro.Info
	ask(b, "$SRV.INFO.pos-bridge", &info)
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject)
		if e.QueueGroup != "pos-bridge" {
			t.Errorf("%s: queue group %q", e.Subject, e.QueueGroup)
		}
		for _, name := range []string{"request_schema", "reply_schema", "error_schema"} {
			if !slices.Contains(schema.Names(), e.Metadata[name]) {
				t.Errorf("%s: %s is %q, which is no schema", e.Subject, name, e.Metadata[name])
			}
		}
	}
	slices.Sort(subjects)
	want := []string{
		"pos.*.payment.cancel", "pos.*.payment.get", "pos.*.payment.start",
		"pos.payment.cancel", "pos.payment.get", "pos.payment.list", "pos.payment.start",
	}
	if !slices.Equal(subjects, want) {
		t.Errorf("got %q, want %q", subjects, want)
	}
	var stats micro.Stats
	ask(b, "$SRV.STATS.pos-bridge", &stats)
	requests := 0
	for _, e := range stats.Endpoints {
		requests += e.NumRequests
	}
	if requests != 2 {
		t.Errorf("the endpoints counted %d requests, want 2", requests)
	}
}

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
