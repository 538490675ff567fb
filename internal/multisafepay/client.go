package multisafepay

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// Names of the operations, as they stand in Error.Op and are observed.
const (
	OpCreate    = "create"
	OpGet       = "get"
	OpCancel    = "cancel"
	OpTerminals = "terminals"
	OpStream    = "stream"
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
	// maxConns bounds the connections for calls; further calls wait, within
	// their time. Streams have a transport of their own without such a bound.
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
	RootCAs *x509.CertPool
	// Observe is told of every request that was made: the operation, the HTTP
	// status in digits or "error" when no complete answer came, and the time it
	// took; for a stream the time until the header came. It may be nil, and
	// must be safe for concurrent use.
	Observe func(operation, code string, took time.Duration)
}

// Client talks to the provider. It is safe for concurrent use.
type Client struct {
	base      string // without a trailing slash
	timeout   time.Duration
	idle      time.Duration
	bearer    bool
	hosts     tokenHosts
	userAgent string
	observe   func(operation, code string, took time.Duration)

	// Round trippers, not http.Clients: these follow no redirect, keep no
	// cookie and put no URL in their errors.
	api     *http.Transport
	streams *http.Transport

	keys redact.Keyring
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
	if o.RequestTimeout < 0 || o.IdleTimeout < 0 {
		return nil, errors.New("request and idle time-outs: want positive durations")
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.EventsAuth != "" && o.EventsAuth != "token" && o.EventsAuth != "bearer" {
		return nil, errors.New("events auth: want token or bearer")
	}
	if o.UserAgent == "" {
		o.UserAgent = "posbridge"
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	api := newTransport(o)
	api.MaxConnsPerHost = maxConns
	api.MaxIdleConnsPerHost = maxConns
	streams := newTransport(o)
	streams.ResponseHeaderTimeout = o.RequestTimeout
	streams.ReadBufferSize = 1 << 10
	streams.WriteBufferSize = 1 << 10
	return &Client{
		base:      strings.TrimRight(base.String(), "/"),
		timeout:   o.RequestTimeout,
		idle:      o.IdleTimeout,
		bearer:    o.EventsAuth == "bearer",
		hosts:     hosts,
		userAgent: o.UserAgent,
		observe:   o.Observe,
		api:       api,
		streams:   streams,
	}, nil
}

// Close drops the idle connections. Calls and streams at work are ended by
// their contexts.
func (c *Client) Close() {
	c.api.CloseIdleConnections()
	c.streams.CloseIdleConnections()
}

// parseBase checks the API's URL. Its errors never quote it.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("API URL: not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("API URL: want http or https")
	case u.User != nil:
		return nil, errors.New("API URL: want no user or password in it")
	case u.Opaque != "" || u.Host == "":
		return nil, errors.New("API URL: want a host")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("API URL: want no query")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("API URL: want no fragment")
	}
	return u, nil
}

// newTransport returns what calls and streams have in common.
func newTransport(o Options) *http.Transport {
	dialer := &net.Dialer{Timeout: min(maxDial, o.RequestTimeout), KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    min(maxDial, o.RequestTimeout),
		DisableCompression:     true,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		HTTP2: &http.HTTP2Config{
			// A dead connection would otherwise be used again and again, for
			// as long as TCP needs to notice.
			SendPingTimeout:           10 * time.Second,
			PingTimeout:               5 * time.Second,
			MaxReceiveBufferPerStream: 128 << 10,
		},
	}
}

// errOwnTimeout is the cause of a context that Options.RequestTimeout ended.
var errOwnTimeout = errors.New("no complete answer in time")

// request is one call of the API.
type request struct {
	op, method string
	// path below the base URL, escaped.
	path  string
	query url.Values
	key   redact.Secret
	// body is JSON, or nil for none.
	body []byte
	// hide removes secrets from what the answer says.
	hide redact.Scrubber
}

// request begins a request.
func (c *Client) request(op, method, path string, key redact.Secret) request {
	c.keys.Remember(key)
	return request{op: op, method: method, path: path, key: key, hide: c.keys.Scrubber()}
}

// answer is a complete answer; its body is nil when it was longer than maxBody.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call makes one request and reads its whole answer, within RequestTimeout. It
// reports only that there was no complete answer; what an answer means is
// classify's business.
func (c *Client) call(ctx context.Context, r request) (answer, *Error) {
	start := time.Now()
	var sent atomic.Bool
	a, err := c.exchange(ctx, r, &sent)
	code := "error"
	if err == nil {
		code = strconv.Itoa(a.status)
	}
	c.observe(r.op, code, time.Since(start))
	if err != nil {
		return answer{}, transportError(ctx, r.op, err, sent.Load(), r.hide)
	}
	return a, nil
}

// exchange is the round trip itself. sent is set as soon as anything may have
// been written.
func (c *Client) exchange(ctx context.Context, r request, sent *atomic.Bool) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errOwnTimeout)
	defer cancel()
	query := url.Values{"api_key": {r.key.Reveal()}}
	for name, values := range r.query {
		query[name] = values
	}
	ctx = withSent(ctx, sent)
	var body io.Reader = http.NoBody
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path+"?"+query.Encode(), body)
	if err != nil {
		return answer{}, errors.New("build request: not a URL") // err quotes it
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.api.RoundTrip(req)
	if err != nil {
		return answer{}, errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case len(content) > maxBody:
		content = nil
	case err != nil:
		return answer{}, errors.Join(err, context.Cause(ctx))
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: content}, nil
}

// withSent makes requests of the context set sent as soon as they have a
// connection: from then on something may have been written.
func withSent(ctx context.Context, sent *atomic.Bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
}

// transportError says what the lack of a complete answer means. ctx is the caller's.
func transportError(ctx context.Context, op string, err error, sent bool, s redact.Scrubber) *Error {
	e := &Error{Op: op, Kind: KindLost, Sent: sent, reason: ReasonTransport}
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		e.Kind, e.reason = KindCancelled, ReasonCancelled
		e.Err = newCause(ctx.Err(), s)
		return e
	case !sent:
		e.Kind = KindUnreachable
	case errors.Is(err, errOwnTimeout), errors.As(err, &timeout) && timeout.Timeout():
		e.Kind = KindTimeout
	}
	if errors.Is(err, errOwnTimeout) {
		e.Err = newCause(errOwnTimeout, s)
	} else {
		e.Err = newCause(err, s)
	}
	return e
}
