package bridge

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
)

// NewProvider returns the client of the provider and the directory of its keys; the client
// calls observe after every request, unless it is nil. It connects to nothing, and fails with
// *ConfigError.
func NewProvider(c Config, userAgent string, observe func(operation, code string, took time.Duration)) (*multisafepay.Client, *terminalgroups.Directory, error) {
	p := c.Provider
	roots, err := p.rootCAs()
	if err != nil {
		return nil, nil, BadVariable("API_CA_FILE", "must name a file with PEM certificates")
	}
	client, err := multisafepay.New(multisafepay.Options{
		BaseURL: p.URL, RequestTimeout: c.Timing.RequestTimeout, IdleTimeout: c.Timing.IdleTimeout,
		EventsAuth: p.EventsAuth, EventsAllowedHosts: p.AllowedHosts, RootCAs: roots, UserAgent: userAgent, Observe: observe,
	})
	if err != nil {
		return nil, nil, BadVariable("API_URL", "or BRIDGE_EVENTS_ALLOWED_HOSTS cannot be used: "+err.Error())
	}
	if p.GroupsFile == "" {
		return client, terminalgroups.Single(p.Key), nil
	}
	groups, err := terminalgroups.Load(p.GroupsFile, client.Terminals)
	if err != nil {
		return nil, nil, BadVariable("TERMINAL_GROUPS_FILE", "must name a file of terminal groups: "+err.Error())
	}
	return client, groups, nil
}

// rootCAs returns the authorities that the provider's certificate may come from:
// the system's and those of CAFile. nil stands for the system's alone.
func (p ProviderConfig) rootCAs() (*x509.CertPool, error) {
	if p.CAFile == "" {
		return nil, nil
	}
	content, err := os.ReadFile(p.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, errors.New("read certificate authorities: no PEM certificate")
	}
	return pool, nil
}
