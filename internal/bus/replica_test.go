package bus_test

import (
	"errors"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
)

func TestReplicasAskEachOther(t *testing.T) {
	t.Parallel()
	a := ready(t, "")
	b := a.another()
	if _, err := a.AskReplica(t.Context(), "B", nil); !errors.Is(err, bus.ErrNoResponders) {
		t.Fatalf("got %v, want no responders", err)
	}
	stop, err := b.ServeReplica("B", func(question []byte, reply func([]byte)) { reply(append(question, '!')) })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if got := must(a.AskReplica(t.Context(), "B", []byte("there")))(t); string(got) != "there!" {
		t.Errorf("got %q", got)
	}
	stop()
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AskReplica(t.Context(), "B", nil); !errors.Is(err, bus.ErrNoResponders) {
		t.Fatalf("got %v, want no responders", err)
	}
}
