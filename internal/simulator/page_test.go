package simulator_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// send sends a request with headers and returns status, header and body.
func (b *bundle) send(method, path, body string, header map[string]string) (int, http.Header, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.ctx, method, b.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

var (
	referred = regexp.MustCompile(`(?:src|href)="(/[^"]*)"`)
	imported = regexp.MustCompile(`from '(\./[^']+)'`)
	outside  = regexp.MustCompile(`(?i)https?://|//[a-z0-9.-]+\.[a-z]{2,}/`)
	markup   = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.srcdoc`)
	inline   = regexp.MustCompile(`(?i)\s(?:on[a-z]+|style)=`)
)

// The page and everything it takes: right types, a strict policy, nothing from
// elsewhere, no markup out of text.
func TestPage(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	html := map[string]string{"Accept": "text/html,*/*"}
	status, header, index := b.send("GET", "/", "", html)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || header.Get("Vary") != "Accept" {
		t.Fatalf("page: got %d, %v", status, header)
	}
	if found := inline.FindString(index); found != "" {
		t.Errorf("index.html has inline code: %q", found)
	}
	files := map[string]bool{}
	for _, m := range referred.FindAllStringSubmatch(index, -1) {
		if strings.HasPrefix(m[1], "/page/") {
			files[m[1]] = false
		}
	}
	types := map[string]string{"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
	for done := false; !done; {
		done = true
		for path, seen := range files {
			if seen {
				continue
			}
			done, files[path] = false, true
			status, header, body := b.send("GET", path, "", nil)
			kind := path[strings.LastIndexByte(path, '.')+1:]
			if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), types[kind]) {
				t.Errorf("%s: got %d, %q", path, status, header.Get("Content-Type"))
			}
			if found := outside.FindString(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "")); found != "" {
				t.Errorf("%s names another host: %q", path, found)
			}
			if found := markup.FindString(body); found != "" {
				t.Errorf("%s makes markup or code out of text: %q", path, found)
			}
			for _, m := range imported.FindAllStringSubmatch(body, -1) {
				if name := "/page/" + strings.TrimPrefix(m[1], "./"); !files[name] {
					files[name] = false
				}
			}
			if status, _, _ := b.send("GET", path, "", map[string]string{"If-None-Match": header.Get("ETag")}); status != http.StatusNotModified {
				t.Errorf("%s again: got %d, want 304", path, status)
			}
		}
	}
	if len(files) < 8 {
		t.Errorf("got only these files: %v", files)
	}
	for path := range files {
		_, h, _ := b.send("GET", path, "", nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none';", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := h.Get(name); !strings.HasPrefix(got, want) || strings.Contains(got, "unsafe") {
				t.Errorf("%s: %s: got %q, want %q", path, name, got, want)
			}
		}
	}
	for _, path := range []string{"/page/", "/page/nothing.js", "/page/index.html", "/page/../page.go"} {
		if status, _, _ := b.send("GET", path, "", nil); status == 200 {
			t.Errorf("%s: got 200", path)
		}
	}
}

// A web page of another origin cannot press buttons; programs can.
func TestControlFromOtherOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	for name, tc := range map[string]struct {
		header map[string]string
		want   int
	}{
		"a program":                      {nil, 204},
		"the page":                       {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": b.URL}, 204},
		"the page in an old browser":     {map[string]string{"Origin": b.URL}, 204},
		"typed by the user":              {map[string]string{"Sec-Fetch-Site": "none"}, 204},
		"another site":                   {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}, 403},
		"another port":                   {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403},
		"another site in an old browser": {map[string]string{"Origin": "https://elsewhere.example"}, 403},
		"a sandboxed frame":              {map[string]string{"Origin": "null"}, 403},
	} {
		if status, _, body := b.send("POST", "/simulator/reset", "", tc.header); status != tc.want {
			t.Errorf("%s: got %d %s, want %d", name, status, body, tc.want)
		}
	}
	elsewhere := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
	for _, call := range [][2]string{
		{"POST", "terminals/SIM00001/approve"},
		{"PUT", "terminals/SIM00001"},
		{"PUT", "terminals"},
		{"POST", "orders/x/status"},
		{"POST", "orders/x/drop"},
		{"POST", "streams/drop"},
		{"POST", "faults"},
		{"PUT", "faults/x"},
		{"DELETE", "faults/x"},
		{"DELETE", "faults"},
	} {
		if status, _, _ := b.send(call[0], "/simulator/"+call[1], "{}", elsewhere); status != http.StatusForbidden {
			t.Errorf("%s %s: got %d, want 403", call[0], call[1], status)
		}
	}
	// Reading is left to the browser, which hands nothing to a page without leave.
	status, header, _ := b.send("GET", "/simulator/state", "", elsewhere)
	if status != 200 || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("state: got %d, %v", status, header)
	}
}

// What the simulator tells of a payment holds no key, no token and no card datum,
// not even when the provider's stream does.
func TestControlTellsNoSecret(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	for _, f := range []fault.Fault{
		{Name: fault.GarbageEvent, Count: fault.Always},
		{Name: fault.OddFraming, Mode: "multiline"},
	} {
		if _, err := b.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	created := b.create("order-1", "SIM00001", nil)
	stream := b.open(created)
	b.act("SIM00001", scenario.ActTap, scenario.ActDecline, scenario.ActApprove)
	raw := ""
	for !strings.Contains(raw, "completed\",\"transaction_id") && !strings.Contains(raw, `"completed"`) {
		block, err := stream.next()
		if err != nil {
			t.Fatal(err)
		}
		raw = strings.Join(block, "\n")
	}
	b.get("order-1")
	token, _ := created["events_token"].(string)
	secrets := append(wire.CardData(), token, "demo-key")
	if _, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool { return strings.Contains(e.Raw, "[card number]") }); err != nil {
		t.Fatal(err)
	}
	o, _ := b.Order("order-1")
	for _, path := range []string{"/simulator/state", "/simulator/log", "/simulator/terminals", "/simulator/orders/order-1"} {
		_, body := b.raw("GET", path, nil)
		for _, secret := range secrets {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
		if path == "/simulator/log" && (!strings.Contains(string(body), o.SessionID) || !strings.Contains(string(body), "[events token]")) {
			t.Errorf("the log does not show what went out: %s", body)
		}
	}
}
