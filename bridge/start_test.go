package bridge_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
	"golang.org/x/sync/errgroup"
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
			b.awaitLast("o", want[len(want)-1])
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

// What a start asks for is what the provider is told.
func TestProviderIsToldEverything(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	b.run()
	b.start(order("full", terminal2, fields{
		"amount": 999999999, "currency": "JPY", "description": "«two» coffees & <tea>", "notification_url": "https://example.com/hook/a:1",
		"customer":    fields{"locale": "nl_NL", "email": "a@example.com", "phone": "+31", "first_name": "A", "last_name": "B"},
		"custom_info": fields{"custom_1": "1", "custom_2": "2", "custom_3": "3"},
	}))
	want := fields{
		"type": "redirect", "order_id": "full", "gateway": "", "currency": "JPY", "amount": 999999999.0, "description": "«two» coffees & <tea>",
		"payment_options": map[string]any{"notification_url": "https://example.com/hook/a:1", "notification_method": "POST"},
		"customer":        map[string]any{"locale": "nl_NL", "email": "a@example.com", "phone": "+31", "first_name": "A", "last_name": "B"},
		"custom_info":     map[string]any{"custom_1": "1", "custom_2": "2", "custom_3": "3"},
		"gateway_info":    map[string]any{"terminal_id": terminal2},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.orders["full"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the provider got\n%v, want\n%v", got, want)
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
		payment.Claim
		payment.Session
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	strictly(t, entry.Data, &claim)
	if claim.V != bus.Version || claim.Phase != payment.ClaimOpen || claim.Replica != r.id || claim.SessionID != got.SessionID || len(claim.Sealed) == 0 || claim.Request.OrderID != "a" {
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

// Many start the same order at once: all of them get the same session.
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
