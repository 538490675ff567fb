package multisafepay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/internal/redact"
)

// Bounds of a stream.
const (
	// MaxEventSize is the longest event that is read, in bytes as it stands on
	// the wire, without comments and lines that are no field.
	MaxEventSize = 64 << 10
	// maxToken and maxStreamURL are the longest of each that are taken for usable.
	maxToken     = 8 << 10
	maxStreamURL = 2 << 10
)

// Stream is where an order's events come from. The zero value is no stream.
type Stream struct {
	// URL is the same for every order.
	URL string
	// Token says whose events come. It expires.
	Token redact.Secret
}

// IsZero tells whether there is no stream to follow.
func (s Stream) IsZero() bool { return s.URL == "" || s.Token.IsZero() }

// newStream returns the zero Stream when URL or token cannot be used. White space
// around them is none of theirs; within the token it may be, as in the one that
// the provider's page shows.
func newStream(rawURL, token string) Stream {
	rawURL, token = strings.Trim(rawURL, around), strings.Trim(token, around)
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || len(rawURL) > maxStreamURL || !sendable(token) {
		return Stream{}
	}
	return Stream{URL: rawURL, Token: redact.NewSecret(token)}
}

// around is the white space that is taken off a stream's URL and token.
const around = " \t\r\n"

