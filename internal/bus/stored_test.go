package bus_test

import (
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// The golden files are what a release has stored. They are never changed: a later
// release reads them, and a new format gets a file of its own.
func TestWhatIsStoredKeepsItsForm(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	ctx := t.Context()
	at := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	request := schema.StartRequest{
		OrderID: "A/1", TerminalID: "T1", Amount: 1250, Currency: "EUR", Description: "Lunch",
		Customer: &schema.Customer{Locale: "nl_NL", Email: "a@example.org"}, NotificationURL: "https://example.org/n",
		CustomInfo: &schema.CustomInfo{Custom1: "1"},
	}
	trace := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	wantSession := bus.Session{V: 1, Request: request, Hash: "h", Nonce: "n", Group: "g", Reply: "_INBOX.r", Trace: trace}
	wantClaim := bus.Claim{
		V: 1, Replica: "a", Owner: "ID", Epoch: 2, Phase: bus.PhaseClosed, Group: "g", SessionID: "s", Sealed: []byte("sealed"),
		Hash: "h", Nonce: "n", Handle: "$JS.ACK.POS_SESSIONS.bridge.1.42.7.1.3", QueueSeq: 42, Request: request, Reply: "_INBOX.r",
		Amount: 1250, Currency: "EUR", StartedAt: at, Deadline: at.Add(30 * time.Second), UpdatedAt: at,
		Answer: schema.NewError(schema.ProviderRejected, "no"), Ended: []string{"earlier"}, Trace: trace,
	}
	wantStatus := bus.Status{
		Event: schema.StatusEvent{
			OrderID: "A/1", TerminalID: "T1", SessionID: "s", TransactionID: "t", Status: "completed", FinancialStatus: "completed",
			PreviousStatus: "initialized", Final: true, Sequence: 2, Source: schema.SourceStream, Amount: 1250, Currency: "EUR", ObservedAt: at,
		},
		Hash: "h", Group: "g", Replica: "a", Epoch: 2, StartedAt: at, EventID: "e",
	}

	golden(t, "session.v1", &nats.Msg{Data: lastBody(t, b, "POS_SESSIONS", func() { must(b.Enqueue(ctx, wantSession))(t) }).Data})
	if got := must(b.Queued(ctx, "T1"))(t).Session; !reflect.DeepEqual(got, wantSession) {
		t.Errorf("got  %+v\nwant %+v", got, wantSession)
	}
	golden(t, "claim.v1", &nats.Msg{Data: lastBody(t, b, "POS_STATUS", func() { must(b.AppendClaim(ctx, "T1", "A/1", wantClaim, 0))(t) }).Data})
	log := must(b.ReadLog(ctx, "T1", "A/1", true))(t)
	if !reflect.DeepEqual(*log.Claim, wantClaim) {
		t.Errorf("got  %+v\nwant %+v", *log.Claim, wantClaim)
	}
	traced := wantStatus
	traced.Trace = trace
	golden(t, "status.v1", lastBody(t, b, "POS_STATUS", func() { must(b.AppendStatus(ctx, traced, log.Last))(t) }))
	log = must(b.ReadLog(ctx, "T1", "A/1", true))(t)
	wantStatus.Seq, wantStatus.At = log.Last, log.Statuses[0].At
	if !reflect.DeepEqual(log.Statuses[0], wantStatus) {
		t.Errorf("got  %+v\nwant %+v", log.Statuses[0], wantStatus)
	}
}

// lastBody is what a stream stores when something is published.
func lastBody(t *testing.T, b *bundle, stream string, publish func()) *nats.Msg {
	t.Helper()
	publish()
	s := must(b.js.Stream(t.Context(), stream))(t)
	m := must(s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq))(t)
	return &nats.Msg{Header: m.Header, Data: m.Data}
}

// golden compares a message with a file: sorted headers without those of the
// server, an empty line, the body.
func golden(t *testing.T, name string, msg *nats.Msg) {
	t.Helper()
	var lines []string
	for key, values := range msg.Header {
		if !strings.HasPrefix(key, "Nats-") || key == "Nats-Msg-Id" {
			lines = append(lines, key+": "+values[0])
		}
	}
	sort.Strings(lines)
	got := strings.Join(append(lines, "", string(msg.Data), ""), "\n")
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "new" {
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s exists: a stored form never changes", path)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // not secret
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}
