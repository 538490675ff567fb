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
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// An answer that was lost after the order was made: the order is found, made
// once, and followed.
func TestLostAnswerAfterTheOrderWasMade(t *testing.T) {
	t.Parallel()
	for _, mode := range some([]string{"mode=cut", "mode=html", "mode=hang", "status=503,retry_after=1"}) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{})
			b.run(func(c *bridge.Config) { c.Timing.RequestTimeout = 500 * time.Millisecond })
			got := b.start(order("a", terminal1, scenario(simulator.Approve, "lose_create_answer:"+mode, "eager_terminal")))
			if !got.Created || got.SessionID != "" {
				t.Errorf("got %+v, want created, and no session id", got)
			}
			b.awaitLast("a", "completed")
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
	for _, mode := range []string{"mode=cut", "status=503"} {
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
			if status == http.StatusFound {
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
		{"validation", answer(422, `{"success":false,"message":"wrong","errors":[{"attribute":"amount","message":"too much"}]}`), schema.ProviderRejected, schema.ProviderAnswer{HTTPStatus: 422, ErrorInfo: "wrong; amount: too much"}},
		{"key refused", answer(401, `{"success":false,"error_code":1032,"error_info":"Invalid API key"}`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 401, ErrorCode: 1032, ErrorInfo: "Invalid API key"}},
		{"id used elsewhere", answer(400, `{"success":false,"error_code":1006,"error_info":"Invalid order ID: already used"}`), schema.ProviderRejected, schema.ProviderAnswer{HTTPStatus: 400, ErrorCode: 1006, ErrorInfo: "Invalid order ID: already used"}},
		{"web page", answer(404, `<html>`), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 404}},
		{"redirect", answer(302, ``), schema.ProviderError, schema.ProviderAnswer{HTTPStatus: 302}},
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
			if tt.want.ErrorCode == 1006 {
				p.make(fields{"order_id": "a", "amount": 5, "currency": "EUR"})
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
			b.do("pos.payment.get", fields{"order_id": "a", "terminal_id": terminal1}).failed(schema.NotFound)
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
	b.apiURL = "http://127.0.0.1:1" // nobody listens there, and no other test gets this port
	b.run()
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

// But an order that was made and paid long before is not the one that was asked for:
// nobody may take it for paid.
func TestOrderOfAnEarlierDayIsFromElsewhere(t *testing.T) {
	t.Parallel()
	p := &provider{create: func(http.ResponseWriter, *http.Request, fields) { panic(http.ErrAbortHandler) }}
	p.make(fields{"order_id": "a", "amount": 1000, "currency": "EUR", "created": "2025-08-01T12:00:00"})
	p.become("completed")
	b := setup(t, options{provider: p})
	b.run()
	b.do("pos.payment.start", order("a", terminal1)).failed(schema.ProviderRejected)
	b.waitFree(terminal1)
	if got := b.events("a"); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
}

// Two terminals get the same order id, and the provider does not say on which one its
// order is: the payment of the first one must not count for both.
func TestOneOrderIDOnTwoTerminals(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusBadRequest, 1006, "Invalid order ID")
		},
		"lost": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &provider{}
			p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
				if p.called("create") > 1 {
					answer(w, r)
					return
				}
				p.make(order)
				yes(w, fields{"order_id": "a", "session_id": "session-of-a"})
			}
			p.get = func(w http.ResponseWriter, _ *http.Request, _ string) {
				yes(w, fields{"order_id": "a", "status": "initialized", "amount": 1000, "currency": "EUR", "payment_details": fields{}})
			}
			b := setup(t, options{provider: p})
			b.run()
			b.start(order("a", terminal1))
			b.await("a", "initialized")
			b.do("pos.payment.start", order("a", terminal2)).failed(schema.ProviderRejected)
		})
	}
}

// The provider says when to come back. A later time than the start deadline is no
// use: the answer comes at once if nothing can have been created, and a 5xx does not
// say that.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for status, late := range map[int]schema.Code{429: schema.ProviderUnavailable, 503: schema.OutcomeUnknown} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var first atomic.Int64
			var well atomic.Bool
			p := &provider{}
			p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
				if order["order_id"] == "late" && !well.Load() {
					w.Header().Set("Retry-After", "6")
					refuse(w, status, 1000, "Later")
					return
				}
				if order["order_id"] == "a" && first.CompareAndSwap(0, time.Now().UnixNano()) {
					w.Header().Set("Retry-After", "0.3")
					refuse(w, status, 1000, "Later")
					return
				}
				if took := time.Since(time.Unix(0, first.Load())); took < 300*time.Millisecond {
					t.Errorf("tried again after %s", took)
				}
				p.make(order)
				created(w, r, order)
			}
			b := setup(t, options{provider: p})
			b.run(func(c *bridge.Config) { c.Timing.StartDeadline = 2 * time.Second })
			if got := b.start(order("a", terminal1)); !got.Created {
				t.Errorf("got %+v", got)
			}
			e := b.do("pos.payment.start", order("late", terminal2)).failed(late)
			if want := (schema.ProviderAnswer{HTTPStatus: status, ErrorCode: 1000, ErrorInfo: "Later"}); e.Provider == nil || *e.Provider != want {
				t.Errorf("got %+v, want %+v", e.Provider, want)
			}
			if late == schema.OutcomeUnknown {
				return
			}
			b.waitFree(terminal2)
			if got := b.events("late"); len(got) > 0 {
				t.Errorf("statuses came: %+v", got)
			}
			well.Store(true)
			if got := b.start(order("late", terminal2)); !got.Created || p.called("create") != 4 {
				t.Errorf("the same request, once the provider takes it: got %+v after %d creates", got, p.called("create"))
			}
		})
	}
}

