package multisafepay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// caller makes requests that are answered at once. Creates and cancels have
// connections of their own, so that they never wait for questions, whatever the
// connections speak.
type caller struct {
	base      string // without a trailing slash
	timeout   time.Duration
	userAgent string
	observe   func(operation, code string, took time.Duration)

	// Round trippers, not http.Clients: these follow no redirect, keep no
	// cookie and put no URL in their errors.
	questions, money *http.Transport
}

// errOwnTimeout is the cause of a context that Options.RequestTimeout ended.
var errOwnTimeout = errors.New("no complete answer in time")

// request is one call of the API.
type request struct {
	op, method string
	// order is what it is about; empty for a list of terminals.
	order string
	// path below the base URL, escaped.
	path  string
	query url.Values
	key   redact.Secret
	// body is JSON, or nil for none.
	body []byte
	// notAfter is when it must not be written any more; zero for no such time.
	notAfter time.Time
	// hide removes secrets from what the answer says.
	hide redact.Scrubber
}

// call makes one request and returns its whole answer if that is a yes, within the
// time-out. What an answer means is classify's business.
func (c *caller) call(ctx context.Context, r request) (answer, error) {
	if r.order == "" && r.op != OpTerminals { // the path would be that of all orders
		return answer{}, &Error{Op: r.op, Kind: KindNonsense, Err: errNoOrderID}
	}
	start := time.Now()
	g := &guard{notAfter: r.notAfter}
	a, err := c.exchange(ctx, r, g)
	switch {
	case err == nil:
		c.observe(r.op, strconv.Itoa(a.status), time.Since(start))
		err = a.check()
		return a, err
	case !g.tooLate(): // else no request was made
		c.observe(r.op, "error", time.Since(start))
	}
	return answer{}, transportError(ctx, r.op, err, g, r.hide)
}

// exchange is the round trip itself.
func (c *caller) exchange(ctx context.Context, r request, g *guard) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errOwnTimeout)
	defer cancel()
	ctx, stop := g.watch(ctx)
	defer stop()
	req, err := c.build(ctx, r)
	if err != nil {
		return answer{}, err
	}
	transport := c.questions
	if r.op == OpCreate || r.op == OpCancel {
		transport = c.money
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}, errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	plain, ok := decompress(resp.Header.Get("Content-Encoding"), resp.Body)
	if !ok {
		plain = resp.Body
	}
	content, err := io.ReadAll(io.LimitReader(plain, maxBody+1))
	switch {
	case len(content) > maxBody:
		content = nil
	case err != nil:
		return answer{}, errors.Join(err, context.Cause(ctx))
	}
	return answer{request: r, status: resp.StatusCode, header: resp.Header, body: content}, nil
}

// build makes the HTTP request of a call.
func (c *caller) build(ctx context.Context, r request) (*http.Request, error) {
	query := url.Values{"api_key": {r.key.Reveal()}}
	for name, values := range r.query {
		query[name] = values
	}
	var body io.Reader = http.NoBody
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path+"?"+query.Encode(), body)
	if err != nil {
		return nil, errors.New("build request: not a URL") // err quotes it
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// transportError says what the lack of a complete answer means. ctx is the caller's.
func transportError(ctx context.Context, op string, err error, g *guard, s redact.Scrubber) *Error {
	e := &Error{Op: op, Kind: KindLost, Sent: g.mayHaveLeft(), reason: ReasonTransport}
	var timeout net.Error
	switch {
	case g.tooLate():
		e.Kind, e.Err = KindTooLate, ErrTooLate
		return e
	case ctx.Err() != nil:
		e.Kind, e.reason = KindCancelled, ReasonCancelled
		e.Err = newCause(ctx.Err(), s)
		return e
	case !e.Sent:
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
