package check

import (
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
)

// Options of a check.
type Options struct {
	// Config is what "pos-bridge serve" would run with.
	Config bridge.Config
	// Create makes the JetStream objects that are missing.
	Create bool
	// ConnectTimeout bounds the wait for NATS; DefaultConnectTimeout when 0.
	ConnectTimeout time.Duration
	// UserAgent of the requests to the provider.
	UserAgent string
}

// DefaultConnectTimeout is how long NATS is waited for.
const DefaultConnectTimeout = 5 * time.Second

// checker is one check on its way.
type checker struct {
	Options
	Report
	client *multisafepay.Client
	groups *terminalgroups.Directory
	bus    *bus.Bus
	// missing is true when a JetStream object is not there yet.
	missing bool
	// clocks are what was seen of others' clocks.
	clocks []clock
}

// clock is what somebody's clock said at a time of ours.
type clock struct {
	whose      string
	said, ours time.Time
}

// prepare makes what a replica would make before it connects to anything.
func (c *checker) prepare() error {
	roots, err := c.Config.Provider.RootCAs()
	if err != nil {
		return bridge.BadVariable("API_CA_FILE", "must name a file with PEM certificates")
	}
	c.client, err = multisafepay.New(multisafepay.Options{
		BaseURL: c.Config.Provider.URL, RequestTimeout: c.Config.Timing.RequestTimeout, IdleTimeout: c.Config.Timing.IdleTimeout,
		EventsAuth: c.Config.Provider.EventsAuth, EventsAllowedHosts: c.Config.Provider.AllowedHosts, UserAgent: c.UserAgent, RootCAs: roots,
	})
	if err != nil {
		return bridge.BadVariable("API_URL", "or BRIDGE_EVENTS_ALLOWED_HOSTS cannot be used: "+err.Error())
	}
	if c.Config.Provider.GroupsFile == "" {
		c.groups = terminalgroups.Single(c.Config.Provider.Key)
		return nil
	}
	if c.groups, err = terminalgroups.Load(c.Config.Provider.GroupsFile, c.client.Terminals); err != nil {
		return bridge.BadVariable("TERMINAL_GROUPS_FILE", "must name a file of terminal groups: "+err.Error())
	}
	return nil
}
