package check

import (
	"net"
	"net/url"
	"strings"
	"time"
)

const areaConfiguration = "configuration"

// shortTTL is a REPLICA_TTL at which a NATS server that changes its leader
// already makes replicas take sessions from each other.
const shortTTL = 5 * time.Second

// configuration looks for settings that are allowed and do not go together.
func (c *checker) configuration() {
	conf := c.Config
	before := c.Count(Warning)
	warn := func(variable, advice, detail string, args ...any) {
		c.add(areaConfiguration, "BRIDGE_"+variable, Warning, advice, detail, args...)
	}
	if u, err := url.Parse(conf.Provider.URL); err == nil && u.Scheme == "http" && !isLocal(u.Hostname()) {
		warn("API_URL", "use https", "the bridge would send keys and tokens unencrypted")
	}
	if conf.Timing.ReplicaTTL < shortTTL {
		warn("REPLICA_TTL", "use 10s, which is longer than a change of leader in a NATS cluster takes", "%s is short: healthy replicas lose sessions whenever NATS is slow", conf.Timing.ReplicaTTL)
	}
	if conf.Timing.StartDeadline <= conf.Timing.RequestTimeout {
		warn("START_DEADLINE", "make it a multiple of BRIDGE_REQUEST_TIMEOUT", "%s leaves no time for a second attempt when a call takes %s", conf.Timing.StartDeadline, conf.Timing.RequestTimeout)
	}
	if conf.Timing.SessionTimeout <= conf.Timing.StartDeadline {
		warn("SESSION_TIMEOUT", "make it longer than any payment takes, 30m for example", "%s is shorter than a start can take", conf.Timing.SessionTimeout)
	}
	if conf.NATS.StatusMaxAge < 24*time.Hour {
		warn("STATUS_MAX_AGE", "keep statuses for days: a reader that was disconnected reads the stream to catch up", "the bridge does not know an order after %s", conf.NATS.StatusMaxAge)
	}
	if conf.Timing.IdleTimeout < conf.Timing.ReconcileInterval {
		warn("IDLE_TIMEOUT", "make it longer than BRIDGE_RECONCILE_INTERVAL", "%s is short: the bridge reconnects streams without events again and again", conf.Timing.IdleTimeout)
	}
	if c.Count(Warning) == before {
		c.add(areaConfiguration, "variables", OK, "", "subjects below %s, replica TTL %s, drain %s", conf.NATS.Space.Prefix(), conf.Timing.ReplicaTTL, conf.Timing.DrainTimeout)
	}
}

// isLocal tells whether a host is this machine.
func isLocal(host string) bool {
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
