package till

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/posbridge/bridge/client"
)

// connectLimit is how long one server may take to accept the connection.
const connectLimit = 5 * time.Second

// Till is one connection to the bus. Close it. Its methods may be called from
// several goroutines.
type Till struct {
	settings Settings
	conn     *nats.Conn
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
	options := append([]nats.Option{
		nats.Name("pos-bridge (a person's hand)"),
		nats.Timeout(connectLimit),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now must not be sent behind our back later
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // what matters ends a request
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
		return &Till{settings: settings, conn: o.conn}, nil
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

// client returns a client of the connection. Where the bridge is comes from the
// settings.
func (t *Till) client(options client.Options) (*client.Client, error) {
	options.Prefix = t.settings.Space.Prefix()
	options.JetStreamAPI = t.settings.api
	return client.New(t.conn, options)
}

// dial connects to the servers of the settings.
func (s Settings) dial(options []nats.Option) (*nats.Conn, error) {
	if s.contextFile == "" {
		return nats.Connect(s.servers, options...)
	}
	conn, _, err := natscontext.Connect(s.contextFile, options...)
	if err != nil {
		return nil, fmt.Errorf("connect with nats context %s: %w", s.Context, err)
	}
	return conn, nil
}
