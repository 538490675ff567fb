package bridge

import (
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
)

// EnvPrefix stands before the name of every variable, as in BRIDGE_NATS_URL.
const EnvPrefix = "BRIDGE"

// Config is the configuration of one replica. LoadConfig reads and checks it.
type Config struct {
	NATS      NATSConfig
	Provider  ProviderConfig
	Webhook   WebhookConfig
	HTTP      HTTPConfig
	ReplicaID string
	Timing    TimingConfig
	Log       LogConfig
}

// NATSConfig says where NATS is, how to get in, and what the bridge keeps there.
type NATSConfig struct {
	// URL is one or more server addresses, comma separated. It may contain a
	// password and is therefore a secret.
	URL redact.Secret
	// Options are the other settings. Config.Bus completes them.
	bus.Options
}

// ProviderConfig says where the provider is and which keys it takes.
type ProviderConfig struct {
	// URL is the root of the API, without a slash at the end.
	URL string
	// CAFile has certificate authorities besides the system's; see rootCAs.
	CAFile string
	// Key is the one key of every terminal; zero when GroupsFile is set.
	Key        redact.Secret
	GroupsFile string
	// Rate is how many routine questions a second each terminal group may cost.
	Rate int
	// EventsAuth is "token" or "bearer".
	EventsAuth string
	// AllowedHosts may be sent an events token besides the API's own.
	AllowedHosts []string
}

// WebhookConfig is about the provider's notifications. Both are empty when the
// bridge takes none.
type WebhookConfig struct {
	// Addr is listened on.
	Addr string
	// URL is the public address, which orders without a notification_url get.
	URL string
}

// HTTPConfig is about health, metrics and the operator's console.
type HTTPConfig struct {
	Addr string
	// Console is false when the console is switched off.
	Console bool
	// ConsoleToken protects the console; without one it answers this machine only.
	ConsoleToken redact.Secret
	// TerminalsURL is the page of simulated terminals that the console links to. No
	// variable sets it.
	TerminalsURL string
}

// TimingConfig has every time limit.
type TimingConfig struct {
	// Rules are the time limits of one payment. Config.Rules completes them.
	payment.Rules
	// StartDeadline is how long a start may wait before it is put to the provider.
	StartDeadline time.Duration
	// IdleTimeout is how long a stream may be without a byte.
	IdleTimeout time.Duration
	// DrainTimeout bounds a graceful stop.
	DrainTimeout time.Duration
}

// LogConfig is about the log.
type LogConfig struct {
	// Level is debug, info, warn or error; Format is json or console.
	Level, Format string
}

// claimMargin is how much longer a claim is kept than anybody needs it. When the
// last message of an order's log expires, the fence moves backwards.
const claimMargin = time.Hour

// ClaimTTL is how long a claim is kept after it was stored.
func (c Config) ClaimTTL() time.Duration {
	ttl := c.Timing.SessionTimeout + claimMargin
	if n := len(c.Timing.Aftercare); n > 0 {
		ttl += c.Timing.Aftercare[n-1]
	}
	return ttl
}

// Bus returns how to connect to NATS under a name.
func (c Config) Bus(name string, events bus.ConnectionEvents) bus.Options {
	o := c.NATS.Options
	o.URLs, o.Name, o.Events = c.NATS.URL.Reveal(), name, events
	o.ClaimTTL, o.ReplicaTTL = c.ClaimTTL(), c.Timing.ReplicaTTL
	return o
}

// Rules returns the rules of a payment on this replica, for a process of it.
func (c Config) Rules(process string) payment.Rules {
	r := c.Timing.Rules
	r.Self, r.Replica, r.ClaimTTL = process, c.ReplicaID, c.ClaimTTL()
	return r
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
