package console_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/console"
)

// visit asks a console for a page as somebody from an address would.
func visit(t *testing.T, c *console.Console, method, path, from string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.RemoteAddr, r.Host = from, "localhost:8080"
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// Without a token the console answers this machine only.
func TestWithoutATokenOnlyThisMachine(t *testing.T) {
	t.Parallel()
	c := console.New(console.Options{Source: newFake()})
	t.Cleanup(c.Close)
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	const here = "127.0.0.1:50000"
	for name, tt := range map[string]struct {
		from   string
		change func(*http.Request)
		want   int
	}{
		"by name":                  {here, host("localhost:8080"), http.StatusOK},
		"by name in capitals":      {here, host("LocalHost"), http.StatusOK},
		"by address":               {here, host("127.0.0.1:8080"), http.StatusOK},
		"by another such address":  {"127.8.8.8:1", host("127.1.2.3"), http.StatusOK},
		"by IPv6":                  {"[::1]:50000", host("[::1]:8080"), http.StatusOK},
		"by IPv6 without a port":   {"[::1]:50000", host("[::1]"), http.StatusOK},
		"from another machine":     {"192.0.2.7:50000", host("localhost:8080"), http.StatusForbidden},
		"from another by IPv6":     {"[2001:db8::1]:50000", host("localhost:8080"), http.StatusForbidden},
		"for a foreign host":       {here, host("bank.example:8080"), http.StatusForbidden},
		"for a host that rebinds":  {here, host("127.0.0.1.example.com"), http.StatusForbidden},
		"for the machine's name":   {here, host("till-7:8080"), http.StatusForbidden},
		"for no host":              {here, host(""), http.StatusForbidden},
		"passed on by a proxy":     {here, header("X-Forwarded-For", "192.0.2.7"), http.StatusForbidden},
		"passed on as RFC 7239":    {here, header("Forwarded", "for=192.0.2.7"), http.StatusForbidden},
		"passed on for a host":     {here, header("X-Forwarded-Host", "bank.example"), http.StatusForbidden},
		"passed on by another one": {here, header("Via", "1.1 proxy"), http.StatusForbidden},
	} {
		for _, path := range []string{"/", "/console/main.js"} {
			w := visit(t, c, http.MethodGet, path, tt.from, tt.change)
			if w.Code != tt.want {
				t.Errorf("%s: %s: got %d, want %d", name, path, w.Code, tt.want)
			}
			if w.Code == http.StatusForbidden && !strings.Contains(w.Body.String(), "BRIDGE_CONSOLE_TOKEN_FILE") {
				t.Errorf("%s: the answer does not say what to do: %s", name, w.Body)
			}
		}
	}
	locked := console.New(console.Options{Source: newFake(), Token: token})
	t.Cleanup(locked.Close)
	if w := visit(t, locked, http.MethodGet, "/", "192.0.2.7:50000", host("pos.example.com"), bearer(token)); w.Code != http.StatusOK {
		t.Errorf("with the token from elsewhere: got %d", w.Code)
	}
}

// Wrong tokens slow down whoever sends them, and nobody else.
func TestAWrongTokenSlowsDownItsSender(t *testing.T) {
	t.Parallel()
	c := console.New(console.Options{Source: newFake(), Token: token})
	t.Cleanup(c.Close)
	behind := func(client string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Forwarded-For", "made-up, "+client) }
	}
	guess := func(from string, change ...func(*http.Request)) {
		for range 30 {
			visit(t, c, http.MethodGet, "/", from, append(change, bearer("open-barley"))...)
		}
	}
	guess("192.0.2.1:1")
	guess("[2001:db8:0:1::1]:1")
	guess("10.0.0.1:1", behind("192.0.2.3"))
	for name, tt := range map[string]struct {
		from   string
		change func(*http.Request)
		want   int
	}{
		"who guessed":                    {"192.0.2.1:2", func(*http.Request) {}, http.StatusUnauthorized},
		"another one":                    {"192.0.2.2:1", func(*http.Request) {}, http.StatusOK},
		"who guessed by IPv6":            {"[2001:db8:0:1::2]:1", func(*http.Request) {}, http.StatusUnauthorized},
		"another network by IPv6":        {"[2001:db8:0:2::1]:1", func(*http.Request) {}, http.StatusOK},
		"who guessed behind a proxy":     {"10.0.0.1:9", behind("192.0.2.3"), http.StatusUnauthorized},
		"another one behind a proxy":     {"10.0.0.1:9", behind("192.0.2.4"), http.StatusOK},
		"the same one behind another":    {"10.0.0.2:9", behind("192.0.2.3"), http.StatusOK},
		"who claims to be behind itself": {"192.0.2.9:9", behind("192.0.2.9"), http.StatusOK},
	} {
		if w := visit(t, c, http.MethodGet, "/", tt.from, tt.change, bearer(token)); w.Code != tt.want {
			t.Errorf("%s: got %d, want %d", name, w.Code, tt.want)
		}
	}
	// Names that are made up do not give one address endless tries.
	var refused bool
	for i := range 400 {
		from := func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", net.IPv4(198, 51, byte(i>>8), byte(i)).String())
		}
		visit(t, c, http.MethodGet, "/", "192.0.2.66:1", from, bearer("open-rye"))
		refused = refused || visit(t, c, http.MethodGet, "/", "192.0.2.66:1", behind("203.0.113.1"), bearer(token)).Code == http.StatusUnauthorized
	}
	if !refused {
		t.Error("400 guesses from one address under made-up names slowed nothing down")
	}
}
