package multisafepay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// eventStream answers with an event stream of this content, then ends.
func eventStream(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, content)
	}
}

// orderLine is an event of the provider's, as one piece of a stream.
func orderLine(order, status string) string {
	return fmt.Sprintf("event: session.order\ndata: {\"order_id\":%q,\"status\":%q}\n\n", order, status)
}

// collect returns a handler that appends the statuses of a stream, "invalid"
// for what was not understood.
func collect(got *[]string) StreamHandler {
	return StreamHandler{Event: func(e StreamEvent) {
		if e.Order != nil {
			*got = append(*got, e.Order.Status)
		} else {
			*got = append(*got, "invalid")
		}
	}}
}

const testToken = "t0ken-of-the-stream.with/odd+chars=\tand-a-tab"

func TestStreamAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status      int
		contentType string
		encoding    string
		want        error
		reason      string
		kind        Kind
	}{
		"stream":                 {200, "text/event-stream", "", ErrStreamEnded, ReasonEnded, KindLost},
		"with a charset":         {200, "Text/Event-Stream; charset=UTF-8", "identity", ErrStreamEnded, ReasonEnded, KindLost},
		"with another charset":   {200, "text/event-stream;charset=windows-1252", "", ErrStreamEnded, ReasonEnded, KindLost},
		"with a bogus parameter": {200, "text/event-stream;x bogus", "", ErrStreamEnded, ReasonEnded, KindLost},
		"with a bare semicolon":  {200, "text/event-stream;", "", ErrStreamEnded, ReasonEnded, KindLost},
		"JSON":                   {200, "application/json", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"nearly":                 {200, "text/event-stream-x", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"no type at all":         {200, "x bogus", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"other text":             {200, "text/x-bogus", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"two types":              {200, "text/event-stream, text/html", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"with no type":           {200, "", "", ErrStreamEnded, ReasonEnded, KindLost},
		"with plain text":        {200, "text/plain; charset=utf-8", "", ErrStreamEnded, ReasonEnded, KindLost},
		"HTML":                   {200, "text/html", "", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"no type, unreadable":    {200, "", "br", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"unreadable":             {200, "text/event-stream", "zstd", ErrStreamAnswer, ReasonContentType, KindNonsense},
		"no content":             {204, "", "", ErrStreamEnded, ReasonEnded, KindLost},
		"other success":          {206, "text/event-stream", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"reset content":          {205, "text/event-stream", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"unassigned success":     {210, "text/event-stream", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"unheard-of success":     {299, "text/event-stream", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"moved":                  {301, "", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"found":                  {302, "text/event-stream", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"see other":              {303, "text/event-stream", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"moved for good":         {308, "text/event-stream", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"moved nowhere":          {301, "text/event-stream", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"redirect":               {307, "text/event-stream", "", ErrStreamAnswer, ReasonRedirect, KindNonsense},
		"bad request":            {400, "", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"unauthorized":           {401, "", "", ErrStreamRefused, ReasonRefused, KindRejected},
		"forbidden":              {403, "text/event-stream", "", ErrStreamRefused, ReasonRefused, KindRejected},
		"not found":              {404, "", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"proxy wants a login":    {407, "", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
		"request time-out":       {408, "", "", ErrStreamAnswer, ReasonStatus, KindTimeout},
		"gone":                   {410, "", "", ErrStreamRefused, ReasonRefused, KindRejected},
		"limited":                {429, "", "", ErrStreamAnswer, ReasonStatus, KindLimited},
		"server error":           {500, "text/event-stream", "", ErrStreamAnswer, ReasonStatus, KindUnavailable},
		"unavailable":            {503, "", "", ErrStreamAnswer, ReasonStatus, KindUnavailable},
		"time-out upstream":      {504, "", "", ErrStreamAnswer, ReasonStatus, KindTimeout},
		"unheard-of status":      {799, "", "", ErrStreamAnswer, ReasonStatus, KindUnavailable},
		"success with nothing":   {202, "", "", ErrStreamAnswer, ReasonStatus, KindNonsense},
	}
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				header := w.Header()
				header["Content-Type"] = nil
				if test.contentType != "" {
					header.Set("Content-Type", test.contentType)
				}
				if test.encoding != "" {
					header.Set("Content-Encoding", test.encoding)
				}
				if name != "moved nowhere" {
					header.Set("Location", other.URL)
				}
				header.Set("Retry-After", "3")
				w.WriteHeader(test.status)
			})
			opened := 0
			err := client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret(testToken)}, "", StreamHandler{Opened: func() { opened++ }})
			e := wantKind(t, err, test.kind)
			if !errors.Is(err, test.want) || Reason(err) != test.reason || e.Status != test.status || !e.Sent {
				t.Errorf("error = %v (%s), want %v (%s)", err, Reason(err), test.want, test.reason)
			}
			if yes := strings.HasPrefix(name, "stream") || strings.HasPrefix(name, "with"); (opened == 1) != yes {
				t.Errorf("opened %d times", opened)
			} else if !yes && e.RetryAfter != 3*time.Second {
				t.Errorf("RetryAfter = %s, want 3s", e.RetryAfter)
			}
			checkError(t, err)
		})
	}
	t.Cleanup(func() {
		if elsewhere.Load() != 0 {
			t.Error("a redirect was followed")
		}
	})
}

func TestStreamRequest(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]string{"": testToken, "token": testToken, "bearer": "Bearer " + testToken} {
		client, server := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.RequestURI != "/events?x=1" || r.Header.Get("Authorization") != want || r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("request = %s %s %v", r.Method, r.RequestURI, r.Header)
			}
			if r.Header.Get("Accept-Encoding") != "identity" || len(r.Cookies()) != 0 || len(r.Header) != 5 {
				t.Errorf("header = %v", r.Header)
			}
			w.Header().Set("Set-Cookie", "a=b")
			eventStream("id: 7\nretry: 1\ndata: x\n\n")(w, r) // the id is not sent back by itself
		}, func(o *Options) { o.EventsAuth = auth })
		for range 2 {
			err := client.Follow(t.Context(), Stream{URL: server.URL + "/events?x=1#y", Token: redact.NewSecret(testToken)}, "", StreamHandler{})
			if Reason(err) != ReasonEnded {
				t.Errorf("Follow = %v", err)
			}
		}
	}
}

// TestTokenIsNotSentElsewhere: the decision falls before any connection.
func TestTokenIsNotSentElsewhere(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewUnstartedServer(eventStream(""))
	other.Listener = listener
	other.Config.ConnState = func(net.Conn, http.ConnState) { connections.Add(1) }
	other.Start()
	t.Cleanup(other.Close)
	client, server := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	port := strings.TrimPrefix(server.URL, "http://127.0.0.1:")
	for _, url := range []string{other.URL, "http://u@127.0.0.1:" + port, "http://localhost:" + port, "gopher://127.0.0.1:" + port, "", "::"} {
		err := client.Follow(t.Context(), Stream{URL: url, Token: redact.NewSecret(testToken)}, "", StreamHandler{Opened: func() { t.Error("opened") }})
		if !errors.Is(err, ErrStreamHost) || Reason(err) != ReasonHost || asError(t, err).Sent {
			t.Errorf("Follow(%q) = %v, want ErrStreamHost", url, err)
		}
	}
	for _, token := range []string{"", "a\nb", "a\r\nX: y", "a\x00", "ä", strings.Repeat("x", maxToken+1)} {
		err := client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret(token)}, "", StreamHandler{})
		if !errors.Is(err, ErrStreamToken) || asError(t, err).Sent {
			t.Errorf("Follow with token %.10q = %v, want ErrStreamToken", token, err)
		}
	}
	if connections.Load() != 0 {
		t.Errorf("%d connections to the other host", connections.Load())
	}
	// The same host, once it is allowed.
	allowed := newClient(t, Options{BaseURL: server.URL, EventsAllowedHosts: []string{listener.Addr().String()}})
	if err := allowed.Follow(t.Context(), Stream{URL: other.URL, Token: redact.NewSecret(testToken)}, "", StreamHandler{}); Reason(err) != ReasonEnded {
		t.Errorf("Follow = %v, want it to end in order", err)
	}
}

func TestStreamOverTLS(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if (r.ProtoMajor == 2) != http2 {
					t.Errorf("protocol = %s", r.Proto)
				}
				w.Header().Set("Content-Type", "text/event-stream")
				for _, status := range []string{"initialized", "completed"} {
					_, _ = io.WriteString(w, orderLine("A1", status))
					w.(http.Flusher).Flush()
				}
				if r.URL.Path == "/silent" {
					<-r.Context().Done()
				}
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			client := newClient(t, Options{BaseURL: server.URL, RootCAs: rootsOf(server), IdleTimeout: 100 * time.Millisecond})
			for path, want := range map[string]error{"/": ErrStreamEnded, "/silent": ErrStreamIdle} {
				var got []string
				err := client.Follow(t.Context(), Stream{URL: server.URL + path, Token: redact.NewSecret(testToken)}, "", collect(&got))
				if !errors.Is(err, want) || len(got) != 2 {
					t.Errorf("Follow = %v with %q, want %v", err, got, want)
				}
			}
			plain := strings.Replace(server.URL, "https", "http", 1)
			err := client.Follow(t.Context(), Stream{URL: plain, Token: redact.NewSecret(testToken)}, "", StreamHandler{})
			if !errors.Is(err, ErrStreamHost) {
				t.Errorf("Follow without TLS = %v, want ErrStreamHost", err)
			}
		})
	}
}

// TestStreamContent: what is read of a whole stream, and how it ends.
func TestStreamContent(t *testing.T) {
	t.Parallel()
	const a, b = `{"order_id":"A1","status":"initialized"}`, `{"order_id":"A1","status":"completed"}`
	event := func(data string) string { return "event: session.order\ndata: " + data + "\n\n" }
	padded := func(size int) string {
		return event(strings.Repeat(" ", size-len(event(a))) + a)
	}
	tests := map[string]struct {
		content string
		want    []string
		end     error
	}{
		"seed, no blank line between":   {"event: session.order\ndata: " + a + "\nevent: session.order\ndata: " + b + "\n\n", []string{"initialized", "completed"}, ErrStreamEnded},
		"two events":                    {event(a) + event(b), []string{"initialized", "completed"}, ErrStreamEnded},
		"two documents on a line":       {event(a + b), []string{"initialized", "completed"}, ErrStreamEnded},
		"a document on two lines":       {"event: session.order\ndata: {\"order_id\":\"A1\",\ndata: \"status\":\"completed\"}\n\n", []string{"completed"}, ErrStreamEnded},
		"other types":                   {"event: session.qr\ndata: " + a + "\n\ndata: " + a + "\n\nevent: SESSION.ORDER\ndata: " + b + "\n\n", []string{"initialized", "initialized", "completed"}, ErrStreamEnded},
		"empty events":                  {"event: session.order\n\nevent: session.order\ndata\n\nevent: session.order\ndata:  \n\nid: 7\n\n" + event(b), []string{"completed"}, ErrStreamEnded},
		"last event without its end":    {event(a) + strings.TrimSuffix(event(b), "\n"), []string{"initialized"}, ErrStreamEnded},
		"not JSON":                      {event("hello") + event(b), []string{"invalid", "completed"}, ErrStreamEnded},
		"half a document":               {event(a+`{"order_id":`) + event(b), []string{"initialized", "invalid", "completed"}, ErrStreamEnded},
		"an event at the limit":         {padded(MaxEventSize-1) + event(b), []string{"initialized", "completed"}, ErrStreamEnded},
		"an event beyond the limit":     {event(b) + padded(MaxEventSize+1), []string{"completed"}, ErrStreamTooLarge},
		"a line of 1 MiB":               {event(b) + padded(1<<20), []string{"completed"}, ErrStreamTooLarge},
		"a line of 1 MiB of no meaning": {event(b) + strings.Repeat("x", 1<<20) + "\n\n" + event(a), []string{"completed", "initialized"}, ErrStreamEnded},
		"a field name of 1 MiB":         {event(b) + strings.Repeat("d", 1<<20) + "\n\n", []string{"completed"}, ErrStreamTooLarge},
		"a million lines of no event":   {event(b) + strings.Repeat("retry: 1\n", 100_000), []string{"completed"}, ErrStreamTooLarge},
		"events without a blank line":   {strings.TrimSuffix(strings.Repeat(strings.TrimSuffix(event(a), "\n"), 2000), "\n"), slices.Repeat([]string{"initialized"}, 1999), ErrStreamEnded},
		"heartbeats of one line each":   {strings.Repeat(": keep-alive\n", 100_000) + event(b), []string{"completed"}, ErrStreamEnded},
		"heartbeats, CRLF":              {strings.Repeat(":\r\n", 100_000) + event(b), []string{"completed"}, ErrStreamEnded},
		"heartbeats of blank lines":     {strings.Repeat("\n", 100_000) + event(a) + strings.Repeat("\r", 100_000) + event(b), []string{"initialized", "completed"}, ErrStreamEnded},
		"heartbeats within an event":    {"event: session.order\n" + strings.Repeat(":\n", 100_000) + "data: " + b + "\n" + strings.Repeat(":\n", 100_000) + "\n", []string{"completed"}, ErrStreamEnded},
		"a comment without end":         {event(b) + ":" + strings.Repeat("x", 1<<20), []string{"completed"}, ErrStreamEnded},
		"nothing":                       {"", nil, ErrStreamEnded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := setup(t, eventStream(test.content))
			var got []string
			err := client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret(testToken)}, "", collect(&got))
			if !errors.Is(err, test.end) {
				t.Errorf("Follow = %v, want %v", err, test.end)
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("events = %q, want %q", got, test.want)
			}
		})
	}
}

