package bridge

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// EnvPrefix stands before the name of every variable, as BRIDGE_NATS_URL.
const EnvPrefix = "BRIDGE"

// Config is the configuration of one replica. LoadConfig reads and checks it.
type Config struct {
	// NATSURL is one or more server addresses, comma separated. It may hold a
	// password and is therefore a secret.
	NATSURL       redact.Secret
	NATSCredsFile string
	NATSNKeyFile  string
	NATSCAFile    string
	NATSCertFile  string
	NATSKeyFile   string
	// Space holds the subjects below BRIDGE_SUBJECT_PREFIX.
	Space  subjects.Space
	APIURL string
	// APIKey is the one key of every terminal; zero when TerminalGroupsFile is set.
	APIKey             redact.Secret
	TerminalGroupsFile string
	// EventsAuth is "token" or "bearer".
	EventsAuth         string
	EventsAllowedHosts []string
	HTTPAddr           string
	ReplicaID          string
	// ReplicaTTL is how long a replica may be silent before its sessions go on
	// elsewhere.
	ReplicaTTL        time.Duration
	StartDeadline     time.Duration
	JetStreamReplicas int
	StatusMaxAge      time.Duration
	BackoffInitial    time.Duration
	BackoffMax        time.Duration
	IdleTimeout       time.Duration
	ReconcileInterval time.Duration
	SettleWindow      time.Duration
	SessionTimeout    time.Duration
	DrainTimeout      time.Duration
	RequestTimeout    time.Duration
	LogLevel          string
	LogFormat         string
	// Console is false when the operator's page is switched off.
	Console bool
	// ConsoleToken protects the operator's page; zero when it is open.
	ConsoleToken redact.Secret
}

// environment is what envconfig reads. Everything is text here, because
// envconfig prints the raw value in its errors, and stops at the first one.
type environment struct {
	NATSURL            string `envconfig:"NATS_URL" default:"nats://127.0.0.1:4222"`
	NATSCredsFile      string `envconfig:"NATS_CREDS_FILE"`
	NATSNKeyFile       string `envconfig:"NATS_NKEY_FILE"`
	NATSCAFile         string `envconfig:"NATS_CA_FILE"`
	NATSCertFile       string `envconfig:"NATS_CERT_FILE"`
	NATSKeyFile        string `envconfig:"NATS_KEY_FILE"`
	SubjectPrefix      string `envconfig:"SUBJECT_PREFIX" default:"pos"`
	APIURL             string `envconfig:"API_URL" default:"https://api.multisafepay.com/v1/json"`
	APIKey             string `envconfig:"API_KEY"`
	APIKeyFile         string `envconfig:"API_KEY_FILE"`
	TerminalGroupsFile string `envconfig:"TERMINAL_GROUPS_FILE"`
	EventsAuth         string `envconfig:"EVENTS_AUTH" default:"token"`
	EventsAllowedHosts string `envconfig:"EVENTS_ALLOWED_HOSTS"`
	HTTPAddr           string `envconfig:"HTTP_ADDR" default:":8080"`
	ReplicaID          string `envconfig:"REPLICA_ID"`
	ReplicaTTL         string `envconfig:"REPLICA_TTL" default:"10s"`
	StartDeadline      string `envconfig:"START_DEADLINE" default:"30s"`
	JetStreamReplicas  string `envconfig:"JETSTREAM_REPLICAS" default:"1"`
	StatusMaxAge       string `envconfig:"STATUS_MAX_AGE" default:"168h"`
	BackoffInitial     string `envconfig:"BACKOFF_INITIAL" default:"250ms"`
	BackoffMax         string `envconfig:"BACKOFF_MAX" default:"5s"`
	IdleTimeout        string `envconfig:"IDLE_TIMEOUT" default:"45s"`
	ReconcileInterval  string `envconfig:"RECONCILE_INTERVAL" default:"15s"`
	SettleWindow       string `envconfig:"SETTLE_WINDOW" default:"3s"`
	SessionTimeout     string `envconfig:"SESSION_TIMEOUT" default:"30m"`
	DrainTimeout       string `envconfig:"DRAIN_TIMEOUT" default:"20s"`
	RequestTimeout     string `envconfig:"REQUEST_TIMEOUT" default:"10s"`
	LogLevel           string `envconfig:"LOG_LEVEL" default:"info"`
	LogFormat          string `envconfig:"LOG_FORMAT" default:"json"`
	Console            string `envconfig:"CONSOLE" default:"on"`
	ConsoleTokenFile   string `envconfig:"CONSOLE_TOKEN_FILE"`
}

