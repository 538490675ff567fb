package multisafepay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// contractDeviations are the tests of launchdarkly/sse-contract-tests that do
// not hold here, and why they are not meant to.
var contractDeviations = []struct{ test, why string }{
	{"basic parsing/large message in one chunk", "5 MiB; an event has at most MaxEventSize"},
	{"basic parsing/large message in two chunks", "10 MiB; an event has at most MaxEventSize"},
	{"HTTP behavior/client follows 301 redirect", "the token would go along"},
	{"HTTP behavior/client follows 307 redirect", "the token would go along"},
}

// TestContractHarness runs the harness itself, where BRIDGE_SSE_HARNESS says how
// it is called:
//
//	BRIDGE_SSE_HARNESS=./sse-contract-tests go test ./internal/multisafepay -run ContractHarness -v
func TestContractHarness(t *testing.T) {
	t.Parallel()
	command := strings.Fields(os.Getenv("BRIDGE_SSE_HARNESS"))
	if len(command) == 0 {
		t.Skip("BRIDGE_SSE_HARNESS does not say how to call launchdarkly/sse-contract-tests")
	}
	args := append(command[1:], "--url", newContractService(t).URL)
	for _, d := range contractDeviations {
		group, name, _ := strings.Cut(d.test, "/")
		args = append(args, "--skip", fmt.Sprintf("^%s$/^%s$", regexp.QuoteMeta(group), regexp.QuoteMeta(name)))
		t.Logf("not meant to hold: %s (%s)", d.test, d.why)
	}
	out, err := exec.CommandContext(t.Context(), command[0], args...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%s: %v", command[0], err)
	}
}

// reading is a stream that the service reads for us, who take the harness' part.
type reading struct {
	resource string // of the service
	conns    chan *contractConn
	messages chan contractMessage
}

// contractConn is a connection of the service's.
type contractConn struct {
	*http.Request
	// chunks are sent one by one; the channel's end ends the stream.
	chunks chan string
	// broken is closed to break the connection off.
	broken chan struct{}
}

// contractWait is for what ought to come at once.
const contractWait = 20 * time.Second

