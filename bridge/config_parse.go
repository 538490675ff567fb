package bridge

import (
	"crypto/rand"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// reader turns values into a configuration and gathers what is wrong with them.
type reader struct {
	// set has the values that were set, as opposed to defaults.
	set      map[string]string
	problems []string
}

// parser puts a variable's value into a configuration, or reports what is wrong
// with it. durationField is where a duration belongs.
type (
	parser        func(r *reader, name, value string, c *Config)
	durationField func(*Config) *time.Duration
)

func (r *reader) isSet(name string) bool {
	_, ok := r.set[name]
	return ok
}

func (r *reader) bad(name, problem string) {
	r.problems = append(r.problems, EnvPrefix+"_"+name+" "+problem)
}

func (r *reader) oneOf(name, value string, accepted ...string) string {
	value = strings.ToLower(value)
	if !slices.Contains(accepted, value) {
		r.bad(name, "must be one of "+strings.Join(accepted, ", "))
	}
	return value
}

func (r *reader) address(name, value string) string {
	if _, port, err := net.SplitHostPort(value); err != nil || port == "" || port != "0" && !validPort(port) {
		r.bad(name, `must be an address to listen on, such as ":8080" or "127.0.0.1:8080"`)
	}
	return value
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && 0 < n && n < 1<<16
}

// notAlone is for variables that are read together with others, by reader.key.
func notAlone(*reader, string, string, *Config) {}

func natsURL(r *reader, name, value string, c *Config) {
	for address := range strings.SplitSeq(value, ",") {
		address = strings.TrimSpace(address)
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && !strings.Contains(u.Host, "[") ||
			!slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || !validPort(u.Port()) {
			r.bad(name, "must be one or more addresses such as nats://host:4222 or tls://host:4222, separated by commas")
			return
		}
	}
	c.NATS.URL = redact.NewSecret(value)
}

var domainPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func natsDomain(r *reader, name, value string, c *Config) {
	if !domainPattern.MatchString(value) {
		r.bad(name, "must be the name of a JetStream domain: 1 to 64 characters of A-Z a-z 0-9 _ -")
	}
	c.NATS.Domain = value
}

func subjectPrefix(r *reader, name, value string, c *Config) {
	var err error
	if c.NATS.Space, err = subjects.New(value); err != nil {
		r.bad(name, "must be tokens of A-Z a-z 0-9 _ - separated by single dots, at most 64 characters")
	}
}

func streamCopies(r *reader, name, value string, c *Config) {
	n, err := strconv.Atoi(value)
	if err != nil || n != 1 && n != 3 && n != 5 {
		r.bad(name, "must be 1, 3 or 5")
	}
	c.NATS.Replicas = n
}

func apiURL(r *reader, name, value string, c *Config) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !validPort(u.Port()) ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.bad(name, "must be an http or https address such as https://api.multisafepay.com/v1/json, without credentials or query")
	} else if host := strings.ToLower(u.Hostname()); u.Scheme == "http" && (host == "multisafepay.com" || strings.HasSuffix(host, ".multisafepay.com")) {
		r.bad(name, "must use https for multisafepay.com, because http would send the key in the clear")
	}
	c.Provider.URL = strings.TrimRight(value, "/")
}

// maxRate is more than any account is allowed.
const maxRate = 1000

func providerRate(r *reader, name, value string, c *Config) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxRate {
		r.bad(name, "must be a whole number from 1 to 1000, in questions per second")
	}
	c.Provider.Rate = n
}

// webhookURL takes what the provider calls. A simulator, which has an http
// address, calls any http address.
func webhookURL(r *reader, name, value string, c *Config) {
	c.Webhook.URL = value
	if strings.HasPrefix(c.Provider.URL, "http://") {
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || len(value) > schema.MaxNotificationURL {
			r.bad(name, "must be an http or https address of at most 150 characters")
		}
		return
	}
	if err := schema.CheckNotificationURL(value); err != nil {
		r.bad(name, err.Error())
	}
}

var hostPattern = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$`)

func allowedHosts(r *reader, name, value string, c *Config) {
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		_, port, _ := net.SplitHostPort(part) // no port is fine
		if !hostPattern.MatchString(part) || !validPort(port) {
			r.bad(name, `must be hosts such as "events.example.com" or "events.example.com:8443", separated by commas`)
			return
		}
		c.Provider.AllowedHosts = append(c.Provider.AllowedHosts, part)
	}
}

// Limits of AFTERCARE.
const (
	maxAftercare      = 20
	longestAftercare  = 30 * 24 * time.Hour
	shortestAftercare = time.Second
)

func aftercare(r *reader, name, value string, c *Config) {
	if value == "" {
		return
	}
	var times []time.Duration
	for part := range strings.SplitSeq(value, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil || d < shortestAftercare || d > longestAftercare || len(times) == maxAftercare ||
			len(times) > 0 && d <= times[len(times)-1] {
			r.bad(name, `must be at most 20 durations in ascending order, from 1s to 720h, such as "15s,1m,5m" (empty: never)`)
			return
		}
		times = append(times, d)
	}
	c.Timing.Aftercare = times
}

var replicaPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func replicaID(r *reader, name, value string, c *Config) {
	if value == "" {
		value = newReplicaID()
	}
	if !replicaPattern.MatchString(value) {
		r.bad(name, "must be 1 to 64 characters of A-Z a-z 0-9 . _ -")
	}
	c.ReplicaID = value
}

var notInReplicaID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// newReplicaID names a replica after its host, with a random end so that a
// restarted container is not mistaken for the container before it.
func newReplicaID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "bridge"
	}
	host = notInReplicaID.ReplaceAllString(host, "-")
	return host[:min(len(host), 56)] + "-" + strings.ToLower(rand.Text()[:6])
}
