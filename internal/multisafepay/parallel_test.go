package multisafepay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// TestManyAtOnce: more calls and more streams than one connection of the
// server's takes, over both protocols. None waits for another to end. On a busy
// machine a connection may be given up for dead; that is tried again.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const many = 70
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) {
			t.Parallel()
			var open atomic.Int64
			everybody := make(chan struct{}) // closed once all streams are open at the same time
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if (r.ProtoMajor == 2) != http2 {
					t.Errorf("protocol = %s, want HTTP/2 %v", r.Proto, http2)
				}
				if r.URL.Path != "/events" {
					reply(200, getAnswer)(w, r)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, orderLine("A1", "initialized"))
				w.(http.Flusher).Flush()
				if open.Add(1) == many {
					close(everybody)
				}
				select {
				case <-everybody:
					_, _ = io.WriteString(w, orderLine("A1", "completed"))
				case <-r.Context().Done():
					open.Add(-1)
				}
			}))
			server.EnableHTTP2 = http2
			server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 30}
			server.StartTLS()
			t.Cleanup(server.Close)
			client := newClient(t, Options{BaseURL: server.URL, RootCAs: rootsOf(server), RequestTimeout: time.Minute})
			const tries = 20
			var all sync.WaitGroup
			for range many {
				all.Go(func() {
					var got []string
					var err error
					for i := 0; i < tries && !errors.Is(err, ErrStreamEnded); i++ {
						got = nil
						err = client.Follow(t.Context(), Stream{URL: server.URL + "/events", Token: redact.NewSecret(testToken)}, "", collect(&got))
					}
					if !errors.Is(err, ErrStreamEnded) || len(got) != 2 {
						t.Errorf("Follow = %v with %q", err, got)
					}
				})
				all.Go(func() {
					err := errors.New("not asked yet")
					for i := 0; i < tries && err != nil; i++ {
						_, err = client.Get(t.Context(), redact.NewSecret(testKey), "A1")
					}
					if err != nil {
						t.Errorf("Get = %v", err)
					}
				})
			}
			all.Wait()
		})
	}
}

// TestDeadConnectionIsReplaced: a connection of HTTP/2 whose other side is gone
// without a word would be used for every later call until TCP gives it up.
func TestDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(reply(200, getAnswer))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	relay := newRelay(t, server.Listener.Addr().String())
	client := newClient(t, Options{BaseURL: "https://" + relay.addr, RootCAs: rootsOf(server), RequestTimeout: time.Second})
	client.calls.questions.HTTP2.SendPingTimeout = 100 * time.Millisecond
	client.calls.questions.HTTP2.PingTimeout = 100 * time.Millisecond
	if _, err := client.Get(t.Context(), redact.NewSecret(testKey), "A1"); err != nil {
		t.Fatal(err)
	}
	relay.freeze()
	_, err := client.Get(t.Context(), redact.NewSecret(testKey), "A1")
	if e := asError(t, err); e.Kind != KindTimeout && e.Kind != KindLost {
		t.Errorf("Get over a dead connection = %v", err)
	}
	for range 10 {
		if _, err = client.Get(t.Context(), redact.NewSecret(testKey), "A1"); err == nil {
			break
		}
	}
	if err != nil || relay.conns() < 2 {
		t.Errorf("Get = %v after %d connections, want a new one", err, relay.conns())
	}
}

// relay passes bytes on to a server.
type relay struct {
	addr string
	mu   sync.Mutex
	all  []*relayed
}

// relayed is one connection; nothing passes while it is frozen.
type relayed struct{ frozen atomic.Bool }

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			c := &relayed{}
			r.mu.Lock()
			r.all = append(r.all, c)
			r.mu.Unlock()
			context.AfterFunc(ctx, func() { near.Close(); far.Close() })
			work.Go(func() { c.pass(far, near) })
			work.Go(func() { c.pass(near, far) })
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		work.Wait()
	})
	return r
}

// pass copies until one side is closed; while frozen the bytes are swallowed.
func (c *relayed) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if c.frozen.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// freeze makes all present connections dead; new ones work.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.all {
		c.frozen.Store(true)
	}
}

func (r *relay) conns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}