// startReading has the service read a stream. answer sees every request first
// and returns true when it has answered it.
func startReading(t *testing.T, service string, p contractParams, answer func(http.ResponseWriter, *http.Request) bool) *reading {
	t.Helper()
	r := &reading{conns: make(chan *contractConn), messages: make(chan contractMessage)}
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, req *http.Request) {
		conn := &contractConn{req, make(chan string), make(chan struct{})}
		select {
		case r.conns <- conn:
		case <-req.Context().Done():
			return
		}
		if answer != nil && answer(w, req) {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for {
			select {
			case chunk, ok := <-conn.chunks:
				if !ok {
					return
				}
				_, _ = io.WriteString(w, chunk)
				w.(http.Flusher).Flush()
			case <-conn.broken:
				panic(http.ErrAbortHandler)
			case <-req.Context().Done():
				return
			}
		}
	})
	told := 0
	mux.HandleFunc("POST /callback/{n}", func(w http.ResponseWriter, req *http.Request) {
		var m contractMessage
		err := json.NewDecoder(req.Body).Decode(&m)
		if told++; err != nil || req.PathValue("n") != fmt.Sprint(told) {
			t.Errorf("message %s, %v; want number %d", req.PathValue("n"), err, told)
		}
		select {
		case r.messages <- m:
		case <-req.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.StreamURL, p.CallbackURL = server.URL+"/stream", server.URL+"/callback"
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	status, location := ask(t, http.MethodPost, service+"/", string(body))
	if status != http.StatusCreated {
		t.Fatalf("create = %d", status)
	}
	r.resource = service + location
	t.Cleanup(func() {
		if status, _ := ask(t, http.MethodDelete, r.resource, ""); status != http.StatusNoContent {
			t.Errorf("delete = %d", status)
		}
	})
	return r
}

// ask makes a request of the service's.
func ask(t *testing.T, method, url, body string) (status int, location string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// connection waits for the next one.
func (r *reading) connection(t *testing.T) *contractConn {
	t.Helper()
	select {
	case c := <-r.conns:
		return c
	case m := <-r.messages:
		t.Fatalf("message %+v, want a connection", m)
	case <-time.After(contractWait):
		t.Fatal("no connection")
	}
	return nil
}

// events waits for these events, and that nothing else comes before them.
func (r *reading) events(t *testing.T, want ...parsed) {
	t.Helper()
	for i, e := range want {
		want[i].data = string([]rune(e.data)) // as JSON has it
	}
	var got []parsed
	for range want {
		m := r.message(t)
		if m.Kind != "event" || m.Event == nil {
			t.Fatalf("message %+v after %.300q, want %.300q", m, got, want)
		}
		got = append(got, parsed{m.Event.Type, m.Event.ID, m.Event.Data})
	}
	if !slices.Equal(got, want) {
		t.Errorf("events = %.300q, want %.300q", got, want)
	}
}

// failure waits for the news that a connection ended, or did not come to be.
func (r *reading) failure(t *testing.T, want string) {
	t.Helper()
	if m := r.message(t); m.Kind != "error" || m.Error != want {
		t.Fatalf("message %+v (%+v), want the error %s", m, m.Event, want)
	}
}

func (r *reading) message(t *testing.T) contractMessage {
	t.Helper()
	select {
	case m := <-r.messages:
		return m
	case <-time.After(contractWait):
		t.Fatal("no message")
	}
	return contractMessage{}
}

// send sends pieces, each by itself.
func (c *contractConn) send(t *testing.T, pieces ...string) {
	t.Helper()
	for _, piece := range pieces {
		select {
		case c.chunks <- piece:
		case <-c.Context().Done():
			t.Fatal("the connection is gone")
		}
	}
}

// hurry has the service come back at once.
var hurry = contractParams{InitialDelayMS: new(int)}

func TestContractService(t *testing.T) {
	t.Parallel()
	service := newContractService(t).URL
	r := startReading(t, service, hurry, nil)
	for name, test := range map[string]struct {
		method, url, body string
		want              int
	}{
		"status":          {http.MethodGet, service + "/", "", http.StatusOK},
		"no JSON":         {http.MethodPost, service + "/", "{", http.StatusBadRequest},
		"no callback":     {http.MethodPost, service + "/", `{"streamUrl":"http://127.0.0.1"}`, http.StatusBadRequest},
		"no URL":          {http.MethodPost, service + "/", `{"streamUrl":"::","callbackUrl":"http://127.0.0.1"}`, http.StatusBadRequest},
		"unknown command": {http.MethodPost, r.resource, `{"command":"listen","listen":{"type":"x"}}`, http.StatusBadRequest},
		"unknown stream":  {http.MethodPost, service + "/streams/0", `{"command":"restart"}`, http.StatusNotFound},
		"nothing to end":  {http.MethodDelete, service + "/streams/0", "", http.StatusNotFound},
	} {
		if got, _ := ask(t, test.method, test.url, test.body); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// TestContractParsing: every case of the table over real HTTP; each event is
// there while the connection stands.
func TestContractParsing(t *testing.T) {
	t.Parallel()
	service := newContractService(t).URL
	for _, test := range conformance {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := startReading(t, service, hurry, nil)
			for _, stream := range ends(test.stream) {
				for _, single := range []int{0, 300} { // bytes, each by itself, before the rest
					conn := r.connection(t)
					single = min(single, len(stream))
					for i := range single {
						conn.send(t, stream[i:i+1])
					}
					conn.send(t, stream[single:])
					r.events(t, slices.Clone(test.want)...)
					close(conn.chunks)
					r.failure(t, ReasonEnded)
				}
			}
		})
	}
}

// TestContractSizes: nothing waits in a buffer for what comes next.
func TestContractSizes(t *testing.T) {
	t.Parallel()
	r := startReading(t, newContractService(t).URL, hurry, nil)
	conn := r.connection(t)
	for _, size := range payloadSizes {
		data := strings.Repeat("x", size)
		conn.send(t, "data: "+data[:size/2], data[size/2:]+"\n\n")
		r.events(t, parsed{data: data})
	}
	var many string
	want := make([]parsed, 100)
	for i := range want {
		want[i].data = fmt.Sprint("message ", i)
		many += "data: " + want[i].data + "\n\n"
	}
	conn.send(t, many)
	r.events(t, want...)
	for _, size := range []int{MaxEventSize, 1 << 20, 5 << 20} {
		conn.send(t, "data: before\n\ndata: "+strings.Repeat("x", size)+"\n\n")
		r.events(t, parsed{data: "before"})
		r.failure(t, ReasonTooLarge)
		conn = r.connection(t)
	}
	conn.send(t, "data: after\n\n")
	r.events(t, parsed{data: "after"})
}

// TestContractReconnection: whatever ends a connection, the next one names the
// last event that was complete, and begins afresh: nothing of a broken event, no
// id of its own, and no pause that the server chose.
func TestContractReconnection(t *testing.T) {
	t.Parallel()
	service := newContractService(t).URL
	soon := 500
	tests := map[string]struct {
		params contractParams
		end    func(t *testing.T, r *reading, c *contractConn)
		reason string
	}{
		"ended":  {hurry, func(_ *testing.T, _ *reading, c *contractConn) { close(c.chunks) }, ReasonEnded},
		"broken": {hurry, func(_ *testing.T, _ *reading, c *contractConn) { close(c.broken) }, ReasonTransport},
		"silent": {contractParams{ReadTimeoutMS: &soon}, func(*testing.T, *reading, *contractConn) {}, ReasonIdle},
		"restarted": {hurry, func(t *testing.T, r *reading, _ *contractConn) {
			ask(t, http.MethodPost, r.resource, `{"command":"restart"}`)
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReading(t, service, test.params, nil)
			for i := range 2 {
				conn := r.connection(t)
				if got, want := conn.Header.Get("Last-Event-Id"), []string{"", "7"}[i]; got != want {
					t.Errorf("Last-Event-Id = %q, want %q", got, want)
				}
				conn.send(t, "retry: 3600000\nid: 7\ndata: x\n\ndata: y\n\nid: 8\nevent: z\ndata: z\n")
				r.events(t, parsed{id: "7", data: "x"}, parsed{id: "7", data: "y"})
				if test.end(t, r, conn); test.reason != "" {
					r.failure(t, test.reason)
				}
			}
			conn := r.connection(t)
			conn.send(t, "data: new\n\n")
			r.events(t, parsed{data: "new"})
		})
	}
}

// TestContractAnswers: what comes of an answer that is no event stream, and of
// one that is all the same. The request is the same every time.
func TestContractAnswers(t *testing.T) {
	t.Parallel()
	service := newContractService(t).URL
	status := func(code int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			if code != http.StatusNoContent {
				_, _ = io.WriteString(w, "data: …\n\n")
			}
		}
	}
	tests := map[string]struct {
		answer func(http.ResponseWriter)
		reason string
		read   bool
	}{
		"charset":        {status(200, "Content-Type", "text/event-stream;charset=windows-1252"), ReasonEnded, true},
		"other type":     {status(200, "Content-Type", "text/x-bogus"), ReasonContentType, false},
		"no type at all": {status(200, "Content-Type", "x bogus"), ReasonContentType, false},
		"204":            {status(204), ReasonEnded, false},
		"205":            {status(205), ReasonStatus, false},
		"210":            {status(210), ReasonStatus, false},
		"299":            {status(299), ReasonStatus, false},
		"301":            {status(301, "Location", "/stream"), ReasonRedirect, false},
		"302":            {status(302, "Location", "/stream"), ReasonRedirect, false},
		"303":            {status(303, "Location", "/stream"), ReasonRedirect, false},
		"307":            {status(307, "Location", "/stream"), ReasonRedirect, false},
		"308":            {status(308, "Location", "/stream"), ReasonRedirect, false},
		"301, empty":     {status(301, "Location", ""), ReasonRedirect, false},
		"307, missing":   {status(307), ReasonRedirect, false},
		"401":            {status(401), ReasonRefused, false},
		"403":            {status(403), ReasonRefused, false},
		"404":            {status(404), ReasonStatus, false},
		"410":            {status(410), ReasonRefused, false},
		"429":            {status(429), ReasonStatus, false},
		"500":            {status(500), ReasonStatus, false},
		"503":            {status(503), ReasonStatus, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answered := false
			r := startReading(t, service, hurry, func(w http.ResponseWriter, req *http.Request) bool {
				if req.Method != http.MethodGet || req.Header.Get("Accept") != "text/event-stream" || req.Header.Get("Cache-Control") != "no-cache" || req.Header.Get("Last-Event-Id") != "" {
					t.Errorf("request = %s %v", req.Method, req.Header)
				}
				if answered {
					return false
				}
				answered = true
				test.answer(w)
				return true
			})
			r.connection(t)
			if test.read {
				r.events(t, parsed{data: "…"})
			}
			if r.failure(t, test.reason); test.reason == ReasonRefused {
				return // for good
			}
			r.connection(t).send(t, "data: x\n\n")
			r.events(t, parsed{data: "x"})
		})
	}
}
