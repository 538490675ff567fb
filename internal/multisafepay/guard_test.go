package multisafepay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// overBoth runs a test over HTTP/1.1, with TLS and without, and over HTTP/2.
func overBoth(t *testing.T, handle http.HandlerFunc, test func(t *testing.T, client *Client, server *httptest.Server)) {
	t.Helper()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/1.1 without TLS", "HTTP/2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(handle)
			server.EnableHTTP2 = protocol == "HTTP/2"
			server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1}
			options := Options{RequestTimeout: time.Minute}
			if protocol == "HTTP/1.1 without TLS" {
				server.Start()
			} else {
				server.StartTLS()
				options.RootCAs = rootsOf(server)
			}
			t.Cleanup(server.Close)
			options.BaseURL = server.URL
			test(t, newClient(t, options), server)
		})
	}
}

// TestCreateNotAfter: when no connection is there in time, nothing is sent, and
// the error says so. With a connection in time, the order is created.
func TestCreateNotAfter(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	creates := map[string]int{}
	handle := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		creates[r.Host]++
		mu.Unlock()
		reply(200, `{"success":true,"data":{"order_id":"A1"}}`)(w, r)
	}
	overBoth(t, handle, func(t *testing.T, client *Client, server *httptest.Server) {
		dial := client.calls.money.DialContext
		create := func(notAfter time.Time) error {
			_, err := client.Create(t.Context(), redact.NewSecret(testKey), schema.StartRequest{OrderID: "A1"}, notAfter)
			return err
		}
		soon := time.Now().Add(30 * time.Millisecond)
		up := make(chan struct{})
		client.calls.money.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			select { // the network answers after the deadline
			case <-up:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return dial(ctx, network, address)
		}
		for _, notAfter := range []time.Time{soon, time.Now().Add(-time.Hour)} {
			err := create(notAfter)
			if e := wantKind(t, err, KindTooLate); e.Sent || !errors.Is(err, ErrTooLate) {
				t.Errorf("error = %+v, want it too late and not sent", e)
			}
		}
		close(up)
		if err := create(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		wantKind(t, create(time.Now().Add(-time.Nanosecond)), KindTooLate) // on the connection that is there now
		server.Close()                                                     // waits for requests at work
		mu.Lock()
		defer mu.Unlock()
		if got := creates[server.Listener.Addr().String()]; got != 1 {
			t.Errorf("the provider saw %d creates, want 1", got)
		}
	})
}

// TestGuardHoldsARequestBack: net/http writes nothing of a request whose time
// is over when the connection has been found, or, on HTTP/1.1, directly before
// the request is written. The next request may use the connection, or another.
func TestGuardHoldsARequestBack(t *testing.T) {
	t.Parallel()
	var seen atomic.Int32
	overBoth(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" || r.URL.Path == "/last" && r.ProtoMajor == 1 {
			seen.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}, func(t *testing.T, client *Client, server *httptest.Server) {
		send := func(path string, g *guard, trace *httptrace.ClientTrace) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			g.cancel = cancel
			ctx = httptrace.WithClientTrace(g.trace(ctx), trace) // its hooks are called first
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.calls.money.RoundTrip(request)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		for range 100 {
			g := &guard{notAfter: time.Now()}
			if err := send("/late", g, &httptrace.ClientTrace{}); err == nil || !g.tooLate() || g.mayHaveLeft() {
				t.Fatalf("late with a connection: %v, too late %v", err, g.tooLate())
			}
			g = &guard{}
			if err := send("/fine", g, &httptrace.ClientTrace{}); err != nil || g.tooLate() || !g.mayHaveLeft() {
				t.Fatalf("in time: %v, too late %v", err, g.tooLate())
			}
			g = &guard{}
			err := send("/last", g, &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { g.notAfter = time.Now() }})
			if http1 := !server.EnableHTTP2; http1 && (err == nil || !g.tooLate()) {
				t.Fatalf("late when it was written: %v, too late %v", err, g.tooLate())
			}
		}
		server.Close()
		if got := seen.Load(); got != 0 {
			t.Errorf("the server saw %d requests that were held back", got)
		}
	})
}

// TestCreatesDoNotWaitForQuestions: with all connections for questions at work,
// an order can be created and cancelled.
func TestCreatesDoNotWaitForQuestions(t *testing.T) {
	t.Parallel()
	const connections = 3
	var arrived sync.Map // at each server
	at := func(host string) chan struct{} {
		c, _ := arrived.LoadOrStore(host, make(chan struct{}, 3*connections))
		return c.(chan struct{}) //nolint:forcetypeassert // nothing else is stored
	}
	overBoth(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			at(r.Host) <- struct{}{}
			<-r.Context().Done()
			return
		}
		reply(200, `{"success":true,"data":{"order_id":"A1","status":"cancelled"}}`)(w, r)
	}, func(t *testing.T, client *Client, server *httptest.Server) {
		client.calls.questions.MaxConnsPerHost = connections
		ctx, cancel := context.WithCancel(t.Context())
		var questions sync.WaitGroup
		for range 3 * connections {
			questions.Go(func() { _ = calls[OpGet](ctx, client) })
		}
		for range connections {
			<-at(server.Listener.Addr().String())
		}
		for _, op := range []string{OpCreate, OpCancel} {
			if err := calls[op](t.Context(), client); err != nil {
				t.Errorf("%s = %v", op, err)
			}
		}
		cancel()
		questions.Wait()
	})
}
