package bridge

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Variable is one setting: a row of the table that everything else follows.
type Variable struct {
	// Name without the prefix.
	Name string
	// Default is the value of a variable that is not set; empty for none.
	Default string
	// Doc says in one line what the setting is for.
	Doc string

	// emptyCounts is true when a value of nothing differs from no value.
	emptyCounts bool
	// parse puts a value into the configuration, or reports what is wrong with it.
	parse parser
	// duration is where parse puts a duration; nil for other kinds.
	duration durationField
}

// Variables returns every setting of "pos-bridge serve", in the order of its
// documents.
func Variables() []Variable { return slices.Clone(variables) }

// Help is the table of variables as text, for a terminal of 100 columns.
func Help() string {
	var b strings.Builder
	for _, v := range variables {
		standard := ""
		if v.Default != "" {
			standard = " [" + v.Default + "]"
		}
		fmt.Fprintf(&b, "  %s_%s%s\n      %s\n", EnvPrefix, v.Name, standard, v.Doc)
	}
	return b.String()
}

var variables = []Variable{
	{Name: "NATS_URL", Default: "nats://127.0.0.1:4222", Doc: "One or more NATS servers of one cluster, comma separated.", parse: natsURL},
	{
		Name: "NATS_CREDS_FILE", Doc: "Authentication: a file with a user JWT and its nkey seed.",
		parse: fileOf("a credentials file with a user JWT and an nkey seed", isCreds, func(c *Config) *string { return &c.NATS.CredsFile }),
	},
	{
		Name: "NATS_NKEY_FILE", Doc: "Authentication: a file with an nkey seed.",
		parse: fileOf("a file with an nkey seed (SU…)", isSeed, func(c *Config) *string { return &c.NATS.NKeyFile }),
	},
	{
		Name: "NATS_CA_FILE", Doc: "TLS: the authority of the servers' certificates.",
		parse: fileOf("a file with PEM certificates", isPEM, func(c *Config) *string { return &c.NATS.CAFile }),
	},
	{
		Name: "NATS_CERT_FILE", Doc: "TLS: the bridge's own certificate.",
		parse: fileOf("", nil, func(c *Config) *string { return &c.NATS.CertFile }),
	},
	{
		Name: "NATS_KEY_FILE", Doc: "TLS: the private key of NATS_CERT_FILE.",
		parse: fileOf("", nil, func(c *Config) *string { return &c.NATS.KeyFile }),
	},
	{Name: "NATS_TLS_FIRST", Default: "false", Doc: "Start TLS before the server speaks (handshake_first of the server).", parse: func(r *reader, name, value string, c *Config) {
		c.NATS.TLSFirst = r.oneOf(name, value, "true", "false") == "true"
	}},
	{Name: "NATS_JS_DOMAIN", Doc: "JetStream domain; the server's own when empty.", parse: natsDomain},
	{Name: "SUBJECT_PREFIX", Default: "pos", Doc: "First token(s) of every subject; the streams are named after it.", parse: subjectPrefix},
	{Name: "API_URL", Default: "https://api.multisafepay.com/v1/json", Doc: "The provider, or a simulator.", parse: apiURL},
	{
		Name: "API_CA_FILE", Doc: "Certificate authorities for the provider besides the system's, for a proxy that inspects TLS.",
		parse: fileOf("a file with PEM certificates", isPEM, func(c *Config) *string { return &c.Provider.CAFile }),
	},
	{Name: "API_KEY", Doc: "Key of the one terminal group.", parse: notAlone},
	{Name: "API_KEY_FILE", Doc: "File with the key of the one terminal group.", parse: notAlone},
	{Name: "TERMINAL_GROUPS_FILE", Doc: "Many terminal groups, as YAML; instead of API_KEY and API_KEY_FILE.", parse: fileOf("", nil, func(c *Config) *string { return &c.Provider.GroupsFile })},
	{Name: "PROVIDER_RATE", Default: "20", Doc: "Routine questions to the provider per second, terminal group and replica.", parse: providerRate},
	{Name: "WEBHOOK_ADDR", Doc: "Listen here for the provider's notifications.", parse: func(r *reader, name, value string, c *Config) {
		c.Webhook.Addr = r.address(name, value)
	}},
	{Name: "WEBHOOK_URL", Doc: "Public address of WEBHOOK_ADDR, for orders without a notification_url.", parse: webhookURL},
	{Name: "EVENTS_AUTH", Default: "token", Doc: "Form of the event stream's Authorization header: token or bearer.", parse: func(r *reader, name, value string, c *Config) {
		c.Provider.EventsAuth = r.oneOf(name, value, "token", "bearer")
	}},
	{Name: "EVENTS_ALLOWED_HOSTS", Doc: "Further hosts that may be sent an events token, comma separated.", parse: allowedHosts},
	{Name: "HTTP_ADDR", Default: ":8080", Doc: "Listen here for health, metrics and the console.", parse: func(r *reader, name, value string, c *Config) {
		c.HTTP.Addr = r.address(name, value)
	}},
	{Name: "REPLICA_ID", Doc: "Name of this replica; the host's name and a random end when empty.", emptyCounts: true, parse: replicaID},
	duration("REPLICA_TTL", "10s", 2*time.Second, 10*time.Minute, "A replica that is silent this long loses its sessions to the others.", func(c *Config) *time.Duration { return &c.Timing.ReplicaTTL }),
	duration("START_DEADLINE", "30s", time.Second, time.Hour, "A start that is not put to the provider by then is dropped.", func(c *Config) *time.Duration { return &c.Timing.StartDeadline }),
	{Name: "JETSTREAM_REPLICAS", Default: "1", Doc: "Copies of the streams: 1, 3 or 5.", parse: streamCopies},
	duration("STATUS_MAX_AGE", "168h", time.Second, 10*365*24*time.Hour, "How long status events are kept.", func(c *Config) *time.Duration { return &c.NATS.StatusMaxAge }),
	duration("BACKOFF_INITIAL", "250ms", time.Millisecond, time.Hour, "First pause before a stream is reconnected.", func(c *Config) *time.Duration { return &c.Timing.BackoffInitial }),
	duration("BACKOFF_MAX", "5s", time.Millisecond, time.Hour, "Longest pause before a stream is reconnected.", func(c *Config) *time.Duration { return &c.Timing.BackoffMax }),
	duration("IDLE_TIMEOUT", "45s", time.Second, time.Hour, "A stream without a byte for this long is reconnected.", func(c *Config) *time.Duration { return &c.Timing.IdleTimeout }),
	duration("RECONCILE_INTERVAL", "15s", 100*time.Millisecond, time.Hour, "Silence after which the provider is asked for the order.", func(c *Config) *time.Duration { return &c.Timing.ReconcileInterval }),
	duration("SETTLE_WINDOW", "3s", time.Millisecond, 10*time.Minute, "How long a stream is read after a final status.", func(c *Config) *time.Duration { return &c.Timing.SettleWindow }),
	{Name: "AFTERCARE", Default: "15s,1m,5m", Doc: "Times after an unpaid end at which the order is asked for again; set to nothing: never.", emptyCounts: true, parse: aftercare},
	duration("SESSION_TIMEOUT", "30m", time.Second, 24*time.Hour, "After this the bridge gives a session up as unresolved.", func(c *Config) *time.Duration { return &c.Timing.SessionTimeout }),
	duration("DRAIN_TIMEOUT", "20s", time.Millisecond, time.Hour, "Time for a graceful stop.", func(c *Config) *time.Duration { return &c.Timing.DrainTimeout }),
	duration("REQUEST_TIMEOUT", "10s", 100*time.Millisecond, 10*time.Minute, "Time for one call to the provider.", func(c *Config) *time.Duration { return &c.Timing.RequestTimeout }),
	{Name: "LOG_LEVEL", Default: "info", Doc: "debug, info, warn or error.", parse: func(r *reader, name, value string, c *Config) {
		c.Log.Level = r.oneOf(name, value, "debug", "info", "warn", "error")
	}},
	{Name: "LOG_FORMAT", Default: "json", Doc: "json, or console for people.", parse: func(r *reader, name, value string, c *Config) {
		c.Log.Format = r.oneOf(name, value, "json", "console")
	}},
	{Name: "CONSOLE", Default: "on", Doc: "The operator's console at / of HTTP_ADDR: on or off.", parse: func(r *reader, name, value string, c *Config) {
		c.HTTP.Console = r.oneOf(name, value, "on", "off") == "on"
	}},
	{Name: "CONSOLE_TOKEN_FILE", Doc: "File with a token that the console asks for. Without one it answers this machine only.", parse: func(r *reader, name, value string, c *Config) {
		c.HTTP.ConsoleToken = r.secretFile(name, value)
	}},
}

// duration is the row of a setting that is a duration from least to most.
func duration(name, standard string, least, most time.Duration, doc string, field durationField) Variable {
	return Variable{
		Name: name, Default: standard, Doc: doc, duration: field,
		parse: func(r *reader, name, value string, c *Config) {
			d, err := time.ParseDuration(value)
			if err != nil || d < least || d > most {
				r.bad(name, fmt.Sprintf("must be a duration from %s to %s, such as %q", shortDuration(least), shortDuration(most), standard))
				return
			}
			*field(c) = d
		},
	}
}

// shortDuration writes 10m where Duration.String writes 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