// The answer is lost, and asking does not tell either: the session is followed, and
// its statuses tell what became of it. That nothing was created is certain more than
// a minute later only; the bridge does not guess before that.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, exists := range map[string]bool{"order exists": true, "order does not exist": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var blind atomic.Bool
			blind.Store(true)
			p := &provider{}
			p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
				if exists {
					p.make(order)
				}
				panic(http.ErrAbortHandler)
			}
			p.get = func(w http.ResponseWriter, r *http.Request, id string) {
				if blind.Load() {
					refuse(w, http.StatusInternalServerError, 1000, "Sorry")
					return
				}
				p.state(w, id)
			}
			b := setup(t, options{provider: p})
			b.run(short, func(c *bridge.Config) {
				c.Timing.StartDeadline = 2 * time.Second
				if !exists {
					c.Timing.SessionTimeout = 6 * time.Second
				}
			})
			request := order("a", terminal1)
			b.do("pos.payment.start", request).failed(schema.OutcomeUnknown)
			if got := b.getOrder(terminal1, "a"); got.Status != "created" || !got.Active {
				t.Errorf("get: got %+v, want it followed", got)
			}
			b.do("pos.payment.start", order("b", terminal1)).failed(schema.TerminalBusy)
			blind.Store(false)
			if !exists {
				events := b.await("a", "unresolved")
				if e := events[0]; e.Source != schema.SourceBridge || !e.Final || e.SessionID != "" {
					t.Errorf("got %+v", e)
				}
				b.waitFree(terminal1)
				return
			}
			b.await("a", "initialized")
			if got := b.start(request); got.Created || got.Status != "initialized" {
				t.Errorf("the same request again: got %+v", got)
			}
			p.become("completed")
			b.await("a", "initialized", "completed")
			b.waitFree(terminal1)
			if p.called("create") != 1 {
				t.Errorf("%d creates", p.called("create"))
			}
		})
	}
}

// A session that comes to a replica too late is dropped: no terminal rings for a
// till that has left. A till that was told that the outcome is unknown learns it.
func TestStartIsDroppedAfterItsDeadline(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	b.run().drain() // has made the objects
	queue := b.connectBus()
	inbox := b.nc.NewInbox()
	answers, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	_, err = queue.Enqueue(b.ctx, payment.Session{
		Request: schema.StartRequest{OrderID: "a", TerminalID: terminal1, Amount: 1, Currency: "EUR", Description: "a"},
		Hash:    "h", Nonce: "n", Reply: inbox, Deadline: time.Now().Add(-time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.run()
	msg, err := answers.NextMsgWithContext(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	reply{t, msg.Data, msg.Header}.failed(schema.OutcomeUnknown)
	if e := b.await("a", schema.StatusNotCreated)[0]; !e.Final || e.Source != schema.SourceBridge || e.Reason == "" {
		t.Errorf("got %+v", e)
	}
	b.waitFree(terminal1)
	if p.called("create") > 0 {
		t.Error("the terminal rang")
	}
}

// A replica dies while its create is on its way. The next one asks before it creates
// anything: at most one order is made.
func TestReplicaDiesWhileItCreates(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		if down.Load() {
			<-r.Context().Done()
			return
		}
		if p.called("get") == 0 {
			t.Error("the provider was not asked before the second create")
		}
		p.make(order)
		created(w, r, order)
	}
	b := setup(t, options{provider: p})
	first := b.run()
	b.run()
	answered := b.later("pos.payment.start", order("a", terminal1))
	eventually(t, "the order is being created", func() bool { return p.called("create") > 0 })
	down.Store(false)
	first.kill()
	if got := (<-answered).started(); !got.Created {
		t.Errorf("got %+v", got)
	}
	if p.called("create") != 2 {
		t.Errorf("%d creates", p.called("create"))
	}
	p.become("completed")
	b.awaitLast("a", "completed")
}
