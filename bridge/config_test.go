package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
)

// load reads a configuration from these variables and nothing else.
func load(t *testing.T, variables map[string]string) (Config, error) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "BRIDGE_") {
			t.Setenv(name, "") // Setenv puts it back afterwards
			os.Unsetenv(name)
		}
	}
	for name, value := range variables {
		t.Setenv("BRIDGE_"+name, value)
	}
	return LoadConfig()
}

func TestConfigDefaults(t *testing.T) {
	empty := map[string]string{"API_KEY": "key"}
	for _, v := range Variables() {
		if v.Name != "API_KEY" && v.Name != "AFTERCARE" {
			empty[v.Name] = " "
		}
	}
	for name, variables := range map[string]map[string]string{
		"nothing but the key":           {"API_KEY": "key"},
		"everything else set to blanks": empty,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, variables)
			if err != nil {
				t.Fatal(err)
			}
			if got.NATS.URL.Reveal() != "nats://127.0.0.1:4222" || got.Provider.Key.Reveal() != "key" || got.NATS.Space.Prefix() != "pos" {
				t.Errorf("got %q, %q, %q", got.NATS.URL.Reveal(), got.Provider.Key.Reveal(), got.NATS.Space.Prefix())
			}
			if host, _ := os.Hostname(); !replicaPattern.MatchString(got.ReplicaID) || !strings.HasPrefix(got.ReplicaID, notInReplicaID.ReplaceAllString(host, "-")) {
				t.Errorf("the replica is called %q on host %q", got.ReplicaID, host)
			}
			want := Config{
				NATS: NATSConfig{URL: got.NATS.URL, Options: bus.Options{Space: got.NATS.Space, Replicas: 1, StatusMaxAge: 168 * time.Hour}},
				Provider: ProviderConfig{
					URL: "https://api.multisafepay.com/v1/json", Key: got.Provider.Key, Rate: 20, EventsAuth: "token",
				},
				HTTP:      HTTPConfig{Addr: ":8080", Console: true},
				ReplicaID: got.ReplicaID,
				Timing: TimingConfig{
					StartDeadline: 30 * time.Second, IdleTimeout: 45 * time.Second, DrainTimeout: 20 * time.Second,
					Rules: payment.Rules{
						ReplicaTTL: 10 * time.Second, RequestTimeout: 10 * time.Second, BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second,
						ReconcileInterval: 15 * time.Second, SettleWindow: 3 * time.Second, SessionTimeout: 30 * time.Minute,
						Aftercare: []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute},
					},
				},
				Log: LogConfig{Level: "info", Format: "json"},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
		})
	}
	one, err := load(t, map[string]string{"API_KEY": "key"})
	if err != nil {
		t.Fatal(err)
	}
	if two, err := LoadConfig(); err != nil || one.ReplicaID == two.ReplicaID {
		t.Errorf("two replicas are called %q: %v", one.ReplicaID, err)
	}
}

