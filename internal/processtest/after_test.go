package processtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// balancer is the one address that the provider notifies. It gives each
// notification to the next replica that is there.
type balancer struct {
	server *httptest.Server
	mu     sync.Mutex
	next   int
	// replicas are those that take notifications; answers are what they answered.
	replicas []*processtest.Replica
	answers  []int
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(b.pick()) },
		ModifyResponse: func(r *http.Response) error {
			b.answered(r.StatusCode)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			b.answered(http.StatusBadGateway)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	b.server = httptest.NewServer(proxy)
	t.Cleanup(b.server.Close)
	return b
}

// use sends notifications to these replicas, in turns.
func (b *balancer) use(replicas ...*processtest.Replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replicas, b.next = replicas, 0
}

func (b *balancer) pick() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.replicas[b.next%len(b.replicas)]
	b.next++
	return &url.URL{Scheme: "http", Host: webhookAddress(r)}
}

func (b *balancer) answered(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers = append(b.answers, status)
}

// saw reports whether a notification was answered so.
func (b *balancer) saw(status int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.answers {
		if a == status {
			return true
		}
	}
	return false
}

// webhookAddress is where a replica takes notifications, as its log says.
func webhookAddress(r *processtest.Replica) string {
	for line := range strings.Lines(r.Output()) {
		var entry struct {
			Msg     string `json:"msg"`
			Address string `json:"address"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "Accepting notifications" {
			return entry.Address
		}
	}
	return "127.0.0.1:1" // nobody
}

// after is a scene whose provider notifies replicas through a balancer.
type after struct {
	*hand
	balancer *balancer
}

func setupAfter(t *testing.T, env processtest.Env, retry time.Duration, replicas ...string) *after {
	t.Helper()
	a := &after{hand: &hand{t: t, ctx: processtest.Context(t), order: "INV.7/1"}, balancer: newBalancer(t)}
	hooks := processtest.Env{"WEBHOOK_ADDR": "127.0.0.1:0", "WEBHOOK_URL": a.balancer.server.URL + "/msp"}
	a.Scene = processtest.NewScene(t, processtest.SceneOptions{
		Provider: simulator.Options{Manual: true, WebhookRetry: retry}, Env: hooks.With(env),
	})
	a.terminal = a.Terminals[0]
	for _, id := range replicas {
		a.replicas = append(a.replicas, a.Serve(t, id))
	}
	a.balancer.use(a.replicas...)
	return a
}

// pay makes a payment that is over, and lets its settle window pass.
func (a *after) pay(end simulator.Action, status string) {
	a.t.Helper()
	a.start()
	a.act(simulator.ActTap)
	a.hear("initialized")
	a.act(end)
	a.hear(status)
	processtest.Until(a.t, time.Minute, "the event stream is closed", func() bool { return a.Provider.OpenStreams() == 0 })
}

// published waits until a replica has counted a status of its own.
func (a *after) published(r *processtest.Replica, labels string) {
	a.t.Helper()
	processtest.Until(a.t, time.Minute, "replica "+r.ID+" has published "+labels, func() bool {
		return r.Metric(a.t, "pos_bridge_status_published_total", labels) == 1
	})
}

// ends holds the statuses that were heard against what is wanted, and audits.
func (a *after) ends(want ...string) {
	a.t.Helper()
	if got := a.Auditor.Heard(a.order); !slices.Equal(got, want) {
		a.t.Errorf("heard %v, want %v", got, want)
	}
	a.Auditor.Audit(a.t).Check(a.t)
}

// total is a metric of all replicas together.
func (a *after) total(name string) (sum float64) {
	a.t.Helper()
	for _, r := range a.replicas {
		sum += r.Metric(a.t, name, "")
	}
	return sum
}

// set gives the order a status at the provider.
func (a *after) set(status string) {
	a.t.Helper()
	if _, err := a.Provider.SetStatus(a.order, status, ""); err != nil {
		a.t.Fatal(err)
	}
}

// A refund and a chargeback are published, whichever replica is notified.
func TestLateChangesAreNotified(t *testing.T) {
	t.Parallel()
	a := setupAfter(t, nil, 500*time.Millisecond, "a", "b")
	a.pay(simulator.ActApprove, "completed")
	for _, status := range []string{"partial_refunded", "refunded", "chargeback"} {
		a.set(status)
		a.hear(status)
	}
	a.ends("initialized", "completed", "partial_refunded", "refunded", "chargeback")
	for _, r := range a.replicas {
		if r.Metric(t, "pos_bridge_webhook_notifications_total", `result="asked"`) == 0 {
			t.Errorf("replica %s was never notified", r.ID)
		}
	}
	for _, name := range []string{"pos_bridge_failovers_total", "pos_bridge_handovers_total"} {
		if got := a.total(name); got != 0 {
			t.Errorf("%s is %v: a late change is no takeover", name, got)
		}
	}
	if got := a.total("pos_bridge_sessions_ended_total"); got != 1 {
		t.Errorf("%v sessions have ended, want 1", got)
	}
	// It is known that the order is over: the terminal was free all the time.
	reply, err := processtest.Insist(a.ctx, a.Conn, "pos.payment.get", map[string]string{"terminal_id": a.terminal, "order_id": a.order})
	if err != nil || reply.Status != "chargeback" || !reply.Final {
		t.Errorf("get: %+v, %v", reply, err)
	}
}

// A refund is published although the replica that was notified is killed before it
// has published it, and although the order's claim has expired long ago.
func TestNotifiedReplicaIsKilled(t *testing.T) {
	t.Parallel()
	a := setupAfter(t, nil, 500*time.Millisecond, "a", "b")
	a.pay(simulator.ActApprove, "completed")
	js, err := jetstream.New(a.Conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(a.ctx, "POS_STATUS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(a.ctx, jetstream.WithPurgeSubject("pos."+a.terminal+".*.claim")); err != nil {
		t.Fatal(err)
	}
	victim, other := a.replicas[0], a.replicas[1]
	a.balancer.use(victim, other)
	if _, err := a.Provider.SetFault(simulator.Fault{Name: simulator.FaultSlowAPI, Operation: simulator.OpGet, Order: a.order, Delay: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	a.act(simulator.ActRefund)
	processtest.Until(t, time.Minute, "the replica asks the provider", func() bool { return len(a.Provider.Faults()) == 0 })
	a.Kill(victim)
	a.hear("refunded")
	a.ends("initialized", "completed", "refunded")
	a.published(other, `status="refunded"`)
	if got := other.Metric(t, "pos_bridge_failovers_total", ""); got != 0 {
		t.Errorf("%v failovers are counted: nobody followed the payment", got)
	}
}

// While NATS is away the provider is told to notify again.
func TestNotifiedWithoutNATS(t *testing.T) {
	t.Parallel()
	a := setupAfter(t, nil, 2*time.Second, "a", "b")
	a.pay(simulator.ActApprove, "completed")
	back := a.NATSAway()
	a.NATS[0].Kill()
	a.act(simulator.ActRefund)
	processtest.Until(t, time.Minute, "503 is answered", func() bool { return a.balancer.saw(http.StatusServiceUnavailable) })
	a.NATS[0].Restart(t)
	back()
	if err := a.Auditor.WaitStored(a.ctx, a.terminal, a.order, "refunded"); err != nil {
		t.Fatal(err)
	}
}

// During a payment whose stream is silent and whose next routine question is far
// away, the notification brings the end, also through a replica that does not
// follow the payment.
func TestNotificationOfAnOpenPayment(t *testing.T) {
	t.Parallel()
	patient := processtest.Env{"RECONCILE_INTERVAL": "10m", "IDLE_TIMEOUT": "10m"}
	a := setupAfter(t, patient, 500*time.Millisecond, "a", "b")
	if _, err := a.Provider.SetFault(simulator.Fault{Name: simulator.FaultSilentStream, Count: simulator.Always}); err != nil {
		t.Fatal(err)
	}
	a.start()
	a.hear("initialized")
	owner, other := a.owner()
	a.balancer.use(other)
	a.act(simulator.ActApprove)
	a.hear("completed")
	a.ends("initialized", "completed")
	a.published(owner, `source="reconcile",status="completed"`)
}

// An order that was cancelled is asked for again; the payment that the provider
// approved all the same is found.
func TestAftercare(t *testing.T) {
	t.Parallel()
	a := setupHand(t, processtest.Env{"AFTERCARE": "3s,6s"}, "a")
	after := &after{hand: a}
	after.pay(simulator.ActCancel, "cancelled")
	after.set("completed")
	a.hear("completed")
	after.ends("initialized", "cancelled", "completed")
}

// The aftercare of a replica that has gone is taken over.
func TestAftercareOfAReplacedReplica(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*hand, *processtest.Replica){
		"killed":  func(h *hand, r *processtest.Replica) { h.Kill(r) },
		"drained": func(h *hand, r *processtest.Replica) { r.Drain(h.t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := setupHand(t, processtest.Env{"AFTERCARE": "15s"}, "a")
			after := &after{hand: a}
			after.pay(simulator.ActCancel, "cancelled")
			end(a, a.replicas[0])
			after.set("completed")
			successor := a.Serve(t, "b")
			a.hear("completed")
			after.ends("initialized", "cancelled", "completed")
			after.published(successor, `status="completed"`)
		})
	}
}

// tip starts a payment with a tip at a provider that is slow to answer questions.
func tip(t *testing.T, delay time.Duration) (h *hand, fault simulator.Fault) {
	t.Helper()
	h = &hand{t: t, ctx: processtest.Context(t), order: "tip"}
	h.Scene = processtest.NewScene(t, processtest.SceneOptions{Provider: simulator.Options{Pace: 20}})
	h.terminal = h.Terminals[0]
	h.replicas = []*processtest.Replica{h.Serve(t, "a")}
	fault, err := h.Provider.SetFault(simulator.Fault{Name: simulator.FaultSlowAPI, Operation: simulator.OpGet, Delay: delay, Count: simulator.Always})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := processtest.Insist(h.ctx, h.Conn, "pos.payment.start", processtest.NewStart(h.terminal, h.order, string(simulator.ApproveWithTip)))
	if err != nil || reply.Error != nil {
		t.Fatalf("start: %+v, %v", reply, err)
	}
	h.hear("completed")
	return h, fault
}

// The amount that was charged is asked for again when the replica that was told of
// the end is killed before it has the answer.
func TestAmountChargedOfAReplacedReplica(t *testing.T) {
	t.Parallel()
	h, slow := tip(t, time.Minute)
	h.Kill(h.replicas[0])
	h.Provider.ClearFault(slow.ID)
	second := h.Serve(t, "b")
	processtest.Until(t, time.Minute, "the amount is published", func() bool {
		return slices.Equal(h.Auditor.Heard(h.order), []string{"initialized", "completed", "completed"})
	})
	(&after{hand: h}).published(second, `status="completed"`)
	if got := h.Auditor.Audit(t); got.Amounts != 0 {
		t.Errorf("%d amounts were not published", got.Amounts)
	}
	h.Close(t)
}

// The terminal is free before the amount that was charged is known: an audit waits for it.
func TestAuditWaitsForTheAmountCharged(t *testing.T) {
	t.Parallel()
	h, _ := tip(t, time.Second)
	h.Close(t)
}
