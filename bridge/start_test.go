package bridge_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

func TestPaymentFromStartToRest(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.run()
	got := b.start(order("Order-1", terminal1, scenario(simulator.SoftDeclineThenApprove)))
	want := schema.StartReply{
		OrderID: "Order-1", TerminalID: terminal1, SessionID: got.SessionID, Status: got.Status,
		StatusSubject: "pos.SIM00001.Order-1.status", Created: true,
	}
	if got != want || got.SessionID == "" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	events := b.await("Order-1", "initialized", "declined", "initialized", "completed")
	for i, e := range events {
		if final := i == 3; e.Final != final {
			t.Errorf("%s: final is %v", e.Status, e.Final)
		}
		if e.Amount != 1000 || e.Currency != "EUR" || e.SessionID != got.SessionID || e.TransactionID == "" || e.FinancialStatus == "" {
			t.Errorf("got %+v", e)
		}
	}
	b.waitFree(terminal1)
	again := b.start(order("Order-2", terminal1))
	if !again.Created {
		t.Errorf("the terminal is not free for the next payment: %+v", again)
	}
	b.await("Order-2", "initialized", "completed")
}

func TestEveryScenario(t *testing.T) {
	t.Parallel()
	for _, sc := range some(simulator.Scenarios()) {
		if sc.Name == simulator.WaitForHand || sc.Name == simulator.WalkAway {
			continue
		}
		t.Run(string(sc.Name), func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{})
			b.run()
			b.start(order("o", terminal1, scenario(sc.Name)))
			want := sc.Statuses
			b.wait(func() string { return "the end" }, func() bool { return last(b.eventsOf("o")) == want[len(want)-1] })
			got := namesOf(b.events("o"))
			if got[0] == "initialized" && want[0] != "initialized" { // what a question finds before the stream tells
				got = got[1:]
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			b.waitFree(terminal1)
		})
	}
}

func TestSameStartAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	request := order("a", terminal1, fields{"description": "two coffees"})
	first := b.start(request)
	if first.Status != "created" || !first.Created {
		t.Errorf("got %+v, want created", first)
	}
	b.await("a", "initialized")
	want := first
	want.Status, want.Created = "initialized", false
	if got := b.start(request); got != want {
		t.Errorf("while it is open: got %+v, want %+v", got, want)
	}
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	want.Status = "completed"
	if got := b.start(request); got != want {
		t.Errorf("as it is over: got %+v, want %+v", got, want)
	}
	b.waitFree(terminal1)
	if got := b.start(request); got != want {
		t.Errorf("long after: got %+v, want %+v", got, want)
	}
	if got := b.sim.Calls("a").Create; got != 1 {
		t.Errorf("the provider was asked %d times to create the order", got)
	}
}

// The same content can be written in more than one way.
func TestSameStartInOtherWords(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	first := b.start(order("a", terminal1))
	for name, again := range map[string]func() schema.StartReply{
		"description is the order id": func() schema.StartReply {
			return b.start(order("a", terminal1, fields{"description": "a"}))
		},
		"nothing in customer and custom_info": func() schema.StartReply {
			return b.start(order("a", terminal1, fields{"customer": fields{}, "custom_info": fields{}}))
		},
		"terminal in the subject": func() schema.StartReply {
			return b.do("pos.SIM00001.payment.start", `{"currency":"EUR","amount":1000,"order_id":"a"}`).started()
		},
		"terminal in both": func() schema.StartReply {
			return b.do("pos.SIM00001.payment.start", order("a", terminal1)).started()
		},
	} {
		if got := again(); got.Created || got.SessionID != first.SessionID {
			t.Errorf("%s: got %+v, want the session of %+v", name, got, first)
		}
	}
}

func TestSameOrderWithOtherContent(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	others := map[string]fields{
		"amount": {"amount": 1001}, "currency": {"currency": "USD"}, "description": {"description": "b"},
		"customer": {"customer": fields{"email": "a@example.com"}}, "notification_url": {"notification_url": "https://example.com"},
		"custom_info": {"custom_info": fields{"custom_1": "1"}},
	}
	refused := func() {
		t.Helper()
		for name, other := range others {
			e := b.do("pos.payment.start", order("a", terminal1, other)).failed(schema.OrderConflict)
			if e.Retryable || !strings.Contains(e.Message, "a") {
				t.Errorf("%s: got %+v", name, e)
			}
		}
	}
	refused()
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	refused()
	if got := b.sim.Calls("a").Create; got != 1 {
		t.Errorf("the provider was asked %d times to create the order", got)
	}
}

