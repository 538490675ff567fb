package multisafepay

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// rawServer accepts connections and hands each request, read to its end, to
// handle, which writes to the connection what it likes. The connection is closed
// when handle returns false.
func rawServer(t *testing.T, handle func(conn net.Conn, r *http.Request) bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			conns.Go(func() {
				defer conn.Close()
				for br := bufio.NewReader(conn); ; {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if !handle(conn, r) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		conns.Wait()
	})
	return "http://" + listener.Addr().String()
}

func send(conn net.Conn, s string) bool {
	_, err := io.WriteString(conn, s)
	return err == nil
}

// drip sends s over and over, a piece at a time, until the other side leaves.
func drip(conn net.Conn, s string) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for send(conn, s) {
		<-tick.C
	}
	return false
}

// deadURL is an address on which nothing listens.
func deadURL(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

// calls are all operations but the stream.
var calls = map[string]func(ctx context.Context, c *Client) error{
	OpCreate: func(ctx context.Context, c *Client) error {
		_, err := c.Create(ctx, redact.NewSecret(testKey), schema.StartRequest{OrderID: "A1"}, time.Time{})
		return err
	},
	OpGet: func(ctx context.Context, c *Client) error {
		_, err := c.Get(ctx, redact.NewSecret(testKey), "A1")
		return err
	},
	OpCancel: func(ctx context.Context, c *Client) error {
		_, err := c.Cancel(ctx, redact.NewSecret(testKey), "A1")
		return err
	},
	OpReceipt: func(ctx context.Context, c *Client) error {
		_, err := c.Receipt(ctx, redact.NewSecret(testKey), "A1")
		return err
	},
	OpTerminals: func(ctx context.Context, c *Client) error {
		_, err := c.Terminals(ctx, redact.NewSecret(testKey), "")
		return err
	},
}

// half is an answer that stops in the middle of its body.
const half = "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"success\":true"

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	closes := func(s string) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, _ *http.Request) bool { send(conn, s); return false }
	}
	tests := map[string]struct {
		handle func(net.Conn, *http.Request) bool
		want   Kind
	}{
		"cut before the answer":   {closes(""), KindLost},
		"cut in the status line":  {closes("HTTP/1.1 20"), KindLost},
		"cut in the header":       {closes("HTTP/1.1 200 OK\r\nContent-Le"), KindLost},
		"cut before the body":     {closes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), KindLost},
		"cut in the body":         {closes(strings.Replace(half, "%d", "200", 1)), KindLost},
		"cut in a chunk":          {closes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"succ"), KindLost},
		"cut between chunks":      {closes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), KindLost},
		"cut in a refusal's body": {closes(strings.Replace(half, "%d", "400", 1)), KindLost},
		"cut in a key refusal":    {closes(strings.Replace(half, "%d", "401", 1)), KindLost},
		"cut in a server error":   {closes(strings.Replace(half, "%d", "503", 1)), KindLost},
		"not HTTP":                {closes("220 mail.example ESMTP " + testKey + "\r\n"), KindLost},
		"bad chunk":               {closes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), KindLost},
		"two lengths":             {closes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), KindLost},
		"huge header":             {closes("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n"), KindLost},
		"compressed all the same": {closes("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), KindLost},
		"says nothing":            {func(conn net.Conn, _ *http.Request) bool { _, _ = io.Copy(io.Discard, conn); return false }, KindTimeout},
		"slow status line":        {func(conn net.Conn, _ *http.Request) bool { return drip(conn, "H") }, KindTimeout},
		"slow header": {func(conn net.Conn, _ *http.Request) bool {
			send(conn, "HTTP/1.1 200 OK\r\n")
			return drip(conn, "X: y\r\n")
		}, KindTimeout},
		"slow body": {func(conn net.Conn, _ *http.Request) bool {
			send(conn, "HTTP/1.1 200 OK\r\n\r\n")
			return drip(conn, " ")
		}, KindTimeout},
		"slow body of an error": {func(conn net.Conn, _ *http.Request) bool {
			send(conn, "HTTP/1.1 500 Oh\r\n\r\n")
			return drip(conn, " ")
		}, KindTimeout},
		"endless interim answers":    {func(conn net.Conn, _ *http.Request) bool { return drip(conn, "HTTP/1.1 102 Processing\r\n\r\n") }, KindTimeout},
		"endless body":               {endless("200 OK"), KindLost},
		"endless body of an error":   {endless("500 Oh"), KindUnavailable},
		"endless body of a refusal":  {endless("400 No"), KindNonsense},
		"endless body of a redirect": {endless("302 Go\r\nLocation: /"), KindNonsense},
	}
	for name, test := range tests {
		for op, call := range calls {
			t.Run(name+"/"+op, func(t *testing.T) {
				t.Parallel()
				client := newClient(t, Options{BaseURL: rawServer(t, test.handle), RequestTimeout: 300 * time.Millisecond})
				if test.want != KindTimeout {
					client.calls.timeout = 10 * time.Second
				}
				err := call(t.Context(), client)
				e := asError(t, err)
				if e.Kind != test.want {
					t.Errorf("error = %v, want kind %q", err, test.want)
				}
				if !e.Sent || e.Op != op {
					t.Errorf("error = %+v, want it sent by %s", e, op)
				}
				checkError(t, err)
			})
		}
	}
}