// sendable tells whether a token can stand in a header: visible ASCII, blanks
// and tabs within, not too long.
func sendable(token string) bool {
	if token == "" || len(token) > maxToken || strings.Trim(token, " \t") != token {
		return false
	}
	for i := range len(token) {
		if c := token[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// StreamHandler is told what happens on a stream. Its functions are called one
// after the other, never two at once, and never after Follow has returned; any
// of them may be nil. While one blocks nothing more is read: that is the
// back-pressure. They must return when the context that Follow was
// given ends.
type StreamHandler struct {
	// Opened is called when 200 and an event stream's header have arrived.
	Opened func()
	// Event is called for every JSON document; one server-sent event may hold several.
	Event func(StreamEvent)
	// Unsettled is called when a data line has arrived and no event came of it
	// for about 200 ms, as when the server forgets the blank line: whoever
	// follows should ask for the order. At most once per data line, at most once
	// in 200 ms.
	Unsettled func()
}

// Follow makes one attempt to connect to a stream and reads it to its end. It
// never returns nil: the error wraps one of the ErrStream sentinels, or what the
// transport reported, in an *Error. The token is sent to allowed hosts only.
func (c *Client) Follow(ctx context.Context, s Stream, h StreamHandler) error {
	return c.attempt(ctx, s, h.Unsettled, func(ctx context.Context, r *streamReader) error {
		return c.read(ctx, r, s.Token, h)
	})
}

// attempt connects to a stream, lets read have its body, and returns what ended it.
func (c *Client) attempt(ctx context.Context, s Stream, unsettled func(), read func(context.Context, *streamReader) error) error {
	target, err := c.hosts.check(s.URL)
	if err != nil {
		return &Error{Op: OpStream, Kind: KindNonsense, Err: err}
	}
	token := s.Token.Reveal()
	if !sendable(token) {
		return &Error{Op: OpStream, Kind: KindRejected, Err: ErrStreamRefused}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, failed := c.open(ctx, target, token)
	if failed != nil {
		return failed
	}
	defer resp.Body.Close()
	if failed := checkStream(resp); failed != nil {
		return failed
	}
	r := newStreamReader(resp.Body, c.idle, func() { cancel(ErrStreamIdle) }, unsettled)
	defer r.stop()
	return read(ctx, r)
}

// open sends the request and waits for the header of the answer.
func (c *Client) open(ctx context.Context, target *url.URL, token string) (*http.Response, *Error) {
	header := http.Header{
		"Authorization": {token},
		"Accept":        {"text/event-stream"},
		"Cache-Control": {"no-cache"},
		"User-Agent":    {c.calls.userAgent},
	}
	if c.bearer {
		header.Set("Authorization", "Bearer "+token)
	}
	var g guard
	req := (&http.Request{
		Method: http.MethodGet, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(g.trace(ctx))
	start := time.Now()
	resp, err := c.streams.RoundTrip(req)
	if err != nil {
		c.calls.observe(OpStream, "error", time.Since(start))
		return nil, transportError(ctx, OpStream, err, &g, c.keys.Scrubber(redact.NewSecret(token)))
	}
	c.calls.observe(OpStream, strconv.Itoa(resp.StatusCode), time.Since(start))
	return resp, nil
}

// checkStream returns nil when the answer is, or may be, an event stream: some
// servers and proxies name no type or text/plain.
func checkStream(resp *http.Response) *Error {
	e := &Error{Op: OpStream, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now()), Sent: true}
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		contentType := resp.Header.Get("Content-Type")
		media, _, err := mime.ParseMediaType(contentType)
		if errors.Is(err, mime.ErrInvalidMediaParameter) {
			err = nil // the type itself is fine
		}
		may := contentType == "" || err == nil && (media == "text/event-stream" || media == "text/plain")
		encoding := strings.ToLower(resp.Header.Get("Content-Encoding"))
		if may && (encoding == "" || encoding == "identity") {
			return nil
		}
		e.Kind, e.Err, e.reason = KindNonsense, ErrStreamAnswer, ReasonContentType
	case status == http.StatusNoContent:
		e.Kind, e.Err = KindLost, ErrStreamEnded
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusGone:
		e.Kind, e.Err = KindRejected, ErrStreamRefused
	case status >= 300 && status < 400:
		e.Kind, e.Err, e.reason = KindNonsense, ErrStreamAnswer, ReasonRedirect
	case status == http.StatusTooManyRequests:
		e.Kind, e.Err, e.reason = KindLimited, ErrStreamAnswer, ReasonStatus
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		e.Kind, e.Err, e.reason = KindTimeout, ErrStreamAnswer, ReasonStatus
	case status >= 500:
		e.Kind, e.Err, e.reason = KindUnavailable, ErrStreamAnswer, ReasonStatus
	default:
		e.Kind, e.Err, e.reason = KindNonsense, ErrStreamAnswer, ReasonStatus
	}
	return e
}

// read hands every event to h until the stream ends, one way or another.
func (c *Client) read(ctx context.Context, r *streamReader, token redact.Secret, h StreamHandler) error {
	own := redact.NewScrubber(token)
	hide := func() redact.Scrubber { return c.keys.Scrubber().And(own) }
	r.call(ctx, h.Opened)
	err := serverEvents(r, func(event sse.Event) error {
		if h.Event == nil || event.Type != orderEventType {
			return nil
		}
		for e := range orderEvents(event.Data, hide) {
			if !r.call(ctx, func() { h.Event(e) }) {
				return ctx.Err()
			}
		}
		return nil
	})
	return streamError(ctx, err, hide())
}

// serverEvents hands every event, of whatever type, to take until take fails or
// the stream ends: then the error is io.EOF for an orderly end.
func serverEvents(r *streamReader, take func(sse.Event) error) error {
	for event, err := range sse.Read(r, &sse.ReadConfig{MaxEventSize: MaxEventSize}) {
		if err == nil {
			err = take(event)
		}
		if err != nil {
			return err
		}
	}
	return io.EOF
}

// streamError says why reading a stream ended. ctx is the connection's: its
// cause tells our own idle limit from the caller's end.
func streamError(ctx context.Context, err error, s redact.Scrubber) *Error {
	e := &Error{Op: OpStream, Kind: KindLost, Status: http.StatusOK, Sent: true}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrStreamIdle):
		e.Kind, e.Err = KindTimeout, ErrStreamIdle
	case cause != nil:
		e.Kind, e.Err, e.reason = KindCancelled, newCause(ctx.Err(), s), ReasonCancelled
	case errors.Is(err, bufio.ErrTooLong):
		e.Kind, e.Err = KindNonsense, ErrStreamTooLarge
	case err == io.EOF: //nolint:errorlint // only the bare one is an orderly end
		e.Err = ErrStreamEnded
	default:
		e.Err, e.reason = newCause(err, s), ReasonTransport
	}
	return e
}
