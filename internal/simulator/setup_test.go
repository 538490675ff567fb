package simulator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
)

// TestMain fails when a test leaves a goroutine behind. More tests run at a time than there
// are processors, because most of them wait.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4")
	goleak.VerifyTestMain(m)
}

// bundle is a running simulator and a client of it.
type bundle struct {
	*simulatortest.Server
	t      *testing.T
	client *http.Client
	ctx    context.Context
}

// setup starts a simulator that acts a thousand times faster than life and, unless it is
// told to, cancels nothing for inactivity: a busy machine may leave a test alone for long.
func setup(t *testing.T, o simulator.Options) *bundle {
	t.Helper()
	if o.Pace == 0 {
		o.Pace = 1000
	}
	if o.InactivityTimeout == 0 {
		o.InactivityTimeout = time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // parallel tests wait for one another
	// On a kept connection net/http would send a request again by itself that was
	// cut without an answer.
	transport := &http.Transport{DisableKeepAlives: true}
	b := &bundle{
		Server: simulatortest.Start(t, o), t: t, ctx: ctx,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
	})
	return b
}

// fields is a JSON object.
type fields map[string]any

// orderBody is a valid create request, with the given fields put over it.
func orderBody(id, terminal string, over fields) fields {
	body := fields{
		"type": "redirect", "order_id": id, "gateway": "", "currency": "EUR", "amount": 1250,
		"description": "two coffees", "gateway_info": fields{"terminal_id": terminal},
	}
	maps.Copy(body, over)
	return body
}

func inScenario(name scenario.Scenario) fields {
	return fields{"custom_info": fields{"custom_1": "scenario:" + string(name)}}
}

// do sends a request and returns status and body.
func (b *bundle) do(method, path string, body any) (int, fields) {
	b.t.Helper()
	resp, raw := b.raw(method, path, body)
	var got fields
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &got); err != nil {
			b.t.Fatalf("%s %s: body is not a JSON object: %.200s", method, path, raw)
		}
	}
	return resp.StatusCode, got
}

func (b *bundle) raw(method, path string, body any) (*http.Response, []byte) {
	b.t.Helper()
	resp, raw, err := b.try(method, path, body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, raw
}

// try is raw for requests that may fail.
func (b *bundle) try(method, path string, body any) (*http.Response, []byte, error) {
	b.t.Helper()
	var reader io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(b.ctx, method, b.URL+path, reader)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, raw, err
}

const demoKey = "?api_key=demo-key"

// create makes an order and returns the data of the answer.
func (b *bundle) create(id, terminal string, over fields) fields {
	b.t.Helper()
	status, got := b.do("POST", "/v1/json/orders"+demoKey, orderBody(id, terminal, over))
	if status != 200 || got["success"] != true {
		b.t.Fatalf("create %s: %d %v", id, status, got)
	}
	return got["data"].(map[string]any)
}

// get asks for an order and returns the data of the answer.
func (b *bundle) get(id string) fields {
	b.t.Helper()
	status, got := b.do("GET", "/v1/json/orders/"+url.PathEscape(id)+demoKey, nil)
	if status != 200 {
		b.t.Fatalf("get %s: %d %v", id, status, got)
	}
	return got["data"].(map[string]any)
}

// stream is an open event stream.
type stream struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Reader
}

// open connects to an order's event stream.
func (b *bundle) open(created fields) *stream {
	b.t.Helper()
	resp := b.connect(created)
	if resp.StatusCode != 200 {
		b.t.Fatalf("open stream: status %d", resp.StatusCode)
	}
	return &stream{t: b.t, resp: resp, in: bufio.NewReader(resp.Body)}
}

func (b *bundle) connect(created fields) *http.Response {
	b.t.Helper()
	req := newStreamRequest(b, created)
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("open stream: %v", err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// next reads one block of lines up to a blank one, comments left out; io.EOF or
// another error says how the stream ended.
func (s *stream) next() (block []string, err error) {
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			if line != "" {
				block = append(block, line)
			}
			return block, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" && len(block) > 0:
			return block, nil
		case line == "" || strings.HasPrefix(line, ":"):
		default:
			block = append(block, line)
		}
	}
}

// event reads the data of the next event.
func (s *stream) event() fields {
	s.t.Helper()
	block, err := s.next()
	if err != nil {
		s.t.Fatalf("read event: %v", err)
	}
	if len(block) != 2 || block[0] != "event: session.order" {
		s.t.Fatalf("got event %q, want an event line and a data line", block)
	}
	var data fields
	if err := json.Unmarshal([]byte(strings.TrimPrefix(block[1], "data: ")), &data); err != nil {
		s.t.Fatalf("event data %q: %v", block[1], err)
	}
	return data
}

// statuses reads so many events and returns their statuses.
func (s *stream) statuses(n int) []string {
	s.t.Helper()
	var got []string
	for range n {
		got = append(got, s.event()["status"].(string))
	}
	return got
}

// rest reads to the end of the stream and tells whether it was a clean one.
func (s *stream) rest() (text string, clean bool) {
	raw, err := io.ReadAll(s.in)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.t.Logf("stream ended: %v", err)
	}
	return string(raw), err == nil
}
