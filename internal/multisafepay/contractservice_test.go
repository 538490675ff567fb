package multisafepay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/internal/redact"
)

// contractService lets a harness drive our reader from outside, by the protocol
// of launchdarkly/sse-contract-tests (its docs/service_spec.md): the harness
// posts where a stream is and where it wants to be told what comes of it. A
// stream is read as Follow reads it, but for the meaning of the data.
//
// Of what is optional there it declares "bom", "read-timeout" and "restart". It
// cannot have "comments", "headers", "last-event-id", "post" and "report", which
// the bridge has no use for, "server-directed-shutdown-request" (once "204"),
// because a session comes back after a 204, nor "payload-size-stress-testable",
// whose sizes go beyond MaxEventSize.
type contractService struct {
	*httptest.Server
	mu      sync.Mutex
	streams map[string]*contractStream
	made    int
}

// contractParams begin a stream.
type contractParams struct {
	StreamURL      string `json:"streamUrl"`
	CallbackURL    string `json:"callbackUrl"`
	InitialDelayMS *int   `json:"initialDelayMs,omitempty"`
	ReadTimeoutMS  *int   `json:"readTimeoutMs,omitempty"`
}

// contractMessage is what the harness is told, one after the other.
type contractMessage struct {
	Kind  string         `json:"kind"` // event or error
	Event *contractEvent `json:"event,omitempty"`
	Error string         `json:"error,omitempty"`
}

type contractEvent struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"`
}

func newContractService(t *testing.T) *contractService {
	t.Helper()
	s := &contractService{streams: make(map[string]*contractStream)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "posbridge", "capabilities": []string{"bom", "read-timeout", "restart"}})
	})
	mux.HandleFunc("POST /{$}", s.create)
	mux.HandleFunc("POST /streams/{id}", s.command)
	mux.HandleFunc("DELETE /streams/{id}", s.delete)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		for _, stream := range s.streams {
			stream.stop()
		}
	})
	return s
}

func (s *contractService) create(w http.ResponseWriter, r *http.Request) {
	var p contractParams
	if json.NewDecoder(r.Body).Decode(&p) != nil || p.StreamURL == "" || p.CallbackURL == "" {
		http.Error(w, "want a streamUrl and a callbackUrl", http.StatusBadRequest)
		return
	}
	stream, err := startContractStream(p)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	id := fmt.Sprint(s.made)
	s.streams[id] = stream
	w.Header().Set("Location", "/streams/"+id)
	w.WriteHeader(http.StatusCreated)
}

func (s *contractService) command(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stream := s.streams[r.PathValue("id")]
	s.mu.Unlock()
	var c struct{ Command string }
	switch {
	case stream == nil:
		http.NotFound(w, r)
	case json.NewDecoder(r.Body).Decode(&c) != nil || c.Command != "restart":
		http.Error(w, "unknown command", http.StatusBadRequest)
	default:
		stream.restart()
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *contractService) delete(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stream := s.streams[r.PathValue("id")]
	delete(s.streams, r.PathValue("id"))
	s.mu.Unlock()
	if stream == nil {
		http.NotFound(w, r)
		return
	}
	stream.stop()
	w.WriteHeader(http.StatusNoContent)
}

// contractStream is one stream that is read again and again, as a session does
// it, but for the growing pause.
type contractStream struct {
	client *Client
	stream Stream
	// lastID is that of the last event that was told.
	lastID   string
	callback string
	pause    time.Duration
	cancel   context.CancelFunc
	ended    chan struct{}
	sent     int // messages

	mu      sync.Mutex
	attempt context.CancelFunc // ends the present connection
}

// startContractStream's defaults are those of a test that is in a hurry.
func startContractStream(p contractParams) (*contractStream, error) {
	base, err := url.Parse(p.StreamURL)
	if err != nil {
		return nil, err
	}
	o := Options{BaseURL: base.Scheme + "://" + base.Host}
	if p.ReadTimeoutMS != nil {
		o.IdleTimeout = time.Duration(*p.ReadTimeoutMS) * time.Millisecond
	}
	client, err := New(o)
	if err != nil {
		return nil, err
	}
	s := &contractStream{
		client: client, stream: Stream{URL: p.StreamURL, Token: redact.NewSecret(testToken)}, callback: p.CallbackURL,
		pause: 20 * time.Millisecond, ended: make(chan struct{}), attempt: func() {},
	}
	if p.InitialDelayMS != nil {
		s.pause = max(time.Duration(*p.InitialDelayMS)*time.Millisecond, time.Millisecond)
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go s.run(ctx)
	return s, nil
}

func (s *contractStream) run(ctx context.Context) {
	defer close(s.ended)
	defer s.client.Close()
	for {
		attempt, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.attempt = cancel
		s.mu.Unlock()
		err := s.client.attempt(attempt, s.stream, s.lastID, StreamHandler{}, func(ctx context.Context, r *streamReader) error {
			return streamError(ctx, serverEvents(r, func(e sse.Event) error {
				s.lastID = e.LastEventID
				return s.tell(ctx, contractMessage{Kind: "event", Event: &contractEvent{Type: e.Type, Data: e.Data, ID: e.LastEventID}})
			}), redact.Scrubber{})
		})
		restarted := attempt.Err() != nil
		cancel()
		if !restarted {
			_ = s.tell(ctx, contractMessage{Kind: "error", Error: Reason(err)})
		}
		if errors.Is(err, ErrStreamRefused) || errors.Is(err, ErrStreamHost) {
			return
		}
		select {
		case <-time.After(s.pause):
		case <-ctx.Done():
			return
		}
	}
}

func (s *contractStream) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempt()
}

func (s *contractStream) stop() {
	s.cancel()
	<-s.ended
}

// tell posts a message under its number.
func (s *contractStream) tell(ctx context.Context, m contractMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.sent++
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/%d", s.callback, s.sent), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.calls.questions.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
