package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/console"
)

// ask sends a request without following redirects.
func ask(t testing.TB, method, address string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(request)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return response, string(body)
}

// event is one of the stream's.
type event struct {
	name string
	data string
}

// listener reads a stream of events.
type listener struct {
	t     testing.TB
	lines *bufio.Scanner
	bytes int
	stop  context.CancelFunc
}

func listen(t testing.TB, address string, change ...func(*http.Request)) *listener {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/console/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(request)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if got, want := response.Header.Get("Content-Type"), "text/event-stream"; response.StatusCode != http.StatusOK || got != want {
		t.Fatalf("events: %d, %s", response.StatusCode, got)
	}
	l := &listener{t: t, lines: bufio.NewScanner(response.Body), stop: stop}
	l.lines.Buffer(nil, 4<<20)
	return l
}

// next returns the next event; ok is false at the end of the stream.
func (l *listener) next() (e event, ok bool) {
	for l.lines.Scan() {
		line := l.lines.Text()
		l.bytes += len(line) + 1
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			return e, true
		}
	}
	return e, false
}

// await returns the next event of a name, and of the names that came before it.
func (l *listener) await(name string) (e event, before []string) {
	l.t.Helper()
	for {
		e, ok := l.next()
		switch {
		case !ok:
			l.t.Fatalf("the stream ended before %s: %v", name, l.lines.Err())
		case e.name == name:
			return e, before
		}
		before = append(before, e.name)
	}
}

func into[T any](t testing.TB, data string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
	return v
}

func TestEventsTellEverythingAndThenChanges(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.put(busy("T1", "order-1", "initialized", time.Second))
	source.pay(console.Payment{Terminal: "T2", Order: "order-0", Status: "completed", Amount: 1000, Currency: "EUR", At: time.Now()})
	_, address := serve(t, source, "")
	l := listen(t, address)
	e, _ := l.await("hello")
	hello := into[struct {
		Now      time.Time
		Digits   map[string]int
		Overview console.Overview
		Token    bool
	}](t, e.data)
	if got := hello.Digits; got["EUR"] != 2 || got["JPY"] != 0 || got["KWD"] != 3 {
		t.Errorf("digits: EUR %d, JPY %d, KWD %d", got["EUR"], got["JPY"], got["KWD"])
	}
	if time.Since(hello.Now).Abs() > time.Minute || hello.Overview.Replica != "replica-1" || hello.Token {
		t.Errorf("hello: %+v", hello)
	}
	e, _ = l.await("terminals")
	if got := into[[]console.Terminal](t, e.data); len(got) != 2 || got[0].Session == nil || got[1].Session != nil {
		t.Errorf("terminals: %s", e.data)
	}
	e, _ = l.await("payments")
	if got := into[[]console.Payment](t, e.data); len(got) != 1 || got[0].Order != "order-0" {
		t.Errorf("payments: %s", e.data)
	}
	l.await("live")

	source.put(busy("T1", "order-1", "declined", time.Second))
	e, _ = l.await("terminals")
	if got := into[[]console.Terminal](t, e.data); len(got) != 1 || got[0].Session.Status != "declined" {
		t.Errorf("after a change: %s", e.data)
	}
	source.pay(console.Payment{Terminal: "T1", Order: "order-1", Status: "completed", Amount: 1250, Currency: "EUR", At: time.Now()})
	e, _ = l.await("payments")
	if got := into[[]console.Payment](t, e.data); len(got) != 1 || got[0].Order != "order-1" {
		t.Errorf("after a payment: %s", e.data)
	}
	source.mu.Lock()
	source.overview.Health = []console.Health{{Name: "NATS", State: console.Bad, Words: "Not connected"}}
	source.mu.Unlock()
	e, _ = l.await("overview")
	if !strings.Contains(e.data, "Not connected") {
		t.Errorf("overview: %s", e.data)
	}
}

// However much changes, a stream says so at most ten times a second, with the
// latest of each terminal.
func TestChangesComeInBatches(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.crowd(1000)
	_, address := serve(t, source, "")
	l := listen(t, address)
	l.await("live")
	began := time.Now()
	const changes = 20_000
	for i := range changes {
		source.put(busy(source.name(i%1000), "order", []string{"initialized", "declined"}[i/1000%2], time.Second))
	}
	source.put(busy("last", "order", "initialized", time.Second))
	messages, told := 0, 0
	for last := false; !last; {
		e, _ := l.await("terminals")
		messages++
		for _, terminal := range into[[]console.Terminal](t, e.data) {
			told++
			last = last || terminal.ID == "last"
		}
	}
	batches := 2 + int(time.Since(began)/(100*time.Millisecond))
	t.Logf("%d changes: %d messages, %d terminals told in %s", changes, messages, told, time.Since(began).Round(time.Millisecond))
	if limit := batches * 3; messages > limit { // a batch of 1,001 terminals is three messages
		t.Errorf("%d messages in %s, want at most %d", messages, time.Since(began), limit)
	}
}