// Each variable with a value that is good and differs from its default.
func TestConfigVariables(t *testing.T) {
	files := makeFiles(t)
	for _, tt := range []struct {
		name, value string
		got         func(Config) any
		want        any
	}{
		{"NATS_URL", "nats://a:1,tls://u:p@b:2, c", func(c Config) any { return c.NATS.URL.Reveal() }, "nats://a:1,tls://u:p@b:2, c"},
		{"NATS_URL", "ws://[::1]:80", func(c Config) any { return c.NATS.URL.Reveal() }, "ws://[::1]:80"},
		{"NATS_CREDS_FILE", files["creds"], func(c Config) any { return c.NATS.CredsFile }, files["creds"]},
		{"NATS_NKEY_FILE", files["nkey"], func(c Config) any { return c.NATS.NKeyFile }, files["nkey"]},
		{"NATS_CA_FILE", files["cert"], func(c Config) any { return c.NATS.CAFile }, files["cert"]},
		{"SUBJECT_PREFIX", "shop.till-1", func(c Config) any { return c.NATS.Space.Prefix() }, "shop.till-1"},
		{"API_URL", "http://127.0.0.1:9000/v1/json/", func(c Config) any { return c.Provider.URL }, "http://127.0.0.1:9000/v1/json"},
		{"EVENTS_AUTH", "Bearer", func(c Config) any { return c.Provider.EventsAuth }, "bearer"},
		{"EVENTS_ALLOWED_HOSTS", "a.example, b.example:8443,[::1]:1", func(c Config) any { return c.Provider.AllowedHosts }, []string{"a.example", "b.example:8443", "[::1]:1"}},
		{"HTTP_ADDR", "127.0.0.1:0", func(c Config) any { return c.HTTP.Addr }, "127.0.0.1:0"},
		{"REPLICA_ID", "till_1.a-B", func(c Config) any { return c.ReplicaID }, "till_1.a-B"},
		{"REPLICA_TTL", " 3s ", func(c Config) any { return c.Timing.ReplicaTTL }, 3 * time.Second},
		{"START_DEADLINE", "1m30s", func(c Config) any { return c.Timing.StartDeadline }, 90 * time.Second},
		{"JETSTREAM_REPLICAS", "3", func(c Config) any { return c.NATS.Replicas }, 3},
		{"JETSTREAM_REPLICAS", "5", func(c Config) any { return c.NATS.Replicas }, 5},
		{"STATUS_MAX_AGE", "2h", func(c Config) any { return c.NATS.StatusMaxAge }, 2 * time.Hour},
		{"BACKOFF_INITIAL", "1ms", func(c Config) any { return c.Timing.BackoffInitial }, time.Millisecond},
		{"BACKOFF_MAX", "10s", func(c Config) any { return c.Timing.BackoffMax }, 10 * time.Second},
		{"BACKOFF_INITIAL", "6s", func(c Config) any { return c.Timing.BackoffMax }, 6 * time.Second}, // the other's default gives way
		{"BACKOFF_MAX", "100ms", func(c Config) any { return c.Timing.BackoffInitial }, 100 * time.Millisecond},
		{"IDLE_TIMEOUT", "1s", func(c Config) any { return c.Timing.IdleTimeout }, time.Second},
		{"RECONCILE_INTERVAL", "1s", func(c Config) any { return c.Timing.ReconcileInterval }, time.Second},
		{"SETTLE_WINDOW", "1s", func(c Config) any { return c.Timing.SettleWindow }, time.Second},
		{"SESSION_TIMEOUT", "1h", func(c Config) any { return c.Timing.SessionTimeout }, time.Hour},
		{"SESSION_TIMEOUT", "8s", func(c Config) any { return c.Timing }, TimingConfig{ // every longer default gives way
			StartDeadline: 8 * time.Second, IdleTimeout: 8 * time.Second, DrainTimeout: 20 * time.Second,
			Rules: payment.Rules{
				ReplicaTTL: 8 * time.Second, RequestTimeout: 8 * time.Second, BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second,
				ReconcileInterval: 8 * time.Second, SettleWindow: 3 * time.Second, SessionTimeout: 8 * time.Second,
				Aftercare: []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute},
			},
		}},
		{"START_DEADLINE", "45m", func(c Config) any { return c.Timing.SessionTimeout }, 45 * time.Minute},
		{"NATS_TLS_FIRST", "TRUE", func(c Config) any { return c.NATS.TLSFirst }, true},
		{"NATS_JS_DOMAIN", "hub-1", func(c Config) any { return c.NATS.Domain }, "hub-1"},
		{"API_CA_FILE", files["cert"], func(c Config) any { return c.Provider.CAFile }, files["cert"]},
		{"PROVIDER_RATE", "5", func(c Config) any { return c.Provider.Rate }, 5},
		{"WEBHOOK_ADDR", ":8090", func(c Config) any { return c.Webhook.Addr }, ":8090"},
		{"AFTERCARE", "30s, 1h", func(c Config) any { return c.Timing.Aftercare }, []time.Duration{30 * time.Second, time.Hour}},
		{"AFTERCARE", " ", func(c Config) any { return c.Timing.Aftercare == nil }, true},
		{"DRAIN_TIMEOUT", "1s", func(c Config) any { return c.Timing.DrainTimeout }, time.Second},
		{"REQUEST_TIMEOUT", "1s", func(c Config) any { return c.Timing.RequestTimeout }, time.Second},
		{"LOG_LEVEL", "DEBUG", func(c Config) any { return c.Log.Level }, "debug"},
		{"LOG_FORMAT", "console", func(c Config) any { return c.Log.Format }, "console"},
		{"CONSOLE", "off", func(c Config) any { return c.HTTP.Console }, false},
		{"CONSOLE_TOKEN_FILE", files["secret"], func(c Config) any { return c.HTTP.ConsoleToken.Reveal() }, "hush"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load(t, map[string]string{"API_KEY": "key", tt.name: tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The key comes from one of three places.
func TestConfigKey(t *testing.T) {
	files := makeFiles(t)
	for name, variables := range map[string]map[string]string{
		"variable":                        {"API_KEY": " hush\n"},
		"file":                            {"API_KEY_FILE": files["secret"]},
		"file, and the variable is empty": {"API_KEY_FILE": files["secret"], "API_KEY": ""},
	} {
		if c, err := load(t, variables); err != nil || c.Provider.Key.Reveal() != "hush" {
			t.Errorf("%s: got %q, %v", name, c.Provider.Key.Reveal(), err)
		}
	}
	if c, err := load(t, map[string]string{"TERMINAL_GROUPS_FILE": files["secret"]}); err != nil || c.Provider.GroupsFile != files["secret"] || !c.Provider.Key.IsZero() {
		t.Errorf("groups: got %+v, %v", c, err)
	}
	if c, err := load(t, map[string]string{"API_KEY": "key", "NATS_CERT_FILE": files["cert"], "NATS_KEY_FILE": files["key"]}); err != nil || c.NATS.CertFile != files["cert"] || c.NATS.KeyFile != files["key"] {
		t.Errorf("client certificate: got %+v, %v", c, err)
	}
}

// What cannot be used is refused with one line that names the variable and what
// it takes, and shows no secret.
func TestConfigRefusals(t *testing.T) {
	files := makeFiles(t)
	missing := filepath.Join(t.TempDir(), "not-there")
	folder := t.TempDir()
	pipe, large := filepath.Join(folder, "pipe"), filepath.Join(folder, "large")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(large, nil, 0o600), os.Truncate(large, 2<<20)); err != nil {
		t.Fatal(err)
	}
	durations := []string{
		"REPLICA_TTL", "START_DEADLINE", "STATUS_MAX_AGE", "BACKOFF_INITIAL", "BACKOFF_MAX", "IDLE_TIMEOUT",
		"RECONCILE_INTERVAL", "SETTLE_WINDOW", "SESSION_TIMEOUT", "DRAIN_TIMEOUT", "REQUEST_TIMEOUT",
	}
	type refusal struct{ name, value, takes string }
	refusals := []refusal{
		{"NATS_URL", "http://a", "nats://"},
		{"NATS_URL", "nats://hush:hush@", "nats://"},
		{"NATS_URL", "nats://a:70000", "nats://"},
		{"NATS_URL", "nats://a,", "nats://"},
		{"NATS_URL", "nats://a b", "nats://"},
		{"SUBJECT_PREFIX", "a..b", "tokens"},
		{"SUBJECT_PREFIX", "pos.>", "tokens"},
		{"SUBJECT_PREFIX", strings.Repeat("a", 65), "64"},
		{"API_URL", "ftp://a", "https"},
		{"API_URL", "https://hush:hush@a", "without credentials"},
		{"API_URL", "https://a/?api_key=hush", "without credentials or query"},
		{"API_URL", "https://", "https"},
		{"API_URL", "https://a:0", "https"},
		{"API_URL", "a", "https"},
		{"EVENTS_AUTH", "basic", "token, bearer"},
		{"EVENTS_ALLOWED_HOSTS", "https://a", "hosts"},
		{"EVENTS_ALLOWED_HOSTS", "a,b/c", "hosts"},
		{"EVENTS_ALLOWED_HOSTS", "*.example.com", "hosts"},
		{"HTTP_ADDR", "8080", ":8080"},
		{"HTTP_ADDR", ":http-port", ":8080"},
		{"HTTP_ADDR", ":99999", ":8080"},
		{"HTTP_ADDR", ":", ":8080"},
		{"REPLICA_ID", "a b", "1 to 64"},
		{"REPLICA_ID", strings.Repeat("a", 65), "1 to 64"},
		{"JETSTREAM_REPLICAS", "2", "1, 3 or 5"},
		{"JETSTREAM_REPLICAS", "-1", "1, 3 or 5"},
		{"JETSTREAM_REPLICAS", "three", "1, 3 or 5"},
		{"LOG_LEVEL", "loud", "debug, info, warn, error"},
		{"LOG_FORMAT", "xml", "json, console"},
		{"CONSOLE", "yes", "on, off"},
		{"API_KEY", "hush hush", "key"},
		{"API_KEY", "hüsh", "key"},
		{"REPLICA_TTL", "1s", "a duration from 2s to 10m"},
		{"REPLICA_TTL", "11m", "a duration from 2s to 10m"},
		{"SESSION_TIMEOUT", "25h", "a duration from 1s to 24h"},
		{"STATUS_MAX_AGE", "1h35m", "must be longer than 1h35m: BRIDGE_SESSION_TIMEOUT, the longest BRIDGE_AFTERCARE and 1h"},
		{"NATS_TLS_FIRST", "yes", "true, false"},
		{"NATS_JS_DOMAIN", "hub.1", "JetStream domain"},
		{"API_CA_FILE", files["secret"], "PEM"},
		{"PROVIDER_RATE", "0", "from 1 to 1000"},
		{"PROVIDER_RATE", "1.5", "from 1 to 1000"},
		{"PROVIDER_RATE", "2000", "from 1 to 1000"},
		{"WEBHOOK_ADDR", "8090", ":8080"},
		{"WEBHOOK_ADDR", "127.0.0.1:8080", "another port than BRIDGE_HTTP_ADDR"},
		{"WEBHOOK_URL", "https://till.example.com/hook", "needs BRIDGE_WEBHOOK_ADDR"},
		{"AFTERCARE", "15s,", "durations in ascending order"},
		{"AFTERCARE", "1m,15s", "durations in ascending order"},
		{"AFTERCARE", "15s,15s", "durations in ascending order"},
		{"AFTERCARE", "0s", "durations in ascending order"},
		{"AFTERCARE", "1000h", "durations in ascending order"},
		{"AFTERCARE", "1s" + strings.Repeat(",1h", 20), "durations in ascending order"},
		{"AFTERCARE", "167h", "must be longer than 168h30m"},
		{"NATS_CERT_FILE", files["cert"], "BRIDGE_NATS_KEY_FILE"},
		{"NATS_CREDS_FILE", files["secret"], "credentials file"},
		{"NATS_NKEY_FILE", files["secret"], "nkey seed"},
		{"NATS_CA_FILE", files["secret"], "PEM"},
		{"CONSOLE_TOKEN_FILE", files["empty"], "one line"},
		{"CONSOLE_TOKEN_FILE", files["lines"], "one line"},
	}
	for _, name := range durations {
		for _, value := range []string{"0", "0s", "-1s", "10", "soon", "1h30"} {
			refusals = append(refusals, refusal{name, value, "duration"})
		}
	}
	for _, name := range []string{"NATS_CREDS_FILE", "NATS_NKEY_FILE", "NATS_CA_FILE", "API_CA_FILE", "CONSOLE_TOKEN_FILE"} {
		refusals = append(refusals, refusal{name, missing, "readable file"}, refusal{name, folder, "readable file"},
			refusal{name, pipe, "readable file"}, refusal{name, large, "at most 1048576 bytes"})
	}
	for _, tt := range refusals {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			variables := map[string]string{"API_KEY": "hush", tt.name: tt.value}
			_, err := load(t, variables)
			name := tt.name
			if tt.value == "167h" {
				name = "STATUS_MAX_AGE"
			}
			checkRefusal(t, err, name, tt.takes)
		})
	}
	for _, name := range []string{"API_KEY_FILE", "TERMINAL_GROUPS_FILE"} {
		for _, path := range []string{missing, folder} {
			_, err := load(t, map[string]string{name: path})
			checkRefusal(t, err, name, "readable file")
		}
	}
	for name, variables := range map[string]map[string]string{
		"no key":               {},
		"key and file":         {"API_KEY": "hush", "API_KEY_FILE": files["secret"]},
		"all three":            {"API_KEY": "hush", "API_KEY_FILE": files["secret"], "TERMINAL_GROUPS_FILE": files["secret"]},
		"empty key file":       {"API_KEY_FILE": files["empty"]},
		"key file of lines":    {"API_KEY_FILE": files["lines"]},
		"creds and nkey":       {"API_KEY": "hush", "NATS_CREDS_FILE": files["creds"], "NATS_NKEY_FILE": files["nkey"]},
		"certificate's key":    {"API_KEY": "hush", "NATS_CERT_FILE": files["cert"], "NATS_KEY_FILE": files["secret"]},
		"another key's":        {"API_KEY": "hush", "NATS_CERT_FILE": files["cert"], "NATS_KEY_FILE": files["other key"]},
		"key but no":           {"API_KEY": "hush", "NATS_KEY_FILE": files["key"]},
		"backoffs crossed":     {"API_KEY": "hush", "BACKOFF_INITIAL": "200ms", "BACKOFF_MAX": "100ms"},
		"a start outlasts":     {"API_KEY": "hush", "START_DEADLINE": "31s", "SESSION_TIMEOUT": "30s"},
		"a call outlasts":      {"API_KEY": "hush", "REQUEST_TIMEOUT": "31s", "SESSION_TIMEOUT": "30s"},
		"ttl outlasts":         {"API_KEY": "hush", "REPLICA_TTL": "31s", "SESSION_TIMEOUT": "30s"},
		"statuses too old":     {"API_KEY": "hush", "SESSION_TIMEOUT": "3h", "STATUS_MAX_AGE": "3h", "AFTERCARE": ""},
		"both kinds of NATS":   {"API_KEY": "hush", "NATS_URL": "nats://a,ws://b"},
		"web socket TLS":       {"API_KEY": "hush", "NATS_URL": "wss://b", "NATS_TLS_FIRST": "true"},
		"webhook never called": {"API_KEY": "hush", "WEBHOOK_ADDR": ":8090", "WEBHOOK_URL": "https://till.example.com:8090/hook"},
		"webhook of http":      {"API_KEY": "hush", "WEBHOOK_ADDR": ":8090", "WEBHOOK_URL": "http://till.example.com/hook"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, variables)
			checkRefusal(t, err, "", "")
		})
	}
}

