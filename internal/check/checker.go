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
func (c *checker) prepare() (err error) {
	c.client, c.groups, err = bridge.NewProvider(c.Config, c.UserAgent, nil)
	return err
}
