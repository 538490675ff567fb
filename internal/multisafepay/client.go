package multisafepay

import (
	"net/http"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// Client talks to the provider. It is safe for concurrent use.
type Client struct {
	calls  caller
	idle   time.Duration
	bearer bool
	hosts  tokenHosts
	// streams, like the transports of calls, is no http.Client: it follows no
	// redirect, keeps no cookie and puts no URL in its errors.
	streams *http.Transport
	keys    redact.Keyring
}

// New checks the options and returns a client; it connects to nothing.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	hosts, err := newTokenHosts(base, o.EventsAllowedHosts)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	return &Client{
		calls: caller{
			base:      strings.TrimRight(base.String(), "/"),
			timeout:   o.RequestTimeout,
			userAgent: o.UserAgent,
			observe:   o.Observe,
			questions: callTransport(o),
			money:     callTransport(o),
		},
		idle:    o.IdleTimeout,
		bearer:  o.EventsAuth == "bearer",
		hosts:   hosts,
		streams: streamTransport(o),
	}, nil
}

// Close drops the idle connections. Calls and streams at work are ended by
// their contexts.
func (c *Client) Close() {
	c.calls.questions.CloseIdleConnections()
	c.calls.money.CloseIdleConnections()
	c.streams.CloseIdleConnections()
}

// request begins a request about an order, or about none.
func (c *Client) request(op, method, path, order string, key redact.Secret) request {
	c.keys.Remember(key)
	return request{op: op, method: method, path: path, order: order, key: key, hide: c.keys.Scrubber()}
}