// endless answers with a body that never ends, as fast as it is read.
func endless(status string) func(net.Conn, *http.Request) bool {
	return func(conn net.Conn, _ *http.Request) bool {
		send(conn, "HTTP/1.1 "+status+"\r\n\r\n")
		block := strings.Repeat(" ", 64<<10)
		for send(conn, block) {
			continue
		}
		return false
	}
}

func TestNothingSent(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler()) // whose certificate we do not know
	t.Cleanup(secure.Close)
	// A listener that accepts and says nothing: no TLS handshake.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	urls := map[string]string{
		"refused":             deadURL(t),
		"no such name":        "http://no-such-host.invalid",
		"unknown certificate": secure.URL,
		"no TLS there":        strings.Replace(plain.URL, "http:", "https:", 1),
		"no handshake":        "https://" + silent.Addr().String(),
	}
	for name, url := range urls {
		for op, call := range calls {
			t.Run(name+"/"+op, func(t *testing.T) {
				t.Parallel()
				client := newClient(t, Options{BaseURL: url, RequestTimeout: 500 * time.Millisecond})
				err := call(t.Context(), client)
				if e := wantKind(t, err, KindUnreachable); e.Sent {
					t.Errorf("error = %+v, want nothing sent", e)
				}
				checkError(t, err)
			})
		}
	}
}

// TestCallsWaitForAConnectionWithinTheirTime: a call that never gets one was
// not sent.
func TestCallsWaitForAConnectionWithinTheirTime(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	url := rawServer(t, func(conn net.Conn, _ *http.Request) bool {
		close(arrived)
		_, _ = io.Copy(io.Discard, conn)
		return false
	})
	client := newClient(t, Options{BaseURL: url, RequestTimeout: 10 * time.Second})
	client.calls.questions.MaxConnsPerHost = 1
	ctx, cancel := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() { _ = calls[OpGet](ctx, client) })
	<-arrived
	client.calls.timeout = 50 * time.Millisecond
	wantKind(t, calls[OpTerminals](t.Context(), client), KindUnreachable)
	cancel()
	first.Wait()
}

func TestCallersEnd(t *testing.T) {
	t.Parallel()
	for op, call := range calls {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			client := newClient(t, Options{BaseURL: rawServer(t, func(conn net.Conn, _ *http.Request) bool {
				cancel()
				_, _ = io.Copy(io.Discard, conn)
				return false
			})})
			err := call(ctx, client)
			if e := wantKind(t, err, KindCancelled); !e.Sent || !errors.Is(err, context.Canceled) {
				t.Errorf("error = %+v, want it sent and context.Canceled", e)
			}
			err = call(ctx, client)
			if e := wantKind(t, err, KindCancelled); e.Sent {
				t.Errorf("error = %+v, want it not sent", e)
			}
			deadline, stop := context.WithTimeout(t.Context(), time.Nanosecond)
			defer stop()
			err = call(deadline, client)
			if wantKind(t, err, KindCancelled); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want the deadline", err)
			}
		})
	}
}

