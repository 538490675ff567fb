package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/posbridge/bridge/schema"
)

// "nats micro ls|info" know the service.
func TestMicroService(t *testing.T) {
	t.Parallel()
	s := setup(t)
	msg, err := s.client.Request("$SRV.INFO.pos-bridge", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(msg.Data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Version != "1.2.3" || info.Metadata["replica"] != "replica" {
		t.Errorf("got %+v", info)
	}
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject)
		if e.QueueGroup != ServiceName {
			t.Errorf("%s: queue group %q", e.Subject, e.QueueGroup)
		}
		for _, name := range []string{"request_schema", "reply_schema", "error_schema"} {
			if !slices.Contains(schema.Names(), e.Metadata[name]) {
				t.Errorf("%s: %s is %q, which is no schema", e.Subject, name, e.Metadata[name])
			}
		}
	}
	slices.Sort(subjects)
	want := "pos.*.payment.cancel pos.*.payment.get pos.*.payment.receipt pos.*.payment.start " +
		"pos.payment.cancel pos.payment.get pos.payment.list pos.payment.receipt pos.payment.start"
	if got := strings.Join(subjects, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if semver("main") != "0.0.0-dev" {
		t.Error("a version that is none was taken")
	}
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, tt := range []struct{ name, subject, body, want string }{
		{"malformed", "pos.payment.start", `{`, "malformed JSON"},
		{"unknown field", "pos.payment.get", `{"terminal_id":"T1","order_id":"A","x":1}`, "x is not a field"},
		{"value", "pos.payment.start", strings.Replace(orderA, "1250", "0", 1), "amount"},
		{"no terminal", "pos.payment.cancel", `{"order_id":"A"}`, "terminal_id"},
		{"another terminal", "pos.T2.payment.start", orderA, "terminal_id must be T2"},
		{"no terminal at all", "pos.%.payment.get", `{"order_id":"A"}`, "terminal in the subject"},
		{"list", "pos.payment.list", `[]`, "request"},
	} {
		if got := s.send(tt.subject, tt.body).failed(schema.InvalidRequest); !strings.Contains(got.Message, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.name, got.Message, tt.want)
		}
	}
}

// Nobody makes the bridge write on its own subjects.
func TestRequestWithoutAnInbox(t *testing.T) {
	t.Parallel()
	s := setup(t)
	forged, err := s.client.SubscribeSync("pos.T1.A.journal.status")
	if err == nil {
		err = s.client.PublishRequest("pos.payment.get", "pos.T1.A.journal.status", []byte(askA))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.send("pos.payment.get", askA).failed(schema.NotFound) // of the same endpoint, later
	if n, _, _ := forged.Pending(); n > 0 {
		t.Error("the bridge answered on a subject of its own")
	}
}

// Every request that has reached a replica is answered, also while it stops.
func TestStop(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 1)
	s := setup(t, func(o *Options) {
		o.Owner = &owner{cancel: func(ctx context.Context, _, _ string) (string, *schema.Error) {
			entered <- struct{}{}
			<-ctx.Done()
			return "", schema.NewError(schema.OutcomeUnknown, "cut short")
		}}
	})
	s.open("T1", "A")
	cancel := s.send("pos.payment.cancel", askA)
	<-entered
	waiting := s.start("T2", "B")
	s.queued("T2", "B") // and nobody takes it
	var gets []reply
	for i := range 500 {
		gets = append(gets, s.send(fmt.Sprintf("pos.T%d.payment.get", i), `{"order_id":"A"}`))
	}
	if err := s.client.Flush(); err != nil { // they are on their way to the replica
		t.Fatal(err)
	}
	s.stop()
	cancel.failed(schema.ShuttingDown)
	waiting.failed(schema.ShuttingDown)
	for _, r := range gets {
		var got schema.Session
		if code := r.receive(&got); code != "" && code != schema.ShuttingDown && code != schema.NotFound {
			t.Errorf("got %s", code)
		}
	}
}

// An answer that the server would refuse is replaced by an error.
func TestAnswerTooLong(t *testing.T) {
	t.Parallel()
	s := setup(t)
	sub, err := s.client.SubscribeSync(s.client.NewInbox())
	if err == nil {
		err = s.client.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := reply{t, sub}
	q := request{Request: fakeRequest{inbox: sub.Subject}, command: s.service.commands()[3]}
	s.service.answer(q, strings.Repeat("x", int(s.bus.Conn().MaxPayload())), nil)
	if got := r.failed(schema.InvalidRequest); !strings.Contains(got.Message, "max_payload") {
		t.Errorf("got %+v", got)
	}
}

type fakeRequest struct {
	micro.Request
	inbox string
}

func (r fakeRequest) Reply() string { return r.inbox }

// A command that panics fails alone.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *Options) { o.Owner = &owner{} })
	s.open("T1", "A")
	s.send("pos.payment.cancel", askA).failed(schema.OutcomeUnknown) // owner.cancel is nil
	s.get()
}

// The trace of a request goes on with its session.
func TestTrace(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *Options) { o.Tracer = noop.NewTracerProvider().Tracer("") })
	id := trace.TraceID{1}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{2}}))
	go s.service.starts.start(ctx, schema.StartRequest{TerminalID: "T1", OrderID: "A", Amount: 1, Currency: "EUR"}, requester{queued: func() {}})
	d := s.queued("T1", "A")
	if got := d.Session.Trace["traceparent"]; !strings.Contains(got, id.String()) {
		t.Errorf("got %v", d.Session.Trace)
	}
	s.claim(d, "open")
}

// The documents name the limits that hold.
func TestLimitsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range (&Service{}).commands() {
		each := "–"
		if c.limits.each > 0 {
			each = strconv.Itoa(c.limits.each)
		}
		row := fmt.Sprintf("\\| `%s`[^|]* \\| %d \\| %s \\|", c.name, c.limits.total, each)
		if !regexp.MustCompile(row).Match(page) {
			t.Errorf("docs/operations.md has no row %s", row)
		}
	}
}