// ConfigError is a configuration that cannot be used. It lists every problem at
// once, each with the variable's name and what it takes, and never a value that
// may be a secret.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string {
	return "bad configuration: " + strings.Join(e.Problems, "; ")
}

// BadVariable returns a ConfigError about one variable, named without the prefix.
func BadVariable(name, problem string) *ConfigError {
	return &ConfigError{Problems: []string{EnvPrefix + "_" + name + " " + problem}}
}

// LoadConfig reads the environment. It fails with *ConfigError. A variable that
// is set to nothing counts as not set.
func LoadConfig() (Config, error) {
	var env environment
	if err := envconfig.Process(EnvPrefix, &env); err != nil {
		if parse, ok := errors.AsType[*envconfig.ParseError](err); ok { // without parse.Value
			return Config{}, BadVariable(strings.TrimPrefix(parse.KeyName, EnvPrefix+"_"), "cannot be read")
		}
		return Config{}, &ConfigError{Problems: []string{"the environment cannot be read"}}
	}
	return env.config()
}

// Defaults is the configuration of a replica for which nothing but the key is
// set: where a program runs a bridge of its own.
func Defaults(apiKey string) (Config, error) {
	return environment{APIKey: apiKey}.config()
}

func (e environment) config() (Config, error) {
	env := &e
	env.fillDefaults()
	r := reader{}
	c := Config{
		NATSURL:            r.natsURL(env.NATSURL),
		NATSCredsFile:      r.file("NATS_CREDS_FILE", env.NATSCredsFile),
		NATSNKeyFile:       r.file("NATS_NKEY_FILE", env.NATSNKeyFile),
		NATSCAFile:         r.file("NATS_CA_FILE", env.NATSCAFile),
		NATSCertFile:       r.file("NATS_CERT_FILE", env.NATSCertFile),
		NATSKeyFile:        r.file("NATS_KEY_FILE", env.NATSKeyFile),
		Space:              r.space(env.SubjectPrefix),
		APIURL:             r.apiURL(env.APIURL),
		TerminalGroupsFile: r.file("TERMINAL_GROUPS_FILE", env.TerminalGroupsFile),
		EventsAuth:         r.oneOf("EVENTS_AUTH", env.EventsAuth, "token", "bearer"),
		EventsAllowedHosts: r.hosts("EVENTS_ALLOWED_HOSTS", env.EventsAllowedHosts),
		HTTPAddr:           r.address("HTTP_ADDR", env.HTTPAddr),
		ReplicaID:          r.replicaID(env.ReplicaID),
		ReplicaTTL:         r.duration("REPLICA_TTL", env.ReplicaTTL),
		StartDeadline:      r.duration("START_DEADLINE", env.StartDeadline),
		JetStreamReplicas:  r.replicas(env.JetStreamReplicas),
		StatusMaxAge:       r.duration("STATUS_MAX_AGE", env.StatusMaxAge),
		BackoffInitial:     r.duration("BACKOFF_INITIAL", env.BackoffInitial),
		BackoffMax:         r.duration("BACKOFF_MAX", env.BackoffMax),
		IdleTimeout:        r.duration("IDLE_TIMEOUT", env.IdleTimeout),
		ReconcileInterval:  r.duration("RECONCILE_INTERVAL", env.ReconcileInterval),
		SettleWindow:       r.duration("SETTLE_WINDOW", env.SettleWindow),
		SessionTimeout:     r.duration("SESSION_TIMEOUT", env.SessionTimeout),
		DrainTimeout:       r.duration("DRAIN_TIMEOUT", env.DrainTimeout),
		RequestTimeout:     r.duration("REQUEST_TIMEOUT", env.RequestTimeout),
		LogLevel:           r.oneOf("LOG_LEVEL", env.LogLevel, "debug", "info", "warn", "error"),
		LogFormat:          r.oneOf("LOG_FORMAT", env.LogFormat, "json", "console"),
		Console:            r.oneOf("CONSOLE", env.Console, "on", "off") == "on",
		ConsoleToken:       r.secretFile("CONSOLE_TOKEN_FILE", env.ConsoleTokenFile),
	}
	c.APIKey = r.apiKey(*env)
	if (env.NATSCertFile == "") != (env.NATSKeyFile == "") {
		r.bad("NATS_CERT_FILE", "and BRIDGE_NATS_KEY_FILE go together: set both or none")
	}
	r.credentials(c)
	if env.NATSCredsFile != "" && env.NATSNKeyFile != "" {
		r.bad("NATS_CREDS_FILE", "and BRIDGE_NATS_NKEY_FILE exclude each other: set one")
	}
	if c.StatusMaxAge > 0 && c.StatusMaxAge < time.Second {
		r.bad("STATUS_MAX_AGE", "takes a duration of at least 1s")
	}
	if c.BackoffInitial > c.BackoffMax && c.BackoffMax > 0 {
		switch { // a default gives way to what was set
		case env.isDefault("BackoffInitial"):
			c.BackoffInitial = c.BackoffMax
		case env.isDefault("BackoffMax"):
			c.BackoffMax = c.BackoffInitial
		default:
			r.bad("BACKOFF_INITIAL", "must not be longer than BRIDGE_BACKOFF_MAX")
		}
	}
	if len(r.problems) > 0 {
		return Config{}, &ConfigError{Problems: r.problems}
	}
	return c, nil
}

