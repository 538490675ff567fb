package bus_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/subjects"
)

// The stream of a prefix takes nothing that a bridge with a longer prefix stores,
// whatever terminals and orders are called.
func TestNestedPrefixesStoreApart(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	eu := must(subjects.New("pos.eu"))(t)
	nested := b.another(func(o *bus.Options) { o.Space = eu })
	must(nested.Ensure(t.Context()))(t)
	heard := must(b.nc.SubscribeSync("pos.*.*.status"))(t)
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, terminal := range []string{"journal", "session", "payment", "T1"} {
		for _, order := range []string{"journal", "session", "payment", "A"} {
			last := must(bus.Wait(t.Context(), func(done bus.Published) {
				nested.AppendClaim(t.Context(), terminal, order, claim(terminal, order, 1), 0, done)
			}))(t)
			s := status(order, "completed", 1)
			s.Event.TerminalID = terminal
			must(appendStatus(t.Context(), nested, s, last))(t)
		}
	}
	must(b.AppendStatus(t.Context(), status("own", "completed", 1), 0))(t)
	if m := must(heard.NextMsg(patience))(t); m.Subject != "pos.T1.own.status" {
		t.Errorf("subscribers of pos.*.*.status got %s", m.Subject)
	}
	if info := must(must(b.js.Stream(t.Context(), "POS_STATUS"))(t).Info(t.Context()))(t); info.State.Msgs != 1 {
		t.Errorf("the stream has %d messages, want its own one", info.State.Msgs)
	}
}

// accountsWithout runs a server on which the user "bridge" has no right to a subject.
func accountsWithout(t *testing.T, subject string) (url string) {
	t.Helper()
	return natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`
		accounts { A { jetstream: enabled, users: [
			{ user: all, password: all }
			{ user: bridge, password: bridge, permissions: { publish: { deny: [ %q ] } } }
		] } }
		no_auth_user: all
	`, subject))).URL()
}

// A bridge finds those whose prefix is its own and one token more, also without the
// right to look for them: then it finds none, and complains about nothing.
func TestNestedPrefixesAreFound(t *testing.T) {
	t.Parallel()
	url := accountsWithout(t, "$JS.API.STREAM.NAMES")
	b := ready(t, url)
	for _, prefix := range []string{"pos.eu", "pos.a_b", "post", "other.eu"} {
		must(b.another(func(o *bus.Options) { o.Space = must(subjects.New(prefix))(t) }).Ensure(t.Context()))(t)
	}
	must(b.Ensure(t.Context()))(t)
	for terminal, want := range map[string]bool{"eu": true, "a_b": true, "north": false, "T1": false, "t": false, "status": false} {
		if got := b.Nested(terminal); got != want {
			t.Errorf("%s: got %v, want %v", terminal, got, want)
		}
	}
	complaints := make(chan error, 9)
	without := b.another(func(o *bus.Options) {
		o.URLs, o.Events.Error = strings.Replace(url, "//", "//bridge:bridge@", 1), func(err error) { complaints <- err }
	})
	must(without.Ensure(t.Context()))(t)
	if must(without.Ensure(t.Context()))(t); without.Nested("eu") || len(complaints) > 0 {
		t.Errorf("got %v, %d complaints", without.Nested("eu"), len(complaints))
	}
}

// With two tokens more the streams would overlap. NATS refuses that, and the line
// names the variable.
func TestAPrefixTwoTokensLonger(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	_, err := b.another(func(o *bus.Options) { o.Space = must(subjects.New("pos.eu.north"))(t) }).Ensure(t.Context())
	checkUnfit(t, err, "POS_EU_NORTH_SESSIONS", "overlap", "BRIDGE_SUBJECT_PREFIX")
}
