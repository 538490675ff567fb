package bus_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
)

// skip makes the consumer skip what is in the queue, and n sessions that come: a fault
// that nats-server has had in many forms.
func (b *bundle) skip(n uint64) {
	b.t.Helper()
	last := must(b.js.Stream(b.t.Context(), "POS_SESSIONS"))(b.t).CachedInfo().State.LastSeq
	body := must(json.Marshal(map[string]uint64{"seq": last + 1 + n}))(b.t)
	if answer := must(b.nc.Request("$JS.API.CONSUMER.RESET.POS_SESSIONS.bridge", body, patience))(b.t); strings.Contains(string(answer.Data), `"error"`) {
		b.t.Fatalf("%s", answer.Data)
	}
}

// A consumer that is ahead of its stream is set back, and nobody loses a session.
func TestAConsumerAheadOfItsStream(t *testing.T) {
	both(t, func(t *testing.T, b *bundle) {
		got, _ := deliveries(t, b.Bus)
		followed := must(b.Enqueue(t.Context(), session("T1", "A")))(t)
		if d := receive(t, got); d.Seq != followed {
			t.Fatalf("got %+v", d)
		}
		b.skip(100)
		lost := must(b.Enqueue(t.Context(), session("T2", "B")))(t)
		if _, err := b.Ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "ahead of its stream") {
			t.Fatalf("got %v", err)
		}
		if len(got) > 0 {
			t.Fatalf("delivered %+v", <-got)
		}
		if made := must(b.Ensure(t.Context()))(t); made != (bus.Made{Reset: true}) {
			t.Errorf("got %+v", made)
		}
		seen := map[uint64]bool{}
		for len(seen) < 2 {
			seen[receive(t, got).Seq] = true
		}
		if !seen[lost] || !seen[followed] {
			t.Errorf("got %v, want %d and %d", seen, lost, followed)
		}
		must(b.Ensure(t.Context()))(t)
		next := must(b.Enqueue(t.Context(), session("T3", "C")))(t)
		for receive(t, got).Seq != next { //nolint:revive // the others may come again
		}
	})
}

// Without the right to set it back, the trouble is named.
func TestAConsumerThatCannotBeSetBack(t *testing.T) {
	t.Parallel()
	url := accountsWithout(t, "$JS.API.CONSUMER.RESET.>")
	b := ready(t, url)
	b.skip(100)
	must(b.Enqueue(t.Context(), session("T2", "B")))(t)
	without := b.another(func(o *bus.Options) { o.URLs = strings.Replace(url, "//", "//bridge:bridge@", 1) })
	for range 2 {
		if _, err := without.Ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "99 sessions ahead") {
			t.Errorf("got %v", err)
		}
	}
}
