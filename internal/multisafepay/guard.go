package multisafepay

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// guard watches one request on its way out. It knows whether anything may have
// left, and it keeps the request from being written after a point in time.
//
// The check is made when a connection has been found, and again directly before
// the request is written. That nothing leaves after a check that failed follows
// from how net/http writes: on HTTP/2 nothing is written for a context that has
// ended, on HTTP/1.1 the header stays in the buffer until the body has been
// read, and the guard's body fails.
type guard struct {
	// notAfter is when the request must not be written any more; zero for never.
	notAfter time.Time
	// cancel ends the request's context.
	cancel context.CancelCauseFunc
	state  atomic.Int32
	// http2 is whether the connection that was found speaks HTTP/2.
	http2 atomic.Bool
}

// The states of a guard.
const (
	// waiting for a connection: nothing has left.
	waiting int32 = iota
	// sending: something may have left.
	sending
	// late: nothing has left, and nothing will.
	late
)

// watch returns a context for the request that the guard is of. stop frees what
// belongs to it.
func (g *guard) watch(ctx context.Context) (watched context.Context, stop func()) {
	ctx, g.cancel = context.WithCancelCause(ctx)
	stop = func() { g.cancel(nil) }
	if !g.notAfter.IsZero() {
		timer := time.AfterFunc(time.Until(g.notAfter), g.giveUp)
		stop = func() { timer.Stop(); g.cancel(nil) }
	}
	return g.trace(ctx), stop
}

// trace is watch for a request that is never too late.
func (g *guard) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: g.found})
}

// giveUp ends a request that has no connection when its time is over.
func (g *guard) giveUp() {
	if g.state.CompareAndSwap(waiting, late) {
		g.cancel(ErrTooLate)
	}
}

// found is called when a connection has been found, before anything is written.
// It is called again when net/http tries another one because the first turned
// out to be closed, or because the server refused to look at the request: then
// again nothing has been carried out.
func (g *guard) found(info httptrace.GotConnInfo) {
	conn, ok := info.Conn.(*tls.Conn)
	g.http2.Store(ok && conn.ConnectionState().NegotiatedProtocol == "h2")
	if g.expired() {
		g.state.Store(late)
		g.cancel(ErrTooLate)
		return
	}
	g.state.CompareAndSwap(waiting, sending)
}

func (g *guard) expired() bool { return !g.notAfter.IsZero() && !time.Now().Before(g.notAfter) }

// mayHaveLeft tells whether something may have been written.
func (g *guard) mayHaveLeft() bool { return g.state.Load() == sending }

// tooLate tells whether the guard kept the request from being written.
func (g *guard) tooLate() bool { return g.state.Load() == late }

// body returns a request's body that cannot be read when it is too late.
func (g *guard) body(content []byte) io.ReadCloser {
	return io.NopCloser(&guardedBody{guard: g, content: bytes.NewReader(content)})
}

type guardedBody struct {
	guard   *guard
	content *bytes.Reader
	begun   bool
}

// Read implements io.Reader. The first call is what net/http makes directly
// before it writes to an HTTP/1.1 connection.
func (b *guardedBody) Read(p []byte) (int, error) {
	if !b.begun && !b.guard.http2.Load() && b.guard.expired() {
		b.guard.state.Store(late)
	}
	b.begun = true
	if b.guard.tooLate() {
		return 0, ErrTooLate
	}
	return b.content.Read(p)
}
