package till

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Limits of the connection.
const (
	// connectLimit is how long one server may take to accept the connection.
	connectLimit = 5 * time.Second
	// flushLimit is how long the server may take to answer a ping.
	flushLimit = 5 * time.Second
)

// Till is one connection to the bus. Close it. Its methods may be called from
// several goroutines.
type Till struct {
	settings Settings
	conn     *nats.Conn

	mu      sync.Mutex
	waiting map[*wait]struct{} // requests that a refusal of the server's ends early
}

// wait is a request under way: what it publishes to, and how to end it.
type wait struct {
	subject string
	end     context.CancelCauseFunc
}

// ConnectError says that the bus could not be reached or would not have us.
type ConnectError struct {
	// Server as in Settings.Server.
	Server string
	Err    error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to NATS at %s: %s", e.Server, connectProblem(e.Err))
}

func (e *ConnectError) Unwrap() error { return e.Err }

// connectProblem puts nats.go's error in a person's words. Its own text may
// hold a URL with a password, so that text is used for known errors alone.
func connectProblem(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "there is no such host"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if call, ok := errors.AsType[*os.SyscallError](op.Err); ok {
			return call.Err.Error()
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "stopped before there was an answer"
	case errors.Is(err, nats.ErrNoServers):
		return "no server answers there"
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired):
		return "the server refuses these credentials"
	case errors.Is(err, nats.ErrSecureConnRequired):
		return "the server asks for TLS"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "the server does not speak TLS"
	case errors.Is(err, nats.ErrMaxConnectionsExceeded), errors.Is(err, nats.ErrMaxAccountConnectionsExceeded):
		return "the server has no room for another connection"
	}
	text := err.Error()
	if strings.Contains(text, "@") {
		return "the connection cannot be made"
	}
	return Printable(strings.TrimPrefix(text, "nats: "), maxShown)
}

// Connect connects to the bus. It waits for a server for a few seconds at most;
// a connection that is lost later is made again for as long as it takes. The
// error is a *ConnectError.
func Connect(ctx context.Context, settings Settings) (*Till, error) {
	t := &Till{settings: settings, waiting: map[*wait]struct{}{}}
	options := append([]nats.Option{
		nats.Name("pos-bridge (a person's hand)"),
		nats.Timeout(connectLimit),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now must not be sent behind our back later
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(t.asyncError),
	}, settings.options...)

	type outcome struct {
		conn *nats.Conn
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		conn, err := settings.dial(options)
		done <- outcome{conn, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, &ConnectError{settings.Server(), o.err}
		}
		t.conn = o.conn
		return t, nil
	case <-ctx.Done():
		go func() { // ends within connectLimit per server
			if o := <-done; o.conn != nil {
				o.conn.Close()
			}
		}()
		return nil, &ConnectError{settings.Server(), context.Cause(ctx)}
	}
}

// Close ends the connection at once.
func (t *Till) Close() { t.conn.Close() }

// Server is where the till is connected, as in Settings.Server.
func (t *Till) Server() string { return t.settings.Server() }

// DeniedError says that the NATS user lacks a right.
type DeniedError struct {
	// Subject that it may not publish or subscribe to.
	Subject string
	// Subscribe is true when the right to subscribe is missing.
	Subscribe bool
}

func (e *DeniedError) Error() string {
	if e.Subscribe {
		return fmt.Sprintf("this NATS user may not subscribe to %q", e.Subject)
	}
	return fmt.Sprintf("this NATS user may not publish to %q", e.Subject)
}

// asyncError ends requests that the server will never pass on: it reports a
// missing right beside the request, which would otherwise run into its limit.
func (t *Till) asyncError(conn *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	inbox := conn.NewInbox()
	inbox = inbox[:strings.LastIndexByte(inbox, '.')+1]
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.waiting {
		switch {
		case names(err, w.subject):
			w.end(&DeniedError{Subject: w.subject})
		case strings.Contains(err.Error(), `"`+inbox): // no answer can ever arrive
			w.end(&DeniedError{Subject: inbox + ">", Subscribe: true})
		}
	}
}

// names tells whether a permissions violation is about subject. nats.go has
// nothing but the server's text.
func names(err error, subject string) bool {
	return strings.Contains(err.Error(), strconv.Quote(subject))
}

// expect registers a request to subject, so that a refusal ends its context.
// Call the function that it returns when the request is over.
func (t *Till) expect(ctx context.Context, subject string) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	w := &wait{subject: subject, end: end}
	t.mu.Lock()
	t.waiting[w] = struct{}{}
	t.mu.Unlock()
	return ctx, func() {
		t.mu.Lock()
		delete(t.waiting, w)
		t.mu.Unlock()
		end(nil)
	}
}

// subscribe subscribes and makes sure that the server took the subscription.
// The handler's goroutine is nats.go's; messages of one subscription come one
// after the other.
func (t *Till) subscribe(ctx context.Context, subject string, handle nats.MsgHandler) (*nats.Subscription, error) {
	sub, err := t.conn.Subscribe(subject, handle)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	err = t.conn.FlushWithContext(ctx)
	if err == nil {
		if last := t.conn.LastError(); errors.Is(last, nats.ErrPermissionViolation) && names(last, subject) {
			err = &DeniedError{Subject: subject, Subscribe: true}
		}
	}
	if err != nil {
		_ = sub.Unsubscribe() // the connection may be gone, and the subscription with it
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return sub, nil
}

// waitConnected returns when the connection stands, or with ErrClosed or the
// context's error.
func (t *Till) waitConnected(ctx context.Context) error {
	changes := t.conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer t.conn.RemoveStatusListener(changes)
	for {
		switch t.conn.Status() {
		case nats.CONNECTED:
			return nil
		case nats.CLOSED:
			return ErrClosed
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ErrClosed says that the connection is gone for good: the server refused the
// credentials when it was made again.
var ErrClosed = errors.New("the connection to NATS is closed: the server no longer accepts these credentials")