func TestTerminalBusy(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("first", terminal1))
	e := b.do("pos.payment.start", order("second", terminal1)).failed(schema.TerminalBusy)
	if !strings.Contains(e.Message, "first") {
		t.Errorf("the message does not name the order: %q", e.Message)
	}
	if got := b.sim.Calls("second").Create; got != 0 {
		t.Errorf("the provider was asked %d times", got)
	}
	b.start(order("elsewhere", terminal2))
	b.await("first", "initialized")
	b.act(terminal1, simulator.ActCancel)
	b.await("first", "initialized", "cancelled")
	if got := b.start(order("second", terminal1)); !got.Created {
		t.Errorf("got %+v", got)
	}
}

// The terminal is free with the final event, not after the settle window.
func TestTerminalIsFreeWithTheFinalEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.run(func(c *bridge.Config) { c.Timing.SettleWindow = time.Minute })
	for i := range 5 {
		id := fmt.Sprintf("o-%d", i)
		if got := b.start(order(id, terminal1)); !got.Created {
			t.Errorf("got %+v", got)
		}
		b.await(id, "initialized", "completed")
	}
}

func TestStartWithoutReplySubject(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run()
	if err := b.nc.Publish("pos.payment.start", []byte(`{"order_id":"a","terminal_id":"SIM00001","amount":1,"currency":"EUR"}`)); err != nil {
		t.Fatal(err)
	}
	if err := b.nc.Publish("pos.payment.start", []byte(`nonsense`)); err != nil {
		t.Fatal(err)
	}
	b.await("a", "initialized", "completed")
	r.waitMetric(`pos_bridge_commands_total{code="invalid_request",command="start"}`, "1")
	r.waitMetric(`pos_bridge_commands_total{code="ok",command="start"}`, "1")
}

func TestOrdersWithDotsAndSlashes(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.run()
	for id, subject := range map[string]string{
		"2026/11.23": "pos.SIM00001.2026%2F11%2E23.status",
		".":          "pos.SIM00001.%2E.status",
		"..":         "pos.SIM00001.%2E%2E.status",
		"/a//b/":     "pos.SIM00001.%2Fa%2F%2Fb%2F.status",
		"payment":    "pos.SIM00001.payment.status",
	} {
		if got := b.start(order(id, terminal1)); got.StatusSubject != subject || got.OrderID != id {
			t.Errorf("got %+v, want the subject %s", got, subject)
		}
		b.await(id, "initialized", "completed")
		if got := b.getOrder(terminal1, id); got.OrderID != id || got.Status != "completed" {
			t.Errorf("get: got %+v", got)
		}
	}
}

func TestOtherPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t, options{prefix: "shop-1.till", simulator: simulator.Options{Manual: true}})
	b.run()
	if got := b.start(order("a", terminal1)); got.StatusSubject != "shop-1.till.SIM00001.a.status" {
		t.Errorf("got %+v", got)
	}
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	got := b.do("shop-1.till.SIM00001.payment.start", order("a", terminal1)).started()
	if got.Created || got.Status != "completed" {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"SHOP-1_TILL_STATUS", "SHOP-1_TILL_SESSIONS"} {
		if _, err := b.js.Stream(b.ctx, name); err != nil {
			t.Errorf("stream %s: %v", name, err)
		}
	}
	if _, err := b.try("pos.payment.list", fields{}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("the default prefix: got %v, want nobody there", err)
	}
}

