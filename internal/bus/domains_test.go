package bus_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// leafNode runs a hub and a leaf node, each with a JetStream domain of its own.
func leafNode(t *testing.T) (hub, leaf *natsserver.Server) {
	t.Helper()
	hub = natstest.Run(t, natstest.WithConfig(`jetstream { domain: hub }, leafnodes { host: 127.0.0.1, port: -1 }, server_name: hub`))
	leaf = natstest.Run(t, natstest.WithConfig(fmt.Sprintf(
		`jetstream { domain: leaf }, server_name: leaf, leafnodes { remotes: [ { url: "nats-leaf://127.0.0.1:%d" } ] }`,
		must(hub.Server().Varz(nil))(t).LeafNode.Port)))
	until(t, func() bool { return hub.Server().NumLeafNodes() == 1 })
	return hub, leaf
}

func inDomain(name string) func(*bus.Options) { return func(o *bus.Options) { o.Domain = name } }

// A message that another JetStream domain acknowledged is not where the bridge
// reads.
func TestAnAcknowledgementFromAnotherDomain(t *testing.T) {
	t.Parallel()
	hub, leaf := leafNode(t)

	// Through the leaf node everything works in the domain of the hub.
	b := setup(t, leaf.URL(), inDomain("hub"))
	b.ensure()
	hubJS := must(jetstream.New(natstest.Connect(t, hub.URL())))(t)
	must(hubJS.Stream(t.Context(), "POS_STATUS"))(t)
	must(b.AppendClaim(t.Context(), "T1", "A", claim("T1", "A", 1), 0))(t)
	if log := must(b.ReadLog(t.Context(), "T1", "A", true))(t); log.Claim == nil {
		t.Errorf("got %+v", log)
	}
	if log := must(b.ReadLogFast(t.Context(), "T1", "A", true))(t); log.Claim == nil {
		t.Errorf("got %+v", log)
	}
	got, stop := deliveries(t, b.Bus)
	must(b.Enqueue(t.Context(), session("T1", "A")))(t)
	if err := b.Ack(t.Context(), receive(t, got).Handle); err != nil {
		t.Error(err)
	}
	stop()

	// A stream of the leaf's own domain takes what was meant for the hub's.
	if err := hubJS.DeleteStream(t.Context(), "POS_SESSIONS"); err != nil {
		t.Fatal(err)
	}
	must(b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "POS_SESSIONS", Subjects: []string{"pos.*.session"}}))(t)
	_, err := b.Enqueue(t.Context(), session("T2", "A"))
	checkUnfit(t, err, `domain "leaf"`, `domain "hub"`, "BRIDGE_NATS_JS_DOMAIN")
}

// Two domains that store everything twice are found also where the acknowledgement of
// the right one always comes first.
func TestTwoDomainsTakeTheSameSubjects(t *testing.T) {
	t.Parallel()
	for _, stream := range []jetstream.StreamConfig{
		{Name: "POS_SESSIONS", Subjects: []string{"pos.*.session"}},
		{Name: "ARCHIVE", Subjects: []string{"pos.*.*.journal.*"}},
	} {
		hub, leaf := leafNode(t)
		b := setup(t, leaf.URL(), inDomain("leaf"))
		b.ensure()
		must(b.Ensure(t.Context()))(t)
		hubJS := must(jetstream.New(natstest.Connect(t, hub.URL())))(t)
		must(hubJS.CreateStream(t.Context(), stream))(t)
		var err error
		until(t, func() bool {
			_, err = b.Ensure(t.Context())
			return err != nil
		})
		checkUnfit(t, err, "2 streams", "stored twice", "BRIDGE_NATS_JS_DOMAIN")
		if err := hubJS.DeleteStream(t.Context(), stream.Name); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool {
			_, err = b.Ensure(t.Context())
			return err == nil
		})
		if queued := must(b.QueuedTerminals(t.Context()))(t); len(queued) > 0 {
			t.Errorf("probes were stored: %q", queued)
		}
	}
}

// With a domain, or an API prefix of another account, the subjects of JetStream are
// others: no program spells them out, but for the default of an option in the client
// package, which needs nothing of JetStream's library.
func TestNoProgramSpellsTheJetStreamAPI(t *testing.T) {
	t.Parallel()
	programs := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		programs++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("$JS."+"API")) && filepath.Base(filepath.Dir(path)) != "client" {
			t.Errorf("%s has it", path)
		}
		return err
	})
	if err != nil || programs < 100 {
		t.Errorf("looked at %d files, %v", programs, err)
	}
}
