package multisafepay

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

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

// callTransport returns one for requests that are answered at once.
func callTransport(o Options) *http.Transport {
	t := newTransport(o)
	t.MaxConnsPerHost = maxConns
	t.MaxIdleConnsPerHost = maxConns
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatedConn{Conn: conn}, nil
	}
	return t
}

// streamTransport returns one for event streams.
func streamTransport(o Options) *http.Transport {
	t := newTransport(o)
	t.ResponseHeaderTimeout = o.RequestTimeout
	t.ReadBufferSize = 1 << 10
	t.WriteBufferSize = 1 << 10
	return t
}
