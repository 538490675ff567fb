package multisafepay

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// guard watches one request on its way out. It knows whether anything may have
// left, and it keeps the request from being written after a point in time.
//
// It checks the time when a connection has been found. On HTTP/1.1 it checks
// again in the connection's first Write, which belongs to the request alone. On
// HTTP/2 the connection is shared, and nothing is written for a request whose
// context has ended before net/http begins to write it.
type guard struct {
	// notAfter is when the request must not be written any more; zero for never.
	notAfter time.Time
	// cancel ends the request's context.
	cancel context.CancelCauseFunc
	state  atomic.Int32
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
// It is called again when net/http tries another one because nothing could be
// written to the first, or because the server refused to look at the request:
// then again nothing has been carried out.
func (g *guard) found(info httptrace.GotConnInfo) {
	if gate := gateOf(info.Conn); gate != nil {
		gate.guard.Store(g)
	}
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

// gatedConn is a connection whose next Write asks a guard.
type gatedConn struct {
	net.Conn
	// guard is that of the request that is about to be written; nil for none.
	guard atomic.Pointer[guard]
}

// Write implements net.Conn. It writes nothing when it is too late.
func (c *gatedConn) Write(p []byte) (int, error) {
	if g := c.guard.Swap(nil); g != nil && (g.tooLate() || g.expired()) {
		c.guard.Store(g) // nor will another Write
		g.state.Store(late)
		return 0, ErrTooLate
	}
	return c.Conn.Write(p)
}

// gateOf finds the gate under the TLS of a connection of HTTP/1.1; nil for one of
// HTTP/2.
func gateOf(conn net.Conn) *gatedConn {
	for {
		switch c := conn.(type) {
		case *gatedConn:
			return c
		case *tls.Conn:
			if c.ConnectionState().NegotiatedProtocol == "h2" {
				return nil
			}
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
