// Package check is "pos-bridge check": it goes through everything that a replica
// needs, and says what is as it should be, what weakens a promise, what does not
// work, and what to do. It changes nothing unless it is told to, and disturbs no
// payment.
package check

import (
	"context"
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

// Run checks everything and returns what it found. The error is a
// *bridge.ConfigError: the configuration cannot be used, and nothing was asked.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	c := &checker{Options: o}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	defer c.client.Close()
	defer c.groups.Close()
	c.configuration()
	c.onNATS(ctx)
	c.onProvider(ctx)
	c.compareClocks()
	return &c.Report, nil
}

// Refused is the report on a configuration that cannot be used.
func Refused(err *bridge.ConfigError) *Report {
	r := &Report{}
	for _, problem := range err.Problems {
		r.add(areaConfiguration, "variables", Failure, "docs/operations.md lists every variable and what it takes", "%s", problem)
	}
	return r
}

// prepare makes what a replica would make before it connects to anything.
func (c *checker) prepare() error {
	roots, err := c.Config.Provider.RootCAs()
	if err != nil {
		return bridge.BadVariable("API_CA_FILE", "takes a file with PEM certificates")
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
		return bridge.BadVariable("TERMINAL_GROUPS_FILE", "takes a file of terminal groups: "+err.Error())
	}
	return nil
}