// 5,000 open sessions are told at once, and it takes little.
func TestSnapshotOfManySessions(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.crowd(5000)
	_, address := serve(t, source, "")
	began := time.Now()
	l := listen(t, address)
	l.await("live")
	took := time.Since(began)
	t.Logf("5,000 sessions: %d KB in %s", l.bytes/1000, took.Round(time.Millisecond))
	if l.bytes > 2_000_000 {
		t.Errorf("%d bytes, want less than 2 MB", l.bytes)
	}
	if took > 2*time.Second { // some 50 ms on an idle machine
		t.Errorf("it took %s", took)
	}
}

// A stream outlives the server's limits for a request and an answer, which end a slow
// request, and it ends with the console.
func TestStreamsLiveAndEnd(t *testing.T) {
	t.Parallel()
	source := newFake()
	c := console.New(console.Options{Source: source})
	server := httptest.NewUnstartedServer(c)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, time.Second
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(c.Close)
	l := listen(t, server.URL)
	l.await("live")

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /console/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntoken="); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil { // the server ends it
		t.Errorf("a slow request: %v", err)
	}
	l.await("overview") // the heartbeat: later than the server's limits
	if got := source.watched(); got != 1 {
		t.Errorf("%d watch", got)
	}
	c.Close()
	c.Close()
	if e, ok := l.next(); ok {
		t.Errorf("got %s after the end", e.name)
	}
	deadline := time.After(patience)
	for source.watched() > 0 {
		select {
		case <-deadline:
			t.Fatal("the stream is still watched")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestOnlySoManyMayLook(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), "")
	for range 64 {
		listen(t, address).await("live")
	}
	response, body := ask(t, http.MethodGet, address+"/console/events")
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "Too many") {
		t.Errorf("the 65th gets %d: %s", response.StatusCode, body)
	}
}

func TestCourse(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.courses["a/b.c"] = console.Course{Terminal: "T1", Order: "a/b.c", Status: "completed", Final: true}
	_, address := serve(t, source, "")
	for name, tc := range map[string]struct {
		query  url.Values
		status int
		want   string
	}{
		"of a terminal":       {url.Values{"terminal": {"T1"}, "order": {"a/b.c"}}, 200, `"status":"completed"`},
		"by its order alone":  {url.Values{"order": {"a/b.c"}}, 200, `"terminal":"T1"`},
		"not known":           {url.Values{"order": {"other"}}, 404, `"problem"`},
		"no order":            {url.Values{"terminal": {"T1"}}, 400, `"problem"`},
		"a wildcard":          {url.Values{"order": {"*"}}, 400, `"problem"`},
		"a wildcard terminal": {url.Values{"terminal": {">"}, "order": {"a"}}, 400, `"problem"`},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := ask(t, http.MethodGet, address+"/console/order?"+tc.query.Encode())
			if response.StatusCode != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("got %d: %s", response.StatusCode, body)
			}
		})
	}
	t.Run("source in trouble", func(t *testing.T) {
		broken := newFake()
		broken.failure = errors.New("nats: secret inside")
		_, address := serve(t, broken, "")
		response, body := ask(t, http.MethodGet, address+"/console/order?order=a")
		if response.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "secret") {
			t.Errorf("got %d: %s", response.StatusCode, body)
		}
	})
}

// Everything but the token's form is for looking.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), "")
	for _, path := range []string{"/", "/console/events", "/console/order", "/console/main.js"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if response, _ := ask(t, method, address+path); response.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: got %d", method, path, response.StatusCode)
			}
		}
	}
}

// A strict policy stands on every answer, and the page keeps to it: no inline
// script or style, nothing from another host.
func TestPolicy(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), "")
	for _, path := range []string{"/", "/console/console.css", "/console/main.js", "/console/icon.svg", "/console/order", "/nothing"} {
		response, body := ask(t, http.MethodGet, address+path)
		policy := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q has no %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, response.Header)
		}
		for _, bad := range []string{"<style", " style=", " onclick=", "innerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
		if host := strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""); strings.Contains(host, "http://") || strings.Contains(host, "https://") {
			t.Errorf("%s names another host", path)
		}
	}
}

func TestFilesAreAskedForOnce(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), "")
	response, _ := ask(t, http.MethodGet, address+"/console/main.js")
	tag := response.Header.Get("ETag")
	if tag == "" || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/javascript") {
		t.Fatalf("%v", response.Header)
	}
	response, body := ask(t, http.MethodGet, address+"/console/main.js", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if response.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("got %d with %d bytes", response.StatusCode, len(body))
	}
}