// fillDefaults gives variables that are set to nothing their default: charts
// and compose files often pass empty ones on, and envconfig takes them as they are.
func (e *environment) fillDefaults() {
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if strings.TrimSpace(v.Field(i).String()) == "" {
			v.Field(i).SetString(v.Type().Field(i).Tag.Get("default"))
		}
	}
}

// isDefault tells whether a field holds its default.
func (e *environment) isDefault(field string) bool {
	v := reflect.ValueOf(e).Elem()
	f, _ := v.Type().FieldByName(field)
	return v.FieldByName(field).String() == f.Tag.Get("default")
}

// reader turns text into values and gathers what is wrong with it.
type reader struct{ problems []string }

func (r *reader) bad(name, problem string) {
	r.problems = append(r.problems, EnvPrefix+"_"+name+" "+problem)
}

func (r *reader) duration(name, value string) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(value))
	switch {
	case err != nil:
		r.bad(name, `takes a duration such as "10s", "250ms" or "30m"`)
	case d <= 0:
		r.bad(name, `takes a duration greater than zero, such as "10s"`)
	case d < time.Millisecond:
		r.bad(name, "takes a duration of at least 1ms")
	}
	return d
}

func (r *reader) oneOf(name, value string, accepted ...string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	if !slices.Contains(accepted, value) {
		r.bad(name, "takes one of "+strings.Join(accepted, ", "))
	}
	return value
}

func (r *reader) replicas(value string) int {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n != 1 && n != 3 && n != 5 {
		r.bad("JETSTREAM_REPLICAS", "takes 1, 3 or 5")
	}
	return n
}

func (r *reader) space(prefix string) subjects.Space {
	s, err := subjects.New(strings.TrimSpace(prefix))
	if err != nil {
		r.bad("SUBJECT_PREFIX", "takes tokens of A-Z a-z 0-9 _ - separated by single dots, at most 64 characters")
	}
	return s
}

func (r *reader) natsURL(value string) redact.Secret {
	webSockets, plain := false, false
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		u, err := url.Parse(part)
		if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !strings.Contains(u.Host, "[") || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || !validPort(u.Port()) {
			r.bad("NATS_URL", "takes one or more addresses such as nats://host:4222 or tls://host:4222, separated by commas")
			break
		}
		webSockets = webSockets || strings.HasPrefix(u.Scheme, "ws")
		plain = plain || !strings.HasPrefix(u.Scheme, "ws")
	}
	if webSockets && plain {
		r.bad("NATS_URL", "takes either ws:// and wss:// addresses or others, not both")
	}
	return redact.NewSecret(value)
}

func (r *reader) apiURL(value string) string {
	value = strings.TrimSpace(value)
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !validPort(u.Port()) ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.bad("API_URL", "takes an http or https address such as https://api.multisafepay.com/v1/json, without credentials or query")
	} else if host := strings.ToLower(u.Hostname()); u.Scheme == "http" && (host == "multisafepay.com" || strings.HasSuffix(host, ".multisafepay.com")) {
		r.bad("API_URL", "takes https for multisafepay.com: the key would cross the network in the clear")
	}
	return strings.TrimRight(value, "/")
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && 0 < n && n < 1<<16
}