func TestStreamTransportFaults(t *testing.T) {
	t.Parallel()
	const header = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	waits := func(s string) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, _ *http.Request) bool {
			send(conn, s)
			_, _ = io.Copy(io.Discard, conn)
			return false
		}
	}
	closes := func(s string) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, _ *http.Request) bool { send(conn, s); return false }
	}
	one := chunk(orderLine("A1", "initialized"))
	tests := map[string]struct {
		handle func(net.Conn, *http.Request) bool
		events int
		reason string
		kind   Kind
	}{
		"cut before the answer": {closes(""), 0, ReasonTransport, KindLost},
		"cut in the header":     {closes("HTTP/1.1 200 OK\r\nContent-Type: text/ev"), 0, ReasonTransport, KindLost},
		"cut in the stream":     {closes(header + one), 1, ReasonTransport, KindLost},
		"cut in an event":       {closes(header + one + chunk("event: session.order\ndata: {")), 1, ReasonTransport, KindLost},
		"bad chunk":             {closes(header + one + "zz\r\n"), 1, ReasonTransport, KindLost},
		"orderly end":           {closes(header + one + "0\r\n\r\n"), 1, ReasonEnded, KindLost},
		"never opens":           {waits(""), 0, ReasonTransport, KindTimeout},
		"header never ends":     {waits("HTTP/1.1 200 OK\r\n"), 0, ReasonTransport, KindTimeout},
		"huge header":           {closes("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHeader)), 0, ReasonTransport, KindLost},
		"silent":                {waits(header), 0, ReasonIdle, KindTimeout},
		"falls silent":          {waits(header + one), 1, ReasonIdle, KindTimeout},
		"silent in an event":    {waits(header + one + chunk("event: session.order\ndata: {")), 1, ReasonIdle, KindTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := rawServer(t, test.handle)
			client := newClient(t, Options{BaseURL: url, RequestTimeout: 200 * time.Millisecond, IdleTimeout: 200 * time.Millisecond})
			var got []string
			err := client.Follow(t.Context(), Stream{URL: url, Token: redact.NewSecret(testToken)}, "", collect(&got))
			if wantKind(t, err, test.kind); Reason(err) != test.reason || len(got) != test.events {
				t.Errorf("Follow = %v (%s) after %d events, want %s after %d", err, Reason(err), len(got), test.reason, test.events)
			}
			checkError(t, err)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		url := deadURL(t)
		err := newClient(t, Options{BaseURL: url}).Follow(t.Context(), Stream{URL: url, Token: redact.NewSecret(testToken)}, "", StreamHandler{})
		if e := wantKind(t, err, KindUnreachable); Reason(err) != ReasonTransport || e.Sent {
			t.Errorf("Follow = %v (%s)", err, Reason(err))
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unopened" {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, orderLine("A1", "initialized")+orderLine("A1", "completed"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	client, server := setup(t, serve)
	stream := Stream{URL: server.URL, Token: redact.NewSecret(testToken)}
	wantCancelled := func(t *testing.T, err error) {
		t.Helper()
		wantKind(t, err, KindCancelled)
		if Reason(err) != ReasonCancelled || !errors.Is(err, context.Canceled) {
			t.Errorf("Follow = %v (%s), want it cancelled", err, Reason(err))
		}
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantCancelled(t, client.Follow(ctx, stream, "", StreamHandler{Opened: func() { t.Error("opened") }}))
	})
	t.Run("while opening", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := client.Follow(ctx, Stream{URL: server.URL + "/unopened", Token: stream.Token}, "", StreamHandler{Opened: func() { t.Error("opened") }})
		if wantKind(t, err, KindCancelled); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Follow = %v, want the deadline", err)
		}
	})
	t.Run("while reading", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		h := collect(&got)
		inner := h.Event
		h.Event = func(e StreamEvent) {
			if inner(e); len(got) == 2 {
				cancel()
			}
		}
		wantCancelled(t, client.Follow(ctx, stream, "", h))
	})
	t.Run("while a handler is at work", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		events := 0
		wantCancelled(t, client.Follow(ctx, stream, "", StreamHandler{Event: func(StreamEvent) {
			events++
			cancel()
			<-ctx.Done()
		}}))
		if events != 1 {
			t.Errorf("%d events, want none after the context's end", events)
		}
	})
	t.Run("when opened", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		wantCancelled(t, client.Follow(ctx, stream, "", StreamHandler{Opened: cancel, Event: func(StreamEvent) { t.Error("event") }}))
	})
}

func TestReason(t *testing.T) {
	t.Parallel()
	tests := map[string]error{
		"":             nil,
		ReasonEnded:    &Error{Err: ErrStreamEnded},
		ReasonIdle:     fmt.Errorf("x: %w", &Error{Err: ErrStreamIdle}),
		ReasonRefused:  &Error{Err: ErrStreamRefused},
		ReasonHost:     &Error{Err: ErrStreamHost},
		ReasonTooLarge: &Error{Err: ErrStreamTooLarge},
		ReasonStatus:   &Error{Err: ErrStreamAnswer},
		ReasonRedirect: &Error{Err: ErrStreamAnswer, reason: ReasonRedirect},
	}
	for want, err := range tests {
		if got := Reason(err); got != want {
			t.Errorf("Reason(%v) = %q, want %q", err, got, want)
		}
	}
}
