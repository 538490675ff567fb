//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// key is the one terminal group's.
	key = "bench-key"
	// keepAlive is how often an idle stream gets a comment, as the simulator's do.
	keepAlive = 15 * time.Second
	// writeLimit bounds how long one write to a stream may take.
	writeLimit = 5 * time.Second
)

// next is the status that follows another while a customer tries again and again.
var next = map[string]string{"initialized": "declined", "declined": "initialized"}

// provider is the cheapest one that a bridge can work with. It runs in the
// process of the benchmark: a status is sent by a call, and its time is known.
type provider struct {
	ledger   ledger
	server   *http.Server
	url      string       // of the API
	away     atomic.Bool  // every request is answered with 503
	attempts atomic.Int64 // questions and stream requests

	mu       sync.Mutex
	byID     map[string]*order
	orders   []*order
	followed int         // orders with a stream
	openings []time.Time // when orders got a stream and had none
}

// order is one payment and its streams.
type order struct {
	id, terminal, currency string
	amount                 int64

	mu      sync.Mutex
	status  string
	number  int // of the last status
	streams []*stream
}

// stream is one connection that follows an order. The order's mutex guards it.
type stream struct {
	w   http.ResponseWriter
	cut chan struct{} // gets one value to end it
}

func startProvider() (*provider, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	p := &provider{ledger: ledger{start: time.Now()}, byID: map[string]*order{}, url: "http://" + l.Addr().String() + "/v1/json"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/json/orders", p.create)
	mux.HandleFunc("GET /v1/json/orders/{id}", p.question)
	mux.HandleFunc("GET /events", p.follow)
	p.server = &http.Server{ReadHeaderTimeout: writeLimit, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			p.attempts.Add(1)
		}
		if p.away.Load() {
			http.Error(w, `{"message":"away"}`, http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	})}
	go p.server.Serve(l) //nolint:errcheck // until it is closed
	return p, nil
}

func (p *provider) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		OrderID  string `json:"order_id"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
		Gateway  struct {
			Terminal string `json:"terminal_id"`
		} `json:"gateway_info"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, `{"success":false,"error_code":1001}`, http.StatusBadRequest)
		return
	}
	o := &order{id: body.OrderID, terminal: body.Gateway.Terminal, currency: body.Currency, amount: body.Amount, status: "initialized"}
	p.mu.Lock()
	known := p.byID[o.id] != nil
	if !known {
		p.byID[o.id] = o
		p.orders = append(p.orders, o)
	}
	p.mu.Unlock()
	if known {
		http.Error(w, `{"success":false,"error_code":1006,"error_info":"Invalid order ID"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"success":true,"data":{"order_id":%q,"session_id":%q,"events_token":%q,"events_stream_url":%q}}`,
		o.id, "session-"+o.id, "token-"+o.id, strings.TrimSuffix(p.url, "/v1/json")+"/events")
}

func (p *provider) order(id string) *order {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id]
}

func (p *provider) all() []*order {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.orders)
}

func (p *provider) question(w http.ResponseWriter, r *http.Request) {
	o := p.order(r.PathValue("id"))
	if o == nil {
		http.Error(w, `{"success":false,"error_code":1006,"error_info":"Not found"}`, http.StatusNotFound)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	transaction := ""
	if o.number > 0 {
		transaction = fmt.Sprintf(`"transaction_id":%d,`, o.number)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"success":true,"data":{"order_id":%q,%s"status":%q,"financial_status":"initialized","amount":%d,"currency":%q,"created":%q,"payment_details":{"terminal_id":%q}}}`,
		o.id, transaction, o.status, o.amount, o.currency, p.ledger.start.UTC().Format("2006-01-02T15:04:05"), o.terminal)
}

// follow serves an event stream until it is cut or the client leaves.
func (p *provider) follow(w http.ResponseWriter, r *http.Request) {
	o := p.order(strings.TrimPrefix(r.Header.Get("Authorization"), "token-"))
	if o == nil {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s := &stream{w: w, cut: make(chan struct{}, 1)}
	p.attach(o, s)
	defer p.detach(o, s) // nobody writes to the stream afterwards
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			o.mu.Lock()
			s.write(": keep-alive\n\n")
			o.mu.Unlock()
		case <-s.cut:
			panic(http.ErrAbortHandler) // cuts the connection
		case <-r.Context().Done():
			return
		}
	}
}

func (p *provider) attach(o *order, s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.write("")
	if o.streams = append(o.streams, s); len(o.streams) == 1 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.followed++
		p.openings = append(p.openings, time.Now())
	}
}

func (p *provider) detach(o *order, s *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.streams = slices.DeleteFunc(o.streams, func(other *stream) bool { return other == s }); len(o.streams) == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.followed--
	}
}

// write sends text. follow notices a client that is gone.
func (s *stream) write(text string) {
	flow := http.NewResponseController(s.w)
	_ = flow.SetWriteDeadline(time.Now().Add(writeLimit))
	_, _ = s.w.Write([]byte(text))
	_ = flow.Flush()
}

// emit gives an order n new statuses and writes them to its streams at once: the
// named one, or if that is empty always another one than before.
func (p *provider) emit(o *order, n int, status string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var b strings.Builder
	for range n {
		o.status, o.number = cmp.Or(status, next[o.status]), p.ledger.send()
		fmt.Fprintf(&b, "event: session.order\ndata: {\"financial_status\":\"initialized\",\"order_id\":%q,\"session_id\":%q,\"status\":%q,\"transaction_id\":\"%d\"}\n\n",
			o.id, "session-"+o.id, o.status, o.number)
	}
	for _, s := range o.streams {
		s.write(b.String())
	}
}

// follows tells how many orders have a stream.
func (p *provider) follows() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.followed
}

// opened tells how many seconds after a time the first and the last order got a stream.
func (p *provider) opened(since time.Time) (first, last float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	after := slices.DeleteFunc(slices.Clone(p.openings), since.After)
	if len(after) == 0 {
		return 0, 0
	}
	return after[0].Sub(since).Seconds(), after[len(after)-1].Sub(since).Seconds()
}

// drop cuts every stream.
func (p *provider) drop() {
	for _, o := range p.all() {
		o.mu.Lock()
		for _, s := range o.streams {
			select {
			case s.cut <- struct{}{}:
			default: // it is cut already
			}
		}
		o.mu.Unlock()
	}
}