func checkRefusal(t *testing.T, err error, name, takes string) {
	t.Helper()
	bad, ok := errors.AsType[*ConfigError](err)
	switch {
	case !ok:
		t.Fatalf("got %v, want a *ConfigError", err)
	case len(bad.Problems) != 1:
		t.Errorf("%d problems: %q", len(bad.Problems), bad.Problems)
	case !strings.HasPrefix(bad.Problems[0], "BRIDGE_"+name) || !strings.Contains(bad.Problems[0], takes):
		t.Errorf("got %q, want BRIDGE_%s and %q", bad.Problems[0], name, takes)
	case strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n"):
		t.Errorf("the message shows a secret, or has two lines: %q", err)
	}
}

// A simulator has an http address and calls any http address.
func TestConfigWebhook(t *testing.T) {
	for _, variables := range []map[string]string{
		{"WEBHOOK_URL": "https://till.example.com/hook"},
		{"WEBHOOK_URL": "http://127.0.0.1:8090/", "API_URL": "http://127.0.0.1:8900/v1/json"},
	} {
		variables["API_KEY"], variables["WEBHOOK_ADDR"] = "key", ":8090"
		if c, err := load(t, variables); err != nil || c.Webhook != (WebhookConfig{Addr: ":8090", URL: variables["WEBHOOK_URL"]}) {
			t.Errorf("%v: got %+v, %v", variables, c.Webhook, err)
		}
	}
}

