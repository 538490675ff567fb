// Package check is "pos-bridge check": it goes through everything that a replica
// needs, and says what is as it should be, what weakens a promise, what does not
// work, and what to do. It changes nothing unless it is told to, and disturbs no
// payment.
package check

import (
	"context"

	"github.com/posbridge/bridge/bridge"
)

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
		r.add(areaConfiguration, "variables", Failure, "docs/operations.md lists every variable and what it accepts", "%s", problem)
	}
	return r
}
