package bus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
)

// A user who may do what Rights lists, and nothing else, can do everything.
func TestTheRightsSuffice(t *testing.T) {
	t.Parallel()
	permissions := map[bool][]string{}
	for _, r := range setup(t, "").Rights() {
		subject := strings.NewReplacer("bridge-check", "*", "1.1.1.1.1", ">").Replace(r.Subject)
		permissions[r.Subscribe] = append(permissions[r.Subscribe], fmt.Sprintf("%q", subject))
	}
	url := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`
		accounts { A { jetstream: enabled, users: [
			{ user: all, password: all }
			{ user: bridge, password: bridge, permissions: { publish: [ %s ], subscribe: [ %s ] } }
		] } }
		no_auth_user: all
	`, strings.Join(permissions[false], ", "), strings.Join(permissions[true], ", ")))).URL()
	b := setup(t, url)
	refused := make(chan error, 99)
	bridge := b.another(func(o *bus.Options) {
		o.URLs = strings.Replace(url, "//", "//bridge:bridge@", 1)
		o.Events.Error = func(err error) { refused <- err }
	})
	ctx := t.Context()
	must(bridge.Ensure(ctx))(t)
	must(bridge.Inspect(ctx))(t)
	must(bridge.Account(ctx))(t)
	stop := must(bridge.ServeReplica("me", func(q []byte, reply func([]byte)) { reply(q) }))(t)
	defer stop()
	must(bridge.AskReplica(ctx, "me", nil))(t)
	got, _ := deliveries(t, bridge)
	must(bridge.Enqueue(ctx, session("T1", "A")))(t)
	handle := receive(t, got).Handle
	last := must(bus.Wait(ctx, func(done bus.Published) { bridge.AppendClaim(ctx, "T1", "A", claim("T1", "A", 1), 0, done) }))(t)
	last = must(appendStatus(ctx, bridge, status("A", "initialized", 1), last))(t)
	must(bus.Wait(ctx, func(done bus.Published) {
		bridge.AppendInvalid(ctx, schema.InvalidEvent{TerminalID: "T1", OrderID: "A"}, last, done)
	}))(t)
	must(bridge.ReadLog(ctx, "T1", "A", true))(t)
	must(bridge.ReadLogFast(ctx, "T1", "A", false))(t)
	must(bridge.QueuedTerminals(ctx))(t)
	must(bridge.Queued(ctx, "T1"))(t)
	entries := make(chan bus.Entry, 9)
	go func() { _ = bridge.Watch(ctx, time.Time{}, func(e bus.Entry) { entries <- e }, func(uint64) {}) }()
	receive(t, entries)
	for _, err := range []error{bridge.InProgress(handle), bridge.Nak(handle), bridge.Ack(ctx, handle)} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := bridge.DeleteSession(ctx, must(bridge.Enqueue(ctx, session("T2", "A")))(t)); err != nil {
		t.Error(err)
	}
	for _, r := range bridge.Rights() {
		if may, err := bridge.May(ctx, r); err != nil || !may {
			t.Errorf("may %s %s: %v, %v", r.Verb(), r.Subject, may, err)
		}
	}
	if may, err := bridge.May(ctx, bus.Right{Subject: "pos.T1.A.status"}); err != nil || may {
		t.Errorf("may publish what only the stream publishes: %v, %v", may, err)
	}
	for len(refused) > 0 {
		if err := <-refused; !strings.Contains(err.Error(), "with Reply of") && !strings.Contains(err.Error(), "pos.T1.A.status") {
			t.Error(err)
		}
	}
}

// A user who may not lock terminals or store statuses cannot serve commands, although
// everything else works.
func TestPublishingThatIsForbidden(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"pos.*.session", "pos.*.*.journal.*"} {
		url := accountsWithout(t, subject)
		b := ready(t, url)
		complaints := make(chan error, 9)
		without := b.another(func(o *bus.Options) {
			o.URLs, o.Events.Error = strings.Replace(url, "//", "//bridge:bridge@", 1), func(err error) { complaints <- err }
		})
		var err error
		until(t, func() bool {
			_, err = without.Ensure(t.Context())
			return err != nil
		})
		checkUnfit(t, err, "NATS permissions", strings.ReplaceAll(strings.Replace(subject, "journal.*", "journal.status", 1), "*", "bridge-check"), "deploy/nats")
		if len(complaints) > 0 {
			t.Error(<-complaints)
		}
	}
}
