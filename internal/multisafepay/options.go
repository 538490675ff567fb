package multisafepay

import (
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Defaults and bounds.
const (
	// DefaultRequestTimeout is used when Options.RequestTimeout is 0.
	DefaultRequestTimeout = 10 * time.Second
	// DefaultIdleTimeout is used when Options.IdleTimeout is 0.
	DefaultIdleTimeout = 45 * time.Second

	// maxBody is the most that is read of an answer, in bytes.
	maxBody = 1 << 20
	// maxHeader is the most that is read of an answer's header, in bytes.
	maxHeader = 64 << 10
	// maxConns bounds the connections for questions, and once more those for
	// creates and cancels; further calls wait, within their time. Streams have a
	// transport of their own without such a bound.
	maxConns = 128
	// maxDial bounds connecting and the TLS handshake, one by one.
	maxDial = 5 * time.Second
)

// Options are the settings of a Client.
type Options struct {
	// BaseURL is the root of the API, for example
	// https://api.multisafepay.com/v1/json. No user, query or fragment.
	BaseURL string
	// RequestTimeout bounds a whole call, its body included; 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration
	// IdleTimeout is how long a stream may be without a byte; 0 means DefaultIdleTimeout.
	IdleTimeout time.Duration
	// EventsAuth is the form of a stream's Authorization header: "token" (or
	// empty) for the bare token, "bearer" for the Bearer scheme.
	EventsAuth string
	// EventsAllowedHosts are further hosts that may be sent an events token,
	// "host" (any port) or "host:port", besides the API's own host and port and,
	// when that is of multisafepay.com, its subdomains over https.
	EventsAllowedHosts []string
	// UserAgent of every request; empty means "posbridge".
	UserAgent string
	// RootCAs the provider's certificate must come from; nil means the system's.
	// To trust further ones, append them to x509.SystemCertPool.
	RootCAs *x509.CertPool
	// Observe is told of every request that was made: the operation, the HTTP
	// status in digits or "error" when no complete answer came, and the time it
	// took; for a stream the time until the header came. It may be nil, and
	// must be safe for concurrent use.
	Observe func(operation, code string, took time.Duration)
}

// withDefaults checks the options and fills in what was left out. The base URL is
// checked apart.
func (o Options) withDefaults() (Options, error) {
	if o.RequestTimeout < 0 || o.IdleTimeout < 0 {
		return o, errors.New("request and idle timeouts must be positive durations")
	}
	if o.EventsAuth != "" && o.EventsAuth != "token" && o.EventsAuth != "bearer" {
		return o, errors.New("events auth must be token or bearer")
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "posbridge"
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	return o, nil
}

// parseBase checks the API's URL. Its errors never quote it.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("API URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("API URL must use http or https")
	case u.User != nil:
		return nil, errors.New("API URL must not have a user or password")
	case u.Opaque != "" || u.Host == "":
		return nil, errors.New("API URL must have a host")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("API URL must not have a query")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("API URL must not have a fragment")
	}
	return u, nil
}
