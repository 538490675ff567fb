package client_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// TestMain fails when a test leaves a goroutine behind. More tests run at a time than there
// are processors, because most of them wait.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m)
}

// never is an interval at which nothing happens by itself in a test.
const never = time.Hour

// stand is a server with a stand-in bridge, and a client whose connection can be cut.
type stand struct {
	bridge *bridgetest.Bridge
	wire   *bridgetest.Wire
	nc     *nats.Conn
	client *client.Client
}

func setup(t *testing.T, handlers bridgetest.Handlers, options bridgetest.Options, change ...func(*client.Options)) stand {
	t.Helper()
	server := natstest.Run(t)
	wire := bridgetest.RunWire(t, server.URL())
	bridge := bridgetest.Run(t, server.URL(), handlers, options)
	nc := natstest.Connect(t, wire.URL(), nats.ReconnectBufSize(-1))
	change = append([]func(*client.Options){func(o *client.Options) { o.Prefix = options.Prefix }}, change...)
	return stand{bridge, wire, nc, newClient(t, nc, change...)}
}

// newClient makes a client that looks for nothing by itself.
func newClient(t *testing.T, nc *nats.Conn, change ...func(*client.Options)) *client.Client {
	t.Helper()
	options := client.Options{Every: never, SettleWindow: 20 * time.Millisecond}
	for _, f := range change {
		f(&options)
	}
	c, err := client.New(nc, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// often lets a client look all the time for what it has missed.
func often(o *client.Options) { o.Every = 20 * time.Millisecond }

// limited is a context that ends before a test may hang.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bridgetest.Limit)
	t.Cleanup(cancel)
	return ctx
}

// rights is a server with a user "me" of few rights and a user for the bridge.
func rights(t *testing.T, publish, subscribe []string) (bus *client.Client, bridge *bridgetest.Bridge) {
	t.Helper()
	list := func(subjects []string) string { return `["` + strings.Join(subjects, `","`) + `"]` }
	s := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`authorization { users: [
		{ user: bridge, password: bridge },
		{ user: me, password: me, permissions: { publish: %s, subscribe: %s } } ] }`, list(publish), list(subscribe))))
	bridge = bridgetest.Run(t, strings.Replace(s.URL(), "://", "://bridge:bridge@", 1), bridgetest.Handlers{}, bridgetest.Options{Silent: true})
	nc := natstest.Connect(t, s.URL(), nats.UserInfo("me", "me"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	return newClient(t, nc, often), bridge
}

// follow follows until the test ends.
func follow(t *testing.T, bus *client.Client, options client.FollowOptions) *client.Following {
	t.Helper()
	ctx, cancel := context.WithCancel(limited(t))
	f, err := bus.Follow(ctx, options)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for range f.Updates() { // what nobody waits for any more
		}
	})
	return f
}

// describe writes an update in a few words.
func describe(u client.Update) string {
	switch u := u.(type) {
	case client.Status:
		text := fmt.Sprintf("%s/%s %d %s", u.TerminalID, u.OrderID, u.Sequence, u.Status)
		if u.Asked {
			text = "asked " + text
		}
		if u.Missed > 0 {
			text += fmt.Sprintf(", %d missed", u.Missed)
		}
		return text
	case client.Invalid:
		return fmt.Sprintf("invalid %s/%s %s", u.TerminalID, u.OrderID, u.Reason)
	case client.Unknown:
		return "unknown"
	case client.Link:
		return fmt.Sprintf("link %t blind %t", u.Up, u.Blind)
	case client.Trouble:
		return "trouble: " + u.Err.Error()
	}
	return fmt.Sprintf("%#v", u)
}

// expect takes as many updates as are wanted and compares them.
func expect(t *testing.T, f *client.Following, want ...string) {
	t.Helper()
	limit := time.NewTimer(bridgetest.Limit)
	defer limit.Stop()
	var got []string
	for len(got) < len(want) {
		select {
		case u, ok := <-f.Updates():
			if !ok {
				t.Fatalf("got %q and the end (%v), want %q", got, f.Err(), want)
			}
			got = append(got, describe(u))
		case <-limit.C:
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}
