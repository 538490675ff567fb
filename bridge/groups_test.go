package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// twoGroups are a simulator's: two keys, two terminals each.
func twoGroups() simulator.Options {
	return simulator.Options{Groups: []simulator.Group{
		{ID: "1", APIKey: "key-one", Terminals: []string{"A1", "A2"}},
		{ID: "2", APIKey: "key-two", Terminals: []string{"B1", "B2"}},
	}}
}

// groupsFile writes BRIDGE_TERMINAL_GROUPS_FILE.
func groupsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withGroups has a replica read the file instead of having one key.
func withGroups(path string) func(*bridge.Config) {
	return func(c *bridge.Config) { c.Provider.GroupsFile, c.Provider.Key = path, redact.Secret{} }
}

// withTerminals has the provider list other terminals than it serves: those of
// each key.
func (b *bundle) withTerminals(terminals func(key string) []string) {
	b.t.Helper()
	simulated := b.sim.Handler()
	b.apiURL = serve(b.t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/json/terminals" {
			simulated.ServeHTTP(w, r)
			return
		}
		list := []fields{}
		for _, id := range terminals(r.URL.Query().Get("api_key")) {
			list = append(list, fields{"id": id, "active": true})
		}
		_ = json.NewEncoder(w).Encode(fields{"success": true, "data": list, "pager": fields{"total_items": len(list)}})
	})) + "/v1/json"
}

// A terminal that the provider lists in two groups is refused: the wrong one's
// key would lose the order. The log says it once.
func TestTerminalInTwoGroups(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: twoGroups()})
	b.withTerminals(func(key string) []string {
		if key == "key-one" {
			return []string{"A1", "A2"}
		}
		return []string{"B1", "B2", "A1"}
	})
	r := b.run(withGroups(groupsFile(t, "groups:\n  - {id: one, api_key: key-one}\n  - {id: two, api_key: key-two}\n")))
	for range 3 {
		if e := b.do("pos.payment.start", order("a", "A1")).failed(schema.UnknownTerminal); !strings.Contains(e.Message, "one, two") {
			t.Errorf("%q does not name the groups", e.Message)
		}
	}
	if got := strings.Count(r.logs.String(), "Refused a terminal"); got != 1 {
		t.Errorf("said %d times in the log, want once", got)
	}
	b.start(order("b", "A2"))
	b.await("b", "initialized", "completed")
}

// A payment goes on with the key that made its order, also at another replica,
// although its terminal has got into a second group meanwhile.
func TestOpenPaymentKeepsItsGroup(t *testing.T) {
	t.Parallel()
	o := twoGroups()
	o.Manual = true
	b := setup(t, options{simulator: o})
	var shared atomic.Bool
	b.withTerminals(func(key string) []string {
		if key == "key-one" || shared.Load() {
			return []string{"A1"}
		}
		return []string{"B1"}
	})
	groups := withGroups(groupsFile(t, "groups:\n  - {id: two, api_key: key-two}\n  - {id: one, api_key: key-one}\n"))
	first := b.run(groups)
	b.start(order("a", "A1"))
	b.await("a", "initialized")
	shared.Store(true)
	first.drain()
	b.act("A1", simulator.ActDecline) // nobody hears it
	b.run(groups)
	b.await("a", "initialized", "declined")
	b.do("pos.payment.start", order("b", "A1")).failed(schema.UnknownTerminal)
	b.cancel("A1", "a")
	b.await("a", "initialized", "declined", "cancelled")
}

// The file is read again when it changes; one that cannot be used leaves the
// old one in force.
func TestTerminalGroupsFileChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: twoGroups()})
	path := groupsFile(t, "groups:\n  - {id: one, api_key: key-one, terminals: [A1]}\n")
	r := b.run(withGroups(path))
	b.do("pos.payment.start", order("b", "B1")).failed(schema.UnknownTerminal)
	if err := os.WriteFile(path, []byte("groups: [nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.waitMetric(`pos_bridge_terminal_groups_reloads_total{result="error"}`, "1")
	b.start(order("a", "A1"))
	two := fmt.Sprintf("groups:\n  - {id: one, api_key: key-one, terminals: [A1]}\n  - {id: two, api_key: %s, terminals: [B1]}\n", "key-two")
	if err := os.WriteFile(path, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	r.waitMetric(`pos_bridge_terminal_groups_reloads_total{result="ok"}`, "1")
	b.start(order("b", "B1"))
	b.await("a", "initialized", "completed")
	b.await("b", "initialized", "completed")
}