// Variables without the prefix are other programs': CONSOLE is set on many machines.
func TestConfigIgnoresVariablesWithoutPrefix(t *testing.T) {
	for _, v := range Variables() {
		t.Setenv(v.Name, "not for the bridge")
	}
	if _, err := load(t, map[string]string{"API_KEY": "key"}); err != nil {
		t.Error(err)
	}
}

// A claim outlives everything that needs it.
func TestClaimTTL(t *testing.T) {
	c, err := load(t, map[string]string{"API_KEY": "key", "SESSION_TIMEOUT": "20m", "AFTERCARE": "1m,10m"})
	if got, want := c.ClaimTTL(), 90*time.Minute; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	c, err = load(t, map[string]string{"API_KEY": "key", "SESSION_TIMEOUT": "20m", "AFTERCARE": ""})
	if got, want := c.ClaimTTL(), 80*time.Minute; err != nil || got != want {
		t.Errorf("without aftercare: got %s, %v, want %s", got, err, want)
	}
}

// The provider's certificate may come from the file's authorities besides the system's.
func TestRootCAs(t *testing.T) {
	files := makeFiles(t)
	c, err := load(t, map[string]string{"API_KEY": "key", "API_CA_FILE": files["cert"]})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := c.Provider.rootCAs()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(files["cert"])
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if pool.Equal(want) {
		t.Error("the file's authority is not in the pool")
	}
	want.AppendCertsFromPEM(content)
	if !pool.Equal(want) {
		t.Error("the pool is not the system's and the file's")
	}
	if pool, err := (ProviderConfig{}).rootCAs(); pool != nil || err != nil {
		t.Errorf("without a file: got %v, %v, want nil for the system's", pool, err)
	}
}

