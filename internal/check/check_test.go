package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/check"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

const apiKey = "demo-key"

// configure is a configuration for a server and a provider of the test's own.
func configure(t *testing.T, natsURL, apiURL string, change ...func(*bridge.Config)) bridge.Config {
	t.Helper()
	c, err := bridge.Defaults(apiKey)
	if err != nil {
		t.Fatal(err)
	}
	c.NATS.URL, c.Provider.URL, c.HTTP.Addr = redact.NewSecret(natsURL), apiURL, "127.0.0.1:0"
	for _, f := range change {
		f(&c)
	}
	return c
}

// run checks a configuration that can be used.
func run(t *testing.T, o check.Options) *check.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	report, err := check.Run(ctx, o)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return report
}

// table is the report as people see it.
func table(t *testing.T, r *check.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// find returns the findings about a subject.
func find(r *check.Report, area, subject string) []check.Finding {
	var found []check.Finding
	for _, f := range r.Findings {
		if f.Area == area && f.Subject == subject {
			found = append(found, f)
		}
	}
	return found
}

// want holds a report to a finding of a level whose detail or advice says text.
func want(t *testing.T, r *check.Report, area, subject string, level check.Level, text string) {
	t.Helper()
	for _, f := range find(r, area, subject) {
		if f.Level == level && strings.Contains(f.Detail+" "+f.Advice, text) {
			if level != check.OK && f.Advice == "" {
				t.Errorf("%s %s: no advice: %+v", area, subject, f)
			}
			return
		}
	}
	t.Errorf("no %s on %s %s that says %q in\n%s", level, area, subject, text, table(t, r))
}

func TestCheckOfNewServerMakesNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	sim := simulatortest.Start(t, simulator.Options{})
	nc := natstest.Connect(t, server.URL())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	conf := configure(t, server.URL(), sim.APIURL)
	r := run(t, check.Options{Config: conf})
	if n := r.Count(check.Failure); n != 0 {
		t.Errorf("%d failures:\n%s", n, table(t, r))
	}
	for _, object := range []string{"stream POS_STATUS", "stream POS_SESSIONS"} {
		want(t, r, "jetstream", object, check.OK, "not there yet")
	}
	want(t, r, "jetstream", "durability", check.Warning, "sync_interval: always")
	want(t, r, "rights", "user", check.OK, "all")
	want(t, r, "provider", "group default", check.OK, "4 terminals")
	want(t, r, "clock", "provider", check.OK, "within")
	if streams := streamNames(t, js); len(streams) > 0 {
		t.Errorf("the check made %v", streams)
	}

	r = run(t, check.Options{Config: conf, Create: true})
	if n := r.Count(check.Failure); n != 0 {
		t.Errorf("%d failures:\n%s", n, table(t, r))
	}
	want(t, r, "jetstream", "stream POS_STATUS", check.OK, "1 copy, 0 messages")
	want(t, r, "jetstream", "consumer bridge", check.OK, "replicas have 0 sessions")
	want(t, r, "clock", "nats-server", check.OK, "within")
	if got, want := streamNames(t, js), []string{"POS_SESSIONS", "POS_STATUS"}; !slices.Equal(got, want) {
		t.Errorf("--create made %v, want %v", got, want)
	}
}

