package bridge_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// provider is a provider written by hand, for what the simulator does not do.
// Its zero value knows no order; every function may be nil.
type provider struct {
	// create answers POST orders; by default the order is made.
	create func(w http.ResponseWriter, r *http.Request, order fields)
	// get answers GET orders/ID; by default with status, once the order is made.
	get func(w http.ResponseWriter, r *http.Request, id string)
	// cancel answers POST orders/ID/cancel; by default 404.
	cancel func(w http.ResponseWriter, r *http.Request, id string)
	// stream answers the event stream; by default 200 and silence.
	stream func(w http.ResponseWriter, r *http.Request)

	mu sync.Mutex
	// status is what GET says of every order that was made.
	status string
	// orders that were made, as they were asked for.
	orders map[string]fields
	// calls by operation: create, get, cancel, stream.
	calls map[string]int
	// authorizations of the streams that were asked for.
	authorizations []string
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/v1/json")
	id, _ := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(path, "/orders/"), "/cancel"))
	switch {
	case path == "/events/":
		p.count("stream")
		p.mu.Lock()
		p.authorizations = append(p.authorizations, r.Header.Get("Authorization"))
		p.mu.Unlock()
		if p.stream != nil {
			p.stream(w, r)
			return
		}
		openStream(w)
		<-r.Context().Done()
	case r.Method == http.MethodPost && path == "/orders":
		p.count("create")
		var order fields
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &order) != nil {
			http.Error(w, "no JSON", http.StatusBadRequest)
			return
		}
		if p.create != nil {
			p.create(w, r, order)
			return
		}
		p.make(order)
		created(w, r, order)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/cancel"):
		p.count("cancel")
		if p.cancel != nil {
			p.cancel(w, r, id)
			return
		}
		refuse(w, http.StatusNotFound, 1006, "Not found")
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/orders/"):
		p.count("get")
		if p.get != nil {
			p.get(w, r, id)
			return
		}
		p.state(w, id)
	default:
		http.NotFound(w, r)
	}
}

// count counts a call.
func (p *provider) count(operation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[operation]++
}

// called returns how often an operation was asked for.
func (p *provider) called(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[operation]
}

// make makes an order.
func (p *provider) make(order fields) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.orders == nil {
		p.orders = map[string]fields{}
	}
	id, _ := order["order_id"].(string)
	p.orders[id] = order
}

// become changes what GET says of every order.
func (p *provider) become(status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// state answers as GET orders/ID does.
func (p *provider) state(w http.ResponseWriter, id string) {
	p.mu.Lock()
	order, status := p.orders[id], p.status
	p.mu.Unlock()
	if order == nil {
		refuse(w, http.StatusNotFound, 1006, "Not found")
		return
	}
	if status == "" {
		status = "initialized"
	}
	yes(w, orderData(order, status))
}

// orderData is an order as GET shows it.
func orderData(order fields, status string) fields {
	terminal := ""
	if gateway, ok := order["gateway_info"].(map[string]any); ok {
		terminal, _ = gateway["terminal_id"].(string)
	}
	return fields{
		"order_id": order["order_id"], "status": status, "financial_status": status, "transaction_id": 42,
		"amount": order["amount"], "currency": order["currency"],
		"payment_details": fields{"terminal_id": terminal}, "created": order["created"],
	}
}

// created answers a create with a session and a stream on this server.
func created(w http.ResponseWriter, r *http.Request, order fields) {
	yes(w, createdData(order, "http://"+r.Host+"/v1/json/events/"))
}

func createdData(order fields, stream string) fields {
	return fields{
		"order_id": order["order_id"], "session_id": "session-of-" + fmt.Sprint(order["order_id"]),
		"events_token": "token-of-" + fmt.Sprint(order["order_id"]), "events_stream_url": stream,
	}
}

// yes answers with data.
func yes(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(fields{"success": true, "data": data})
}

// refuse answers with an error of the provider's form.
func refuse(w http.ResponseWriter, status, code int, info string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(fields{"success": false, "error_code": code, "error_info": info})
}

// openStream sends an event stream's header.
func openStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	send(w, "")
}

// send puts text on a stream.
func send(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// event is a status change as the stream tells it.
func event(order, status string) string {
	return fmt.Sprintf("event: session.order\ndata: {\"order_id\":%q,\"session_id\":\"session-of-%s\",\"status\":%q,\"financial_status\":%q,\"transaction_id\":\"42\"}\n\n",
		order, order, status, status)
}
