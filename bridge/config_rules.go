package bridge

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// ordered are pairs of durations of which the first must not be longer than the
// second.
var ordered = []struct{ shorter, longer string }{
	{"BACKOFF_INITIAL", "BACKOFF_MAX"},
	{"START_DEADLINE", "SESSION_TIMEOUT"},
	{"REQUEST_TIMEOUT", "SESSION_TIMEOUT"},
	{"REPLICA_TTL", "SESSION_TIMEOUT"},
	{"IDLE_TIMEOUT", "SESSION_TIMEOUT"},
	{"RECONCILE_INTERVAL", "SESSION_TIMEOUT"},
	{"SETTLE_WINDOW", "SESSION_TIMEOUT"},
}

// compare reports settings that contradict each other. A default never does: it
// gives way to what was set.
func (r *reader) compare(c *Config) {
	for _, pair := range ordered {
		r.compareOrder(c, pair.shorter, pair.longer)
	}
	if least := c.ClaimTTL(); c.NATS.StatusMaxAge > 0 && c.NATS.StatusMaxAge <= least {
		r.bad("STATUS_MAX_AGE", fmt.Sprintf("must be longer than %s: BRIDGE_SESSION_TIMEOUT, the longest BRIDGE_AFTERCARE and 1h together", shortDuration(least)))
	}
	r.compareNATS(c)
	r.compareWebhook(c)
}

func (r *reader) compareOrder(c *Config, shorter, longer string) {
	short, long := durationOf(c, shorter), durationOf(c, longer)
	if *short <= *long || *long == 0 { // one that could not be read is 0 and was reported
		return
	}
	switch {
	case !r.isSet(shorter):
		*short = *long
	case !r.isSet(longer):
		*long = *short
	default:
		r.bad(shorter, fmt.Sprintf("must not be longer than BRIDGE_%s", longer))
	}
}

func durationOf(c *Config, name string) *time.Duration {
	i := slices.IndexFunc(variables, func(v Variable) bool { return v.Name == name })
	return variables[i].duration(c)
}

func (r *reader) compareNATS(c *Config) {
	if r.isSet("NATS_CREDS_FILE") && r.isSet("NATS_NKEY_FILE") {
		r.bad("NATS_CREDS_FILE", "and BRIDGE_NATS_NKEY_FILE exclude each other: set one")
	}
	webSockets, plain := false, false
	for address := range strings.SplitSeq(c.NATS.URL.Reveal(), ",") {
		isWebSocket := strings.HasPrefix(strings.TrimSpace(address), "ws")
		webSockets, plain = webSockets || isWebSocket, plain || !isWebSocket
	}
	switch {
	case webSockets && plain:
		r.bad("NATS_URL", "must not mix ws:// or wss:// addresses with others")
	case webSockets && c.NATS.TLSFirst:
		r.bad("NATS_TLS_FIRST", "cannot be used with ws:// or wss:// addresses in BRIDGE_NATS_URL")
	}
	switch {
	case r.isSet("NATS_CERT_FILE") != r.isSet("NATS_KEY_FILE"):
		r.bad("NATS_CERT_FILE", "and BRIDGE_NATS_KEY_FILE go together: set both or none")
	case c.NATS.CertFile != "" && c.NATS.KeyFile != "" && !isKeyPair(c.NATS.CertFile, c.NATS.KeyFile):
		r.bad("NATS_CERT_FILE", "and BRIDGE_NATS_KEY_FILE must name a PEM certificate and the private key that belongs to it")
	}
}

func (r *reader) compareWebhook(c *Config) {
	if c.Webhook.URL != "" && !r.isSet("WEBHOOK_ADDR") {
		r.bad("WEBHOOK_URL", "needs BRIDGE_WEBHOOK_ADDR, the address on which the bridge listens for notifications")
	}
	_, port, err := net.SplitHostPort(c.Webhook.Addr)
	_, other, otherErr := net.SplitHostPort(c.HTTP.Addr)
	if err == nil && otherErr == nil && port == other && port != "0" {
		r.bad("WEBHOOK_ADDR", "must have another port than BRIDGE_HTTP_ADDR: the provider must not reach the console")
	}
}

// key takes the provider's key from the one of three places that is set. With a
// groups file, API_KEY serves nobody and is not looked at.
func (r *reader) key(c *Config) {
	var places []string
	for _, name := range []string{"API_KEY", "API_KEY_FILE", "TERMINAL_GROUPS_FILE"} {
		if r.isSet(name) && (name != "API_KEY" || !r.isSet("TERMINAL_GROUPS_FILE")) {
			places = append(places, name)
		}
	}
	switch {
	case len(places) == 0:
		r.bad("API_KEY", "is missing: set it, or BRIDGE_API_KEY_FILE, or BRIDGE_TERMINAL_GROUPS_FILE")
	case len(places) > 1:
		r.bad(places[0], "and BRIDGE_"+strings.Join(places[1:], " and BRIDGE_")+" exclude each other: set one")
	case places[0] == "API_KEY_FILE":
		c.Provider.Key = r.secretFile("API_KEY_FILE", r.set["API_KEY_FILE"])
	case places[0] == "API_KEY":
		if key := r.set["API_KEY"]; visible(key) {
			c.Provider.Key = redact.NewSecret(key)
		} else {
			r.bad("API_KEY", "must be a key of visible characters on one line")
		}
	}
}