func streamNames(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	var names []string
	list := js.StreamNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// Rights are tried without anything reaching anybody or being stored.
func TestProbesReachNobody(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	sim := simulatortest.Start(t, simulator.Options{})
	conf := configure(t, server.URL(), sim.APIURL)
	run(t, check.Options{Config: conf, Create: true})

	nc := natstest.Connect(t, server.URL())
	watcher, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	r := run(t, check.Options{Config: conf})
	want(t, r, "rights", "user", check.OK, "all")
	if err := nc.Flush(); err != nil { // what was delivered has arrived then
		t.Fatal(err)
	}
	var seen []string
	for n, _, _ := watcher.Pending(); n > 0; n-- {
		m, err := watcher.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, m.Subject+" "+m.Header.Get(jetstream.ExpectedStreamHeader))
	}
	if len(seen) == 0 {
		t.Error("the watcher saw not even the questions to JetStream")
	}
	for _, s := range seen {
		if strings.HasPrefix(s, "$JS.EVENT.") {
			continue // what the server tells of the objects that were created before, perhaps late
		}
		if strings.Contains(s, "bridge-check") || strings.HasPrefix(s, "pos.") || strings.Contains(s, "CREATE") {
			t.Errorf("a probe was delivered: %s", s)
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range streamNames(t, js) {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().State.Msgs; n != 0 {
			t.Errorf("stream %s has %d messages after a check", name, n)
		}
	}
}

// users is a server's configuration with one user.
func users(permissions string) string {
	return `authorization { users: [ {user: bridge, password: "s3cret-word", permissions: {` + permissions + `}} ] }`
}

func withPassword(url string) string {
	return strings.Replace(url, "nats://", "nats://bridge:s3cret-word@", 1)
}

func TestRightsThatAreMissing(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t, natstest.WithConfig(users(
		`publish: {deny: ["pos.*.*.journal.status", "$JS.API.CONSUMER.MSG.NEXT.POS_SESSIONS.>", "_R_.>", "$JS.API.STREAM.CREATE.POS_STATUS"]}, subscribe: {deny: ["pos.payment.list", "pos._replica.*"]}`)))
	sim := simulatortest.Start(t, simulator.Options{})
	r := run(t, check.Options{Config: configure(t, withPassword(server.URL()), sim.APIURL)})
	want(t, r, "rights", "publish pos.bridge-check.bridge-check.journal.status", check.Failure, "publish statuses")
	want(t, r, "rights", "publish $JS.API.CONSUMER.MSG.NEXT.POS_SESSIONS.bridge", check.Failure, "receive sessions")
	want(t, r, "rights", "subscribe pos.payment.list", check.Failure, "take commands")
	want(t, r, "rights", "subscribe pos._replica.bridge-check", check.Failure, "answer other replicas")
	want(t, r, "rights", "publish $JS.API.STREAM.CREATE.POS_STATUS", check.Failure, "create its missing objects")
	want(t, r, "rights", "publish _R_.bridge-check", check.Warning, "other accounts")
	if got := r.Count(check.Failure); got != 5 {
		t.Errorf("got %d failures, want 5:\n%s", got, table(t, r))
	}
	if text := table(t, r); strings.Contains(text, "s3cret-word") || strings.Contains(text, apiKey) {
		t.Errorf("a secret is shown:\n%s", text)
	}
}

// The rights in deploy/nats are enough.
func TestRightsOfDeployAreEnough(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bridge.nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"POS_BRIDGE_NKEY", "POS_OPERATOR_NKEY", "POS_TILL_T1_NKEY", "POS_SUBSCRIBER_NKEY"} {
		t.Setenv(name, public)
		if public, err = another(); err != nil {
			t.Fatal(err)
		}
	}
	sim := simulatortest.Start(t, simulator.Options{})
	for _, name := range []string{"users.conf", "accounts.conf"} {
		t.Run(name, func(t *testing.T) {
			server := natstest.Run(t, natstest.WithConfigFile(filepath.Join("..", "..", "deploy", "nats", name)))
			conf := configure(t, server.URL(), sim.APIURL, func(c *bridge.Config) { c.NATS.NKeyFile = file })
			for _, create := range []bool{false, true} {
				r := run(t, check.Options{Config: conf, Create: create})
				want(t, r, "rights", "user", check.OK, "all")
				if r.Count(check.Failure) > 0 || len(find(r, "nats", "users")) > 0 {
					t.Errorf("create %v:\n%s", create, table(t, r))
				}
			}
		})
	}
}

func another() (string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	return pair.PublicKey()
}