// file checks that a file can be read now; the path itself is no secret.
func (r *reader) file(name, path string) string {
	path = strings.TrimSpace(path)
	if path != "" {
		r.read(name, path)
	}
	return path
}

func (r *reader) read(name, path string) string {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.bad(name, fmt.Sprintf("takes a readable file; %q does not exist", path))
	case errors.Is(err, os.ErrPermission):
		r.bad(name, fmt.Sprintf("takes a readable file; %q may not be read by this user", path))
	case err != nil:
		r.bad(name, fmt.Sprintf("takes a readable file; %q is none", path))
	}
	return string(content)
}

func (r *reader) secretFile(name, path string) redact.Secret {
	path = strings.TrimSpace(path)
	if path == "" {
		return redact.Secret{}
	}
	before := len(r.problems)
	value := strings.TrimSpace(r.read(name, path))
	if len(r.problems) == before && !visible(value) {
		r.bad(name, "takes a file with one line of visible characters")
	}
	return redact.NewSecret(value)
}

func (r *reader) apiKey(env environment) redact.Secret {
	var set []string
	for _, v := range []struct{ name, value string }{
		{"API_KEY", env.APIKey}, {"API_KEY_FILE", env.APIKeyFile}, {"TERMINAL_GROUPS_FILE", env.TerminalGroupsFile},
	} {
		if strings.TrimSpace(v.value) != "" {
			set = append(set, v.name)
		}
	}
	if len(set) > 1 && set[len(set)-1] == "TERMINAL_GROUPS_FILE" && len(set) == 2 {
		set = set[1:] // with a groups file the one key serves nobody
	}
	switch {
	case len(set) == 0:
		r.bad("API_KEY", "is missing: set it, or BRIDGE_API_KEY_FILE, or BRIDGE_TERMINAL_GROUPS_FILE")
		return redact.Secret{}
	case len(set) > 1:
		r.bad(set[0], "and BRIDGE_"+strings.Join(set[1:], " and BRIDGE_")+" exclude each other: set one")
		return redact.Secret{}
	case set[0] == "API_KEY_FILE":
		return r.secretFile("API_KEY_FILE", env.APIKeyFile)
	case set[0] == "API_KEY":
		key := strings.TrimSpace(env.APIKey)
		if !visible(key) {
			r.bad("API_KEY", "takes a key of visible characters on one line")
		}
		return redact.NewSecret(key)
	}
	return redact.Secret{}
}

func visible(s string) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

var hostPattern = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$`)

func (r *reader) hosts(name, value string) []string {
	var hosts []string
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		_, port, _ := net.SplitHostPort(part) // no port is fine
		if !hostPattern.MatchString(part) || !validPort(port) {
			r.bad(name, `takes hosts such as "events.example.com" or "events.example.com:8443", separated by commas`)
			return nil
		}
		hosts = append(hosts, part)
	}
	return hosts
}

func (r *reader) address(name, value string) string {
	value = strings.TrimSpace(value)
	if _, port, err := net.SplitHostPort(value); err != nil || port == "" || port != "0" && !validPort(port) {
		r.bad(name, `takes an address to listen on such as ":8080" or "127.0.0.1:8080"`)
	}
	return value
}

var replicaPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (r *reader) replicaID(value string) string {
	value = strings.TrimSpace(value)
	if value == "" {
		return newReplicaID()
	}
	if !replicaPattern.MatchString(value) {
		r.bad("REPLICA_ID", "takes 1 to 64 characters of A-Z a-z 0-9 . _ -")
	}
	return value
}

var notInReplicaID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// newReplicaID names a replica after its host, with a random end so that a
// restarted container is not taken for the one before it.
func newReplicaID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "bridge"
	}
	host = notInReplicaID.ReplaceAllString(host, "-")
	random := make([]byte, 3)
	_, _ = rand.Read(random) // never fails, says crypto/rand
	return host[:min(len(host), 56)] + "-" + hex.EncodeToString(random)
}

// WithNATS returns the configuration with another NATS address.
func (c Config) WithNATS(url string) Config {
	c.NATSURL = redact.NewSecret(url)
	return c
}