// What a start asks for is what the provider is told.
func TestProviderIsToldEverything(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	b.run()
	b.start(order("plain", terminal1))
	b.start(order("full", terminal2, fields{
		"amount": 999999999, "currency": "JPY", "description": "«two» coffees & <tea>", "notification_url": "https://example.com/hook/a:1",
		"customer":    fields{"locale": "nl_NL", "email": "a@example.com", "phone": "+31", "first_name": "A", "last_name": "B"},
		"custom_info": fields{"custom_1": "1", "custom_2": "2", "custom_3": "3"},
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, want := range map[string]fields{
		"plain": {
			"type": "redirect", "order_id": "plain", "gateway": "", "currency": "EUR", "amount": 1000.0, "description": "plain",
			"gateway_info": map[string]any{"terminal_id": terminal1},
		},
		"full": {
			"type": "redirect", "order_id": "full", "gateway": "", "currency": "JPY", "amount": 999999999.0, "description": "«two» coffees & <tea>",
			"payment_options": map[string]any{"notification_url": "https://example.com/hook/a:1", "notification_method": "POST"},
			"customer":        map[string]any{"locale": "nl_NL", "email": "a@example.com", "phone": "+31", "first_name": "A", "last_name": "B"},
			"custom_info":     map[string]any{"custom_1": "1", "custom_2": "2", "custom_3": "3"},
			"gateway_info":    map[string]any{"terminal_id": terminal2},
		},
	} {
		if got := p.orders[id]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the provider got\n%v, want\n%v", id, got, want)
		}
	}
}

// When the reply is there, the session would survive the replica: the order
// exists, its message is in the queue, its record says so, with no secret in
// the clear.
func TestReplyMeansThatTheSessionWouldSurvive(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	r := b.run()
	got := b.start(order("a", terminal1))
	p.mu.Lock()
	if p.orders["a"] == nil {
		t.Error("the order does not exist")
	}
	p.mu.Unlock()
	queue, err := b.js.Stream(b.ctx, "POS_SESSIONS")
	if err != nil {
		t.Fatal(err)
	}
	queued, err := queue.GetLastMsgForSubject(b.ctx, "pos.SIM00001.session")
	if err != nil {
		t.Fatalf("the session is not in the queue: %v", err)
	}
	statuses, err := b.js.Stream(b.ctx, "POS_STATUS")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := statuses.GetLastMsgForSubject(b.ctx, "pos.SIM00001.a.claim")
	if err != nil {
		t.Fatalf("there is no claim: %v", err)
	}
	var claim struct {
		V int `json:"v"`
		bus.Claim
	}
	strictly(t, entry.Data, &claim)
	if claim.V != bus.Version || claim.Phase != bus.PhaseOpen || claim.Replica != r.id || claim.SessionID != got.SessionID || len(claim.Sealed) == 0 || claim.Request.OrderID != "a" {
		t.Errorf("the claim says %+v", claim)
	}
	for _, stored := range [][]byte{queued.Data, entry.Data, claim.Sealed} {
		for _, secret := range []string{"token-of-", "/v1/json/events/", apiKey} {
			if bytes.Contains(stored, []byte(secret)) {
				t.Errorf("%q is stored in the clear in %s", secret, stored)
			}
		}
	}
}

func TestConcurrentStarts(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.run()
	const starts = 12
	replies := make(chan reply, starts)
	var group errgroup.Group
	for range starts {
		group.Go(func() error {
			r, err := b.try("pos.payment.start", order("a", terminal1))
			replies <- r
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(replies)
	sessions, made := map[string]int{}, 0
	for r := range replies {
		got := r.started()
		sessions[got.SessionID]++
		if got.Created {
			made++
		}
	}
	if len(sessions) != 1 || made != 1 {
		t.Errorf("%d sessions, %d times created:true, want one of each", len(sessions), made)
	}
	if got := b.sim.Calls("a").Create; got != 1 {
		t.Errorf("the provider was asked %d times to create the order", got)
	}
}

func TestScopedSubjects(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	got := b.do("pos.SIM00001.payment.start", fields{"order_id": "a", "amount": 1000, "currency": "EUR"}).started()
	if got.TerminalID != terminal1 || !got.Created {
		t.Errorf("start: got %+v", got)
	}
	if got := into[schema.Session](b.do("pos.SIM00001.payment.get", fields{"order_id": "a"}), "session"); got.TerminalID != terminal1 {
		t.Errorf("get: got %+v", got)
	}
	for _, command := range []string{"start", "cancel", "get", "receipt"} {
		body := fields{"order_id": "a", "terminal_id": terminal2}
		if command == "start" {
			body = order("a", terminal2)
		}
		if e := b.do("pos.SIM00001.payment."+command, body).failed(schema.InvalidRequest); !strings.Contains(e.Message, "terminal_id") {
			t.Errorf("%s: the message does not name the field: %q", command, e.Message)
		}
		delete(body, "terminal_id")
		for _, bad := range []string{"SIM%01", "ж", strings.Repeat("x", 37), "a,b"} {
			b.do("pos."+bad+".payment."+command, body).failed(schema.InvalidRequest)
		}
	}
	if got := into[schema.CancelReply](b.do("pos.SIM00001.payment.cancel", fields{"order_id": "a"}), "cancel-reply"); got.Status != "cancelled" {
		t.Errorf("cancel: got %+v", got)
	}
	if _, err := b.try("pos.SIM00001.payment.list", fields{}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("list of a terminal: got %v, want nobody there", err)
	}
}

// An order id that is used on another terminal is the provider's to refuse.
func TestOrderOfAnotherTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.run()
	b.start(order("a", terminal1))
	e := b.do("pos.payment.start", order("a", terminal2)).failed(schema.ProviderRejected)
	if e.Provider == nil || e.Provider.ErrorCode != 1006 {
		t.Errorf("got %+v", e)
	}
	b.waitFree(terminal2)
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActCancel)
	b.await("a", "initialized", "cancelled")
}
