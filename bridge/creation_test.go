package bridge_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// An answer that was lost after the order was made: the order is found, made
// once, and followed.
func TestLostAnswerAfterTheOrderWasMade(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{
		"mode=cut", "mode=broken", "mode=empty", "mode=html", "mode=huge", "mode=endless", "mode=hang",
		"status=500", "status=502", "status=503,retry_after=1", "status=504", "status=408",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{})
			b.run(func(c *bridge.Config) { c.Timing.RequestTimeout = 500 * time.Millisecond })
			got := b.start(order("a", terminal1, scenario(simulator.Approve, "lose_create_answer:"+mode, "eager_terminal")))
			if !got.Created || got.SessionID != "" {
				t.Errorf("got %+v, want created, and no session id", got)
			}
			b.wait(func() string { return "a final status" }, func() bool {
				events := b.eventsOf("a")
				return len(events) > 0 && events[len(events)-1].Final
			})
			for _, e := range b.events("a") {
				if e.SessionID != "" || e.Source != schema.SourceReconcile {
					t.Errorf("got %+v, want no session id, source reconcile", e)
				}
			}
			if got := b.sim.Calls("a"); got.Made != 1 || got.Create != 1 {
				t.Errorf("created %d times, made %d, want once", got.Create, got.Made)
			}
			b.waitFree(terminal1)
		})
	}
}

// An answer that was lost before the order was made: it is made again.
func TestLostAnswerBeforeTheOrderWasMade(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"mode=cut", "mode=broken", "mode=empty", "mode=html", "status=500", "status=503"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{})
			b.run()
			got := b.start(order("a", terminal1, scenario(simulator.Approve, "lose_create_answer:not_made,"+mode)))
			if !got.Created || got.SessionID == "" {
				t.Errorf("got %+v", got)
			}
			b.await("a", "initialized", "completed")
			if got := b.sim.Calls("a"); got.Made != 1 || got.Create != 2 || got.Get == 0 {
				t.Errorf("got %+v, want two creates, the provider asked in between", got)
			}
		})
	}
}

// "Already used" can mean this very order, when the first answer was lost and
// the provider's reading side lags.
func TestUsedOrderIsOurOwn(t *testing.T) {
	t.Parallel()
	p := &provider{}
	var creates, gets atomic.Int32
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		if creates.Add(1) == 1 {
			p.make(order)
			panic(http.ErrAbortHandler)
		}
		refuse(w, http.StatusBadRequest, 1006, "Invalid order ID")
	}
	p.get = func(w http.ResponseWriter, r *http.Request, id string) {
		if gets.Add(1) == 1 {
			refuse(w, http.StatusNotFound, 1006, "Not found")
			return
		}
		p.state(w, id)
	}
	b := setup(t, options{provider: p})
	b.run()
	if got := b.start(order("a", terminal1)); !got.Created {
		t.Errorf("got %+v", got)
	}
	b.await("a", "initialized")
	p.become("completed")
	b.await("a", "initialized", "completed")
}

