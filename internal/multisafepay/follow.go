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
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/internal/redact"
)

// MaxEventSize is the longest event that is read, in bytes as it is on the wire,
// without comments and lines that are no field.
const MaxEventSize = 64 << 10

// StreamHandler is told what happens on a stream. Its functions are called one
// after the other, never two at once, and never after Follow has returned; any
// of them may be nil. While one blocks nothing more is read: that is the
// back-pressure. They must return when the context that Follow was
// given ends.
type StreamHandler struct {
	// OrderID is the order whose events are wanted; events of others are reported
	// as foreign. Without it the events of every order count.
	OrderID string
	// Opened is called when 200 and an event stream's header have arrived.
	Opened func()
	// Event is called for everything that a server-sent event held; that may be
	// several things.
	Event func(StreamEvent)
	// Unsettled is called when whoever follows should ask for the order: a data
	// line has arrived and no event came of it for about 200 ms, as when the server
	// forgets the blank line (at most once per data line, at most once in 200 ms).
	Unsettled func()
	// Retry is called when the server advises how long to wait before a
	// connection is made again, at most an hour.
	Retry func(time.Duration)
}

// Follow makes one attempt to connect to a stream and reads it to its end. It
// never returns nil: the error wraps one of the ErrStream sentinels, or what the
// transport reported, in an *Error. After ErrStreamHost and ErrStreamToken there
// is no point in another attempt; after ErrStreamRefused there is as long as the
// token is valid, see Stream.Expires. The token is sent to allowed hosts only.
// lastID is the ID of the last event that was dealt with, "" for none; the server
// may send what came after it.
func (c *Client) Follow(ctx context.Context, s Stream, lastID string, h StreamHandler) error {
	return c.attempt(ctx, s, lastID, h, func(ctx context.Context, r *streamReader) error {
		return c.read(ctx, r, s.Token, h)
	})
}

// attempt connects to a stream, lets read have its body, and returns what ended it.
func (c *Client) attempt(ctx context.Context, s Stream, lastID string, h StreamHandler, read func(context.Context, *streamReader) error) error {
	target, err := c.hosts.check(s.URL)
	if err != nil {
		return &Error{Op: OpStream, Kind: KindNonsense, Err: err}
	}
	token := s.Token.Reveal()
	if !sendable(token) {
		return &Error{Op: OpStream, Kind: KindNonsense, Err: ErrStreamToken}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, failed := c.open(ctx, target, token, lastID)
	if failed != nil {
		return failed
	}
	defer resp.Body.Close()
	if failed := checkStream(resp); failed != nil {
		return failed
	}
	body, _ := decompress(resp.Header.Get("Content-Encoding"), resp.Body)
	r := newStreamReader(body, c.idle, func() { cancel(ErrStreamIdle) }, h)
	defer r.stop()
	return read(ctx, r)
}

// open sends the request and waits for the header of the answer.
func (c *Client) open(ctx context.Context, target *url.URL, token, lastID string) (*http.Response, *Error) {
	header := http.Header{
		"Authorization":   {token},
		"Accept":          {"text/event-stream"},
		"Accept-Encoding": {"identity"},
		"Cache-Control":   {"no-cache"},
		"User-Agent":      {c.calls.userAgent},
	}
	if c.bearer {
		header.Set("Authorization", "Bearer "+token)
	}
	if lastID != "" && sendable(lastID) {
		header.Set("Last-Event-ID", lastID)
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
		if _, readable := decompress(resp.Header.Get("Content-Encoding"), nil); may && readable {
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
		e.Kind, e.Err = KindLimited, ErrStreamAnswer
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		e.Kind, e.Err = KindTimeout, ErrStreamAnswer
	case status >= 500:
		e.Kind, e.Err = KindUnavailable, ErrStreamAnswer
	default:
		e.Kind, e.Err = KindNonsense, ErrStreamAnswer
	}
	return e
}

// read hands every event to h until the stream ends, one way or another.
func (c *Client) read(ctx context.Context, r *streamReader, token redact.Secret, h StreamHandler) error {
	own := redact.NewScrubber(token)
	hide := func() redact.Scrubber { return c.keys.Scrubber().And(own) }
	events := eventReader{order: h.OrderID, hide: hide}
	r.call(ctx, h.Opened)
	err := serverEvents(r, func(event sse.Event) error {
		for _, e := range events.read(event.Type, event.LastEventID, event.Data) {
			call := func() {
				if h.Event != nil {
					h.Event(e)
				}
			}
			if !r.call(ctx, call) {
				return ctx.Err()
			}
		}
		return nil
	})
	return streamError(ctx, err, hide())
}

// serverEvents hands every event, of whatever type, to take until take fails or
// the stream ends: then the error is io.EOF for an orderly end. A parser has a buffer
// of 4 KiB, so none is kept while the stream is silent.
func serverEvents(r *streamReader, take func(sse.Event) error) error {
	lastID := ""
	for r.more(lastID) {
		own := lastID == "" // the first event is the one that tells the parser the id
		for event, err := range sse.Read(r, &sse.ReadConfig{MaxEventSize: MaxEventSize}) {
			if err == nil && own {
				lastID = event.LastEventID
				err = take(event)
			}
			if err != nil {
				return err
			}
			own = true
		}
	}
	return r.err
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
