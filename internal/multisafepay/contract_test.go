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
}

// contractWait is for what ought to come at once.
const contractWait = 20 * time.Second

// startReading has the service read a stream.
func startReading(t *testing.T, service string, p contractParams) *reading {
	t.Helper()
	r := &reading{conns: make(chan *contractConn), messages: make(chan contractMessage)}
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, req *http.Request) {
		conn := &contractConn{req, make(chan string)}
		select {
		case r.conns <- conn:
		case <-req.Context().Done():
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

// TestContractParsing: every case of the table over real HTTP, and payloads of every
// size; each event is there while the connection stands.
func TestContractParsing(t *testing.T) {
	t.Parallel()
	service := newContractService(t).URL
	for _, test := range conformance {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := startReading(t, service, hurry)
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
	t.Run("sizes", func(t *testing.T) {
		t.Parallel()
		r := startReading(t, service, hurry)
		conn := r.connection(t)
		for _, size := range payloadSizes {
			data := strings.Repeat("x", size)
			conn.send(t, "data: "+data[:size/2], data[size/2:]+"\n\n")
			r.events(t, parsed{data: data})
		}
		conn.send(t, "data: before\n\ndata: "+strings.Repeat("x", 5<<20)+"\n\n")
		r.events(t, parsed{data: "before"})
		r.failure(t, ReasonTooLarge)
	})
}