// What the provider refuses is answered at once, shows the provider's words and
// leaves nothing open.
func TestProviderSaysNo(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if status >= 300 && status < 400 {
				w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		code   schema.Code
		want   schema.ProviderAnswer
	}{
		{"no gateway", answer(400, `{"success":false,"error_code":1023,"error_info":"No gateway"}`), schema.ProviderRejected, schema.ProviderAnswer{HTTPStatus: 400, ErrorCode: 1023, ErrorInfo: "No gateway"}},
		{"no with 200", answer(200, `{"success":false,"data":{},"error_code":1001,"error_info":"Incorrect format"}`), schema.ProviderRejected, schema.ProviderAnswer{HTTPStatus: 200, ErrorCode: 1001, ErrorInfo: "Incorrect format"}},
		{"validation", answer(422, `{"success":false,"message":"wrong","errors":[{"attribute":"amount","message":"too much"}]}`), schema.ProviderRejected, schema.ProviderAnswer{HTTPStatus: 422, ErrorInfo: "wrong; amount: too much"}},
		{"site blocked", answer(403, `{"message":"Forbidden"}`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 403, ErrorInfo: "Forbidden"}},
		{"key refused", answer(401, `{"success":false,"error_code":1032,"error_info":"Invalid API key"}`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 401, ErrorCode: 1032, ErrorInfo: "Invalid API key"}},
		{"key refused with 200", answer(200, `{"success":false,"error_code":1032,"error_info":"Invalid API key"}`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 200, ErrorCode: 1032, ErrorInfo: "Invalid API key"}},
		{"web page", answer(404, `<html>`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 404}},
		{"no without a code", answer(400, `{"success":false}`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 400}},
		{"redirect", answer(302, ``), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 302}},
		{"redirect that keeps the method", answer(307, ``), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 307}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var well atomic.Bool
			p := &provider{}
			p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
				if well.Load() {
					p.make(order)
					created(w, r, order)
					return
				}
				tt.answer(w, r)
			}
			b := setup(t, options{provider: p})
			r := b.run()
			e := b.do("pos.payment.start", order("a", terminal1)).failed(tt.code)
			if e.Provider == nil || *e.Provider != tt.want {
				t.Errorf("got %+v, want %+v", e.Provider, tt.want)
			}
			b.waitFree(terminal1)
			if got := b.events("a"); len(got) > 0 {
				t.Errorf("statuses came: %+v", got)
			}
			if got := b.list(); len(got) > 0 {
				t.Errorf("sessions are left: %+v", got)
			}
			if p.called("create") != 1 {
				t.Errorf("%d creates", p.called("create"))
			}
			r.waitMetric(`pos_bridge_commands_total{code="`+string(tt.code)+`",command="start"}`, "1")
			well.Store(true)
			if got := b.start(order("a", terminal1)); !got.Created {
				t.Errorf("the same order once the provider takes it: got %+v", got)
			}
		})
	}
}

func TestProviderUnreachable(t *testing.T) {
	t.Parallel()
	b := setup(t, options{provider: &provider{}})
	gone := newServer(t, nil)
	gone.Close()
	b.apiURL = gone.URL
	b.run(short)
	e := b.do("pos.payment.start", order("a", terminal1)).failed(schema.ProviderUnavailable)
	if e.Provider != nil {
		t.Errorf("got %+v, though the provider said nothing", e.Provider)
	}
	b.waitFree(terminal1)
	b.do("pos.payment.get", fields{"order_id": "a", "terminal_id": terminal1}).failed(schema.NotFound)
}

// Card data and secrets in a provider's error never reach anybody.
func TestProviderErrorIsCleaned(t *testing.T) {
	t.Parallel()
	p := &provider{create: func(w http.ResponseWriter, r *http.Request, order fields) {
		refuse(w, http.StatusBadRequest, 1001, "key "+r.URL.Query().Get("api_key")+" card 5413330089009917 "+strings.Repeat("long ", 200))
	}}
	b := setup(t, options{provider: p})
	r := b.run()
	got := b.do("pos.payment.start", order("a", terminal1))
	e := got.failed(schema.ProviderRejected)
	for _, secret := range []string{apiKey, "5413330089009917"} {
		if bytes.Contains(got.body, []byte(secret)) || strings.Contains(r.logs.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if n := len([]rune(e.Provider.ErrorInfo)); n > 300 {
		t.Errorf("%d characters of the provider's", n)
	}
}

// A key or a token in the place of an id is nowhere to be seen either, whichever
// way the provider tells it.
func TestSecretAsAnID(t *testing.T) {
	t.Parallel()
	initialized := make(chan struct{})
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		p.make(order)
		data := createdData(order, "http://"+r.Host+"/v1/json/events/")
		data["session_id"] = apiKey
		yes(w, data)
	}
	p.get = func(w http.ResponseWriter, _ *http.Request, id string) {
		p.mu.Lock()
		data := orderData(p.orders[id], "initialized")
		p.mu.Unlock()
		data["transaction_id"] = "token-of-" + id
		yes(w, data)
	}
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		openStream(w)
		select {
		case <-initialized:
		case <-r.Context().Done():
		}
		send(w, strings.NewReplacer("session-of-a", "token-of-a", `"42"`, `"`+apiKey+`"`).Replace(event("a", "completed")))
		<-r.Context().Done()
	}
	b := setup(t, options{provider: p})
	r := b.run()
	got := b.do("pos.payment.start", order("a", terminal1))
	b.await("a", "initialized") // was asked for
	close(initialized)
	events := b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	shown := fmt.Sprintf("%s %+v %s", got.body, events, r.logs)
	for _, secret := range []string{apiKey, "token-of-a"} {
		if at := strings.Index(shown, secret); at >= 0 {
			t.Errorf("%q is shown: %s", secret, shown[max(0, at-200):at+len(secret)])
		}
	}
}