// Each row of the table is whole.
func TestVariables(t *testing.T) {
	t.Parallel()
	for _, v := range Variables() {
		if v.parse == nil || !strings.HasSuffix(v.Doc, ".") || strings.TrimSpace(v.Doc) != v.Doc {
			t.Errorf("%s: %q", v.Name, v.Doc)
		}
		if !strings.Contains(Help(), "BRIDGE_"+v.Name+" [") && !strings.Contains(Help(), "BRIDGE_"+v.Name+"\n") {
			t.Errorf("%s is not in the help", v.Name)
		}
	}
}

// Everything that is wrong is said at once.
func TestConfigSaysAllProblemsAtOnce(t *testing.T) {
	_, err := load(t, map[string]string{"REPLICA_TTL": "x", "LOG_LEVEL": "x", "HTTP_ADDR": "x", "SUBJECT_PREFIX": "*"})
	bad, ok := errors.AsType[*ConfigError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var names []string
	for _, p := range bad.Problems {
		name, _, _ := strings.Cut(p, " ")
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"BRIDGE_API_KEY", "BRIDGE_HTTP_ADDR", "BRIDGE_LOG_LEVEL", "BRIDGE_REPLICA_TTL", "BRIDGE_SUBJECT_PREFIX"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

// A configuration that is printed shows no secret.
func TestConfigIsPrintedWithoutSecrets(t *testing.T) {
	t.Parallel()
	c, err := Defaults("hush")
	if err != nil {
		t.Fatal(err)
	}
	c.NATS.URL = redact.NewSecret("nats://hush@a")
	c.HTTP.ConsoleToken = redact.NewSecret("hush")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, c); strings.Contains(got, "hush") || strings.Contains(got, fmt.Sprintf("%x", "hush")) {
			t.Errorf("%s shows a secret: %s", verb, got)
		}
	}
}

// makeFiles writes files of every kind that a variable can name.
func makeFiles(t *testing.T) map[string]string {
	t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	cert, key := makeCertificate(t)
	_, other := makeCertificate(t)
	dir, files := t.TempDir(), map[string]string{}
	for name, content := range map[string]string{
		"secret": "hush\n", "empty": "\n", "lines": "hush\nhush\n", "nkey": string(seed) + "\n", "cert": cert, "key": key, "other key": other,
		"creds": "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.e30.c2ln\n------END NATS USER JWT------\n\n" +
			"-----BEGIN USER NKEY SEED-----\n" + string(seed) + "\n------END USER NKEY SEED------\n",
	} {
		files[name] = filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(files[name], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func makeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