// TestCreateIsSentOnce: Go's transport repeats requests on connections that
// turn out to be dead. A create that may have been read must not be.
func TestCreateIsSentOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		var creates atomic.Int32
		url := rawServer(t, func(conn net.Conn, r *http.Request) bool {
			if r.Method == http.MethodPost {
				creates.Add(1)
				return false // read, and cut without an answer
			}
			return send(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		})
		client := newClient(t, Options{BaseURL: url})
		client.calls.money = client.calls.questions
		wantKind(t, calls[OpGet](t.Context(), client), KindNonsense) // leaves a connection to be used again
		wantKind(t, calls[OpCreate](t.Context(), client), KindLost)
		wantKind(t, calls[OpCancel](t.Context(), client), KindLost)
		if got := creates.Load(); got != 2 {
			t.Fatalf("the provider saw %d POSTs, want one create and one cancel", got)
		}
	}
}

// TestStaleConnection: a connection that the server has closed meanwhile is
// replaced without anybody noticing.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 8)
	url := rawServer(t, func(conn net.Conn, _ *http.Request) bool {
		send(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
		closed <- struct{}{}
		return false
	})
	client := newClient(t, Options{BaseURL: url})
	for range 5 {
		e := asError(t, calls[OpCreate](t.Context(), client))
		switch e.Kind {
		case KindNonsense:
			<-closed
		case KindLost: // the close crossed the request, which the server never saw
		default:
			t.Errorf("error = %v", e)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(other.Close)
	for _, location := range []string{other.URL, "/v1/json/elsewhere", "", "%zz", "://"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for op, call := range calls {
				t.Run(strconv.Itoa(status)+location+"/"+op, func(t *testing.T) {
					t.Parallel()
					var requests atomic.Int32
					client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
						requests.Add(1)
						w.Header()["Location"] = []string{location}
						w.Header().Set("Set-Cookie", "a=b")
						w.WriteHeader(status)
					})
					if e := wantKind(t, call(t.Context(), client), KindNonsense); e.Status != status {
						t.Errorf("error = %+v, want status %d", e, status)
					}
					if requests.Load() != 1 || hits.Load() != 0 {
						t.Errorf("%d requests here, %d elsewhere; want 1 and 0", requests.Load(), hits.Load())
					}
				})
			}
		}
	}
}

func TestNoCookies(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("header = %v", r.Header)
		}
		w.Header().Set("Set-Cookie", "a=b; Path=/")
		w.WriteHeader(404)
	})
	for range 2 {
		for _, call := range calls {
			_ = call(t.Context(), client)
		}
	}
}

func TestRetryAfterIsReported(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]Kind{429: KindLimited, 503: KindUnavailable} {
		client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})
		for _, call := range calls {
			if e := wantKind(t, call(t.Context(), client), kind); e.RetryAfter != 7*time.Second {
				t.Errorf("RetryAfter = %s, want 7s", e.RetryAfter)
			}
		}
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	observe := func(o *Options) {
		o.Observe = func(op, code string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			got[op+" "+code]++
			if took < 0 {
				t.Errorf("took %s", took)
			}
		}
	}
	client, server := setup(t, reply(418, ""), observe)
	for _, call := range calls {
		_ = call(t.Context(), client)
	}
	_ = client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret("t")}, "", StreamHandler{})
	_ = client.Follow(t.Context(), Stream{URL: "http://elsewhere.invalid", Token: redact.NewSecret("t")}, "", StreamHandler{}) // not a request
	server.Close()
	for _, call := range calls {
		_ = call(t.Context(), client)
	}
	_ = client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret("t")}, "", StreamHandler{})
	for _, op := range []string{OpCreate, OpGet, OpCancel, OpTerminals, OpReceipt, OpStream} {
		for _, code := range []string{"418", "error"} {
			if got[op+" "+code] != 1 {
				t.Errorf("%s %s was observed %d times, want once", op, code, got[op+" "+code])
			}
		}
	}
	if len(got) != 12 {
		t.Errorf("observed %v", got)
	}
}

// rootsOf trusts a test server.
func rootsOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}