const token = "open-sesame"

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.put(busy("T1", "order-1", "initialized", time.Second))
	source.courses["order-1"] = console.Course{Terminal: "T1", Order: "order-1"}
	_, address := serve(t, source, token)
	for _, path := range []string{"/", "/console/events", "/console/order?order=order-1"} {
		for name, change := range map[string]func(*http.Request){
			"without":         func(*http.Request) {},
			"with a wrong":    bearer("open-barley"),
			"with an empty":   bearer(""),
			"with basic":      func(r *http.Request) { r.SetBasicAuth("", token) },
			"in the address":  func(r *http.Request) { r.URL.RawQuery += "&token=" + token },
			"a made-up token": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "pos_bridge_console", Value: "99999999999.00"}) },
		} {
			response, body := ask(t, http.MethodGet, address+path, change)
			if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: got %d", path, name, response.StatusCode)
			}
			if strings.Contains(body, "order-1") || strings.Contains(body, token) || response.Header.Get("ETag") != "" {
				t.Errorf("%s %s: got %s", path, name, body)
			}
		}
	}
	if response, body := ask(t, http.MethodGet, address+"/"); !strings.Contains(body, `action="console/login"`) || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the question for the token: %v %s", response.Header, body)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.courses["order-1"] = console.Course{Terminal: "T1", Order: "order-1"}
	_, address := serve(t, source, token)
	for _, path := range []string{"/", "/console/order?order=order-1"} {
		if response, body := ask(t, http.MethodGet, address+path, bearer(token)); response.StatusCode != http.StatusOK || strings.Contains(body, token) {
			t.Errorf("%s: got %d", path, response.StatusCode)
		}
	}
	listen(t, address, bearer(token)).await("live")
}

// login sends the form.
func login(t testing.TB, address, token string, change ...func(*http.Request)) *http.Response {
	t.Helper()
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	change = append(change, func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(form), int64(form.Len())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	response, _ := ask(t, http.MethodPost, address+"/console/login", change...)
	return response
}

func TestLogin(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), token)
	_, twin := serve(t, newFake(), token) // another replica with the same token
	_, other := serve(t, newFake(), token+"-2")
	response := login(t, address, "open-barley")
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "../?wrong" || len(response.Cookies()) > 0 {
		t.Errorf("a wrong token: %d %v", response.StatusCode, response.Header)
	}
	response = login(t, address, token)
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "../" || len(response.Cookies()) != 1 {
		t.Fatalf("the token: %d %v", response.StatusCode, response.Header)
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Secure || strings.Contains(cookie.Value, token) {
		t.Errorf("cookie: %+v", cookie)
	}
	if left := time.Until(cookie.Expires); left < 11*time.Hour || left > 12*time.Hour {
		t.Errorf("the cookie lasts %s", left)
	}
	with := func(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }
	for address, want := range map[string]int{address: http.StatusOK, twin: http.StatusOK, other: http.StatusUnauthorized} {
		if response, _ := ask(t, http.MethodGet, address+"/", with(cookie)); response.StatusCode != want {
			t.Errorf("with the cookie: got %d, want %d", response.StatusCode, want)
		}
	}
	end, mac, _ := strings.Cut(cookie.Value, ".")
	later := *cookie
	later.Value = end + "0." + mac
	if response, _ := ask(t, http.MethodGet, address+"/", with(&later)); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a cookie that was made to last longer: got %d", response.StatusCode)
	}
	behind := login(t, address, token, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") })
	if c := behind.Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("behind TLS: %+v", c)
	}
	if response := login(t, address, token, func(r *http.Request) { r.Header.Set("Origin", "https://elsewhere.example") }); response.StatusCode != http.StatusForbidden {
		t.Errorf("from another origin: got %d", response.StatusCode)
	}
	out, _ := ask(t, http.MethodPost, address+"/console/logout", with(cookie))
	if c := out.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("logout: %+v", c)
	}
}

// Tokens cannot be tried without end; who is in already does not notice.
func TestTokensCannotBeGuessed(t *testing.T) {
	t.Parallel()
	_, address := serve(t, newFake(), token)
	jar, _ := cookiejar.New(nil)
	there, _ := url.Parse(address)
	jar.SetCookies(there, login(t, address, token).Cookies())
	refused := 0
	for i := range 40 {
		if login(t, address, fmt.Sprint("guess-", i)).Header.Get("Location") == "../?slow" {
			refused++
		}
		if response, _ := ask(t, http.MethodGet, address+"/", bearer(fmt.Sprint("guess-", i))); response.StatusCode != http.StatusUnauthorized {
			t.Errorf("a guess: got %d", response.StatusCode)
		}
	}
	if refused < 20 {
		t.Errorf("%d of 40 guesses were not looked at", refused)
	}
	if response, _ := ask(t, http.MethodGet, address+"/?slow"); response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("the page after too many guesses: %d %v", response.StatusCode, response.Header)
	}
	response, _ := ask(t, http.MethodGet, address+"/", func(r *http.Request) { r.AddCookie(jar.Cookies(there)[0]) })
	if response.StatusCode != http.StatusOK {
		t.Errorf("who is in gets %d", response.StatusCode)
	}
}