func TestNATS(t *testing.T) {
	t.Parallel()
	sim := simulatortest.Start(t, simulator.Options{})
	tests := map[string]struct {
		server  []natstest.Option
		prepare func(t *testing.T, js jetstream.JetStream)
		change  func(*bridge.Config)
		area    string
		subject string
		level   check.Level
		text    string
	}{
		"JetStream is off": {
			server: []natstest.Option{natstest.WithoutJetStream()},
			area:   "jetstream", subject: "account", level: check.Failure, text: "--jetstream",
		},
		"more copies than servers": {
			change: func(c *bridge.Config) { c.NATS.Replicas = 3 },
			area:   "jetstream", subject: "stream POS_STATUS", level: check.Failure, text: "BRIDGE_JETSTREAM_REPLICAS=1",
		},
		"a stream of another name takes the subjects": {
			prepare: func(t *testing.T, js jetstream.JetStream) {
				make1(t, js, jetstream.StreamConfig{Name: "EVERYTHING", Subjects: []string{"pos.>"}})
			},
			area: "jetstream", subject: "stream POS_STATUS", level: check.Failure, text: "stream EVERYTHING takes pos.*.*.journal",
		},
		"statuses are kept for another time": {
			prepare: edited("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxAge = 48 * time.Hour }),
			area:    "jetstream", subject: "stream POS_STATUS", level: check.Warning, text: "keeps events for 48h0m0s",
		},
		"repeated messages are hardly recognised": {
			prepare: edited("POS_STATUS", func(c *jetstream.StreamConfig) { c.Duplicates = time.Second }),
			area:    "jetstream", subject: "stream POS_STATUS", level: check.Warning, text: "--dupe-window 2m0s",
		},
		"a full stream drops events": {
			prepare: edited("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxMsgs = 100 }),
			area:    "jetstream", subject: "stream POS_STATUS", level: check.Warning, text: "100 messages: it drops the oldest",
		},
		"a full queue takes no session": {
			prepare: edited("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20; c.Discard = jetstream.DiscardNew }),
			area:    "jetstream", subject: "stream POS_SESSIONS", level: check.Warning, text: "refuses to store",
		},
		"replicas have another TTL": {
			change:  func(c *bridge.Config) { c.Timing.ReplicaTTL = 20 * time.Second },
			prepare: edited("POS_STATUS", func(*jetstream.StreamConfig) {}),
			area:    "jetstream", subject: "consumer bridge", level: check.Warning, text: "waits 10s for a silent replica",
		},
		"the account has no room": {
			server: []natstest.Option{natstest.WithConfig(`accounts { A { jetstream: {max_file: 1GB, max_streams: 1}, users: [{user: a, password: a}] } }, no_auth_user: a`)},
			area:   "jetstream", subject: "account", level: check.Warning, text: "0 of 1 streams are in use, the bridge needs 2",
		},
		"the account wants limits": {
			server: []natstest.Option{natstest.WithConfig(`accounts { A { jetstream: {max_file: 1GB, max_bytes_required: true}, users: [{user: a, password: a}] } }, no_auth_user: a`)},
			area:   "jetstream", subject: "account", level: check.Failure, text: "max_bytes_required",
		},
		"messages must be short": {
			server: []natstest.Option{natstest.WithConfig("max_payload: 8192")},
			area:   "nats", subject: "max_payload", level: check.Warning, text: "256KiB",
		},
		"wrong password": {
			server: []natstest.Option{natstest.WithConfig(`authorization { user: a, password: other }`)},
			area:   "nats", subject: "connection", level: check.Failure, text: "BRIDGE_NATS_CREDS_FILE",
		},
		"TLS with a server that has none": {
			change: func(c *bridge.Config) {
				c.NATS.URL = redact.NewSecret(strings.Replace(c.NATS.URL.Reveal(), "nats://", "tls://", 1))
			},
			area: "nats", subject: "connection", level: check.Failure, text: "the server has no TLS",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Run(t, tt.server...)
			conf := configure(t, server.URL(), sim.APIURL)
			if tt.prepare != nil {
				js, err := jetstream.New(natstest.Connect(t, server.URL()))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(name, "a stream of") {
					run(t, check.Options{Config: conf, Create: true})
				}
				tt.prepare(t, js)
			}
			if tt.change != nil {
				tt.change(&conf)
			}
			want(t, run(t, check.Options{Config: conf}), tt.area, tt.subject, tt.level, tt.text)
		})
	}
}

func make1(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// edited changes a stream as an operator might.
func edited(name string, change func(*jetstream.StreamConfig)) func(*testing.T, jetstream.JetStream) {
	return func(t *testing.T, js jetstream.JetStream) {
		t.Helper()
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		change(&c)
		if _, err := js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNATSIsAway(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	url := withPassword(server.URL())
	server.Shutdown()
	sim := simulatortest.Start(t, simulator.Options{})
	r := run(t, check.Options{Config: configure(t, url, sim.APIURL), ConnectTimeout: time.Second})
	want(t, r, "nats", "connection", check.Failure, "connection refused")
	want(t, r, "provider", "group default", check.OK, "accepted")
	if text := table(t, r); strings.Contains(text, "s3cret-word") {
		t.Errorf("the password is shown:\n%s", text)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := natstest.RunCluster(t, 3)
	sim := simulatortest.Start(t, simulator.Options{})
	conf := configure(t, cluster.URL(), sim.APIURL, func(c *bridge.Config) { c.NATS.Replicas = 3 })
	r := run(t, check.Options{Config: conf, Create: true})
	want(t, r, "jetstream", "stream POS_STATUS", check.OK, "3 copies")
	want(t, r, "jetstream", "durability", check.OK, "3 copies")
	if r.Count(check.Failure) > 0 {
		t.Errorf("failures:\n%s", table(t, r))
	}
	conf.NATS.Replicas = 1
	r = run(t, check.Options{Config: conf})
	want(t, r, "jetstream", "stream POS_STATUS", check.Warning, "3 copies, BRIDGE_JETSTREAM_REPLICAS asks for 1")

	// With other objects, made before the variable was raised, nobody is told to
	// raise it.
	conf = configure(t, cluster.URL(), sim.APIURL)
	var err error
	if conf.NATS.Space, err = subjects.New("early"); err != nil {
		t.Fatal(err)
	}
	run(t, check.Options{Config: conf, Create: true})
	conf.NATS.Replicas = 3
	r = run(t, check.Options{Config: conf})
	want(t, r, "jetstream", "stream EARLY_SESSIONS", check.Warning, "nats stream edit EARLY_SESSIONS --replicas 3")
	if found := find(r, "jetstream", "durability"); len(found) > 0 {
		t.Errorf("got %+v", found)
	}
}

// provider answers the terminals of its keys, with a clock of its own.
func provider(t *testing.T, skew time.Duration, groups map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/json")
		terminals, ok := groups[r.URL.Query().Get("api_key")]
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"success":false,"data":{},"error_code":1032,"error_info":"Invalid API key"}`)
			return
		}
		if terminals == "403" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"Forbidden"}`)
			return
		}
		fmt.Fprintf(w, `{"success":true,"data":[%s]}`, terminals)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1/json"
}

func TestProvider(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	api := provider(t, -time.Minute, map[string]string{
		"key-one":   `{"id":"T1","active":true},{"id":"T2","active":true}`,
		"key-two":   `{"id":"T2","active":true},{"id":"T3","active":false}`,
		"key-three": ``,
	})
	file := filepath.Join(t.TempDir(), "groups.yaml")
	err := os.WriteFile(file, []byte(`groups:
  - {id: one, api_key: key-one}
  - {id: two, api_key: key-two, terminals: [T3]}
  - {id: three, api_key: key-three}
  - {id: four, api_key: key-four-is-wrong, terminals: [T1]}
  - {id: five, api_key: key-three, terminals: [T5]}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	conf := configure(t, server.URL(), api, func(c *bridge.Config) { c.Provider.Key, c.Provider.GroupsFile = redact.Secret{}, file })
	r := run(t, check.Options{Config: conf})
	want(t, r, "provider", "group one", check.OK, "2 terminals")
	want(t, r, "provider", "group two", check.Warning, "inactive: T3")
	want(t, r, "provider", "group three", check.Warning, "0 terminals")
	want(t, r, "provider", "group four", check.Failure, "API key: it must be")
	want(t, r, "provider", "group five", check.Warning, "that of group three")
	want(t, r, "provider", "terminals", check.Failure, "T2 (one, two)")
	want(t, r, "provider", "terminals", check.Warning, "T1 (of group one, in the file of four)")
	want(t, r, "clock", "provider", check.Failure, "ahead of")
	var asJSON bytes.Buffer
	if err := r.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{table(t, r), asJSON.String()} {
		if strings.Contains(text, "key-") {
			t.Errorf("a key is shown:\n%s", text)
		}
	}
	var read struct {
		OK       bool
		Failures int
		Findings []check.Finding
	}
	if err := json.Unmarshal(asJSON.Bytes(), &read); err != nil || read.OK || read.Failures != r.Count(check.Failure) || !slices.Equal(read.Findings, r.Findings) {
		t.Errorf("the JSON is not the report (%v):\n%s", err, asJSON.String())
	}
}

// TestProviderLists: keys that see the whole account, or nothing.
func TestProviderLists(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	const account = `{"id":"T1","group_id":57958,"active":true,"provider":"SMARTPOS"},{"id":"T2","group_id":"57959","active":true,"provider":"CTAP"},{"id":"T3","group_id":57959,"provider":"VERIFONE"}`
	api := provider(t, 0, map[string]string{"key-one": account, "key-two": account, "key-three": "403", "key-four": `{"id":"T4","provider":"VERIFONE"}`, "key-five": `{"id":"T4","provider":"VERIFONE"}`})
	file := filepath.Join(t.TempDir(), "groups.yaml")
	err := os.WriteFile(file, []byte(`groups:
  - {id: "57958", api_key: key-one}
  - {id: other, api_key: key-two}
  - {id: three, api_key: key-three}
  - {id: four, api_key: key-four}
  - {id: five, api_key: key-five}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, check.Options{Config: configure(t, server.URL(), api, func(c *bridge.Config) { c.Provider.Key, c.Provider.GroupsFile = redact.Secret{}, file })})
	want(t, r, "provider", "group 57958", check.OK, "3 terminals of the account, in the groups 57958, 57959; 1 of this group")
	want(t, r, "provider", "group other", check.Warning, "3 terminals of the account, in the groups 57958, 57959; 0 of this group")
	want(t, r, "provider", "group three", check.Warning, "may not list terminals")
	want(t, r, "provider", "group four", check.Warning, "from another manufacturer: T4 (VERIFONE)")
	if found := find(r, "provider", "terminals"); len(found) > 0 { // a terminal of another make in two lists hurts nobody
		t.Errorf("got %+v", found)
	}
	one := run(t, check.Options{Config: configure(t, server.URL(), api, func(c *bridge.Config) { c.Provider.Key = redact.NewSecret("key-one") })})
	want(t, one, "provider", "group default", check.Warning, "BRIDGE_TERMINAL_GROUPS_FILE")
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	sim := simulatortest.Start(t, simulator.Options{})
	for variable, change := range map[string]func(*bridge.Config){
		"BRIDGE_REPLICA_TTL":     func(c *bridge.Config) { c.Timing.ReplicaTTL = time.Second },
		"BRIDGE_START_DEADLINE":  func(c *bridge.Config) { c.Timing.StartDeadline = c.Timing.RequestTimeout },
		"BRIDGE_SESSION_TIMEOUT": func(c *bridge.Config) { c.Timing.SessionTimeout = time.Second },
		"BRIDGE_STATUS_MAX_AGE":  func(c *bridge.Config) { c.NATS.StatusMaxAge = time.Hour },
		"BRIDGE_IDLE_TIMEOUT":    func(c *bridge.Config) { c.Timing.IdleTimeout = time.Second },
		"BRIDGE_API_URL": func(c *bridge.Config) {
			c.Provider.URL = "http://pos.invalid/v1/json"
			c.Timing.RequestTimeout = time.Second
		},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			r := run(t, check.Options{Config: configure(t, server.URL(), sim.APIURL, change)})
			want(t, r, "configuration", variable, check.Warning, "")
		})
	}
}

func TestGroupsFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "groups.yaml")
	if err := os.WriteFile(file, []byte("groups: [{id: a}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := configure(t, "nats://127.0.0.1:1", "http://127.0.0.1:1", func(c *bridge.Config) { c.Provider.GroupsFile = file })
	_, err := check.Run(t.Context(), check.Options{Config: conf})
	bad, ok := errors.AsType[*bridge.ConfigError](err)
	if !ok || !strings.Contains(bad.Error(), "BRIDGE_TERMINAL_GROUPS_FILE") {
		t.Fatalf("got %v, want a ConfigError about the file", err)
	}
	want(t, check.Refused(bad), "configuration", "variables", check.Failure, "BRIDGE_TERMINAL_GROUPS_FILE")
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := &check.Report{Findings: []check.Finding{
		{Area: "nats", Subject: "connection", Level: check.OK, Detail: "nats://a:4222"},
		{Area: "configuration", Subject: "x", Level: check.Warning, Detail: "weak", Advice: "do better"},
	}}
	const want = `ok       nats           connection  nats://a:4222
warning  configuration  x           weak
         -> do better

0 failures, 1 warning, 1 ok
`
	if got := table(t, r); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
