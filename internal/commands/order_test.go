package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

const askA = `{"terminal_id":"T1","order_id":"A"}`

// get returns the answer to get of order A.
func (s *scene) get() (got schema.Session) {
	s.Helper()
	if code := s.send("pos.payment.get", askA).receive(&got); code != "" {
		s.Fatalf("got %s", code)
	}
	return got
}

func TestGet(t *testing.T) {
	t.Parallel()
	who := &owner{}
	s := setup(t, func(o *Options) { o.Owner = who })
	s.send("pos.payment.get", askA).failed(schema.NotFound)
	s.start("T1", "A")
	d := s.queued("T1", "A")
	want := schema.Session{
		OrderID: "A", TerminalID: "T1", Status: "created", Active: true, Amount: 1250, Currency: "EUR", StartedAt: d.StoredAt, UpdatedAt: d.StoredAt,
	}
	if got := s.get(); got != want {
		t.Errorf("queued: got %+v, want %+v", got, want)
	}
	c := s.claim(d, payment.ClaimOpen)
	want.SessionID, want.Replica, want.UpdatedAt = "session", "follower", c.UpdatedAt
	if got := s.get(); got != want {
		t.Errorf("open: got %+v, want %+v", got, want)
	}
	s.publish(d, "initialized", 1)
	who.news = func() (string, string, bool) { return "4712", "uncleared", true }
	got := s.get()
	want.Status, want.Sequence, want.TransactionID, want.FinancialStatus, want.UpdatedAt = "initialized", 1, "4712", "uncleared", got.UpdatedAt
	if got != want {
		t.Errorf("with news: got %+v, want %+v", got, want)
	}
	s.publish(d, "completed", 2, func(e *payment.Status) { e.Event.AmountCharged = 1300 })
	got = s.get()
	want.Status, want.Sequence, want.TransactionID, want.FinancialStatus, want.UpdatedAt = "completed", 2, "4711", "initialized", got.UpdatedAt
	want.AmountCharged, want.Final, want.Active = 1300, true, false
	if got != want {
		t.Errorf("paid: got %+v, want %+v", got, want)
	}
	if n := who.looks.Load(); n > 0 {
		t.Errorf("the provider was asked %d times for an order that is paid", n)
	}
}

// A session that ended without an order is not known, unless a new one is queued.
func TestGetOfAClosedSession(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.start("T1", "A")
	d := s.queued("T1", "A")
	s.claim(d, payment.ClaimClosed)
	s.send("pos.payment.get", askA).failed(schema.NotFound)
	s.unlock(d)
	s.start("T1", "A")
	s.queued("T1", "A")
	if got := s.get(); got.Status != "created" || !got.Active {
		t.Errorf("got %+v", got)
	}
}

// An order that ended unpaid is asked for.
func TestGetOfAnUnpaidOrder(t *testing.T) {
	t.Parallel()
	who := &owner{}
	s := setup(t, func(o *Options) { o.Owner = who })
	d := s.over("T1", "A", "cancelled")
	who.look = func() error {
		s.publish(d, "completed", 2)
		return nil
	}
	for range 2 {
		if got := s.get(); got.Status != "completed" {
			t.Errorf("got %+v", got)
		}
	}
	d = s.over("T2", "B", "expired")
	who.look = nil // it fails
	for range 2 {
		var got schema.Session
		if code := s.send("pos.T2.payment.get", `{"order_id":"B"}`).receive(&got); code != "" || got.Status != "expired" {
			t.Errorf("got %s %+v", code, got)
		}
	}
	if n := who.looks.Load(); n < 2 {
		t.Errorf("asked %d times, want once for each order or more", n)
	}
}

// Several gets of an unpaid order within a second share one question.
func TestGetsShareAQuestion(t *testing.T) {
	t.Parallel()
	gets, now, ref := newGets(), time.Now(), board.Ref{Terminal: "T1", Order: "A"}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Second, true}, {1500 * time.Millisecond, false}} {
		if got := gets.mayAsk(ref, now.Add(tt.after)); got != tt.want {
			t.Errorf("after %s it may be asked: %t, want %t", tt.after, got, tt.want)
		}
	}
}

// A copy of the stream that lags is not believed.
func TestGetIsNeverOlderThanBefore(t *testing.T) {
	t.Parallel()
	var old payment.Log
	s := setup(t, func(o *Options) {
		o.Bus = oddBus{Bus: o.Bus.(*bus.Bus), fast: func(context.Context, string, string, bool) (payment.Log, error) { return old, nil }}
	})
	d := s.open("T1", "A")
	old = s.log("T1", "A")
	s.publish(d, "completed", 1)
	if got := s.get(); got.Status != "completed" {
		t.Errorf("got %+v", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	who := &owner{cancel: func(_ context.Context, terminal, order string) (string, *schema.Error) { return "", nil }}
	s := setup(t, func(o *Options) { o.Owner = who })
	s.send("pos.payment.cancel", askA).failed(schema.NotFound)
	s.send("pos.payment.cancel", `{"terminal_id":"none","order_id":"A"}`).failed(schema.UnknownTerminal)
	s.start("T1", "A")
	d := s.queued("T1", "A")
	cancelled := func() (got schema.CancelReply) {
		t.Helper()
		if code := s.send("pos.payment.cancel", askA).receive(&got); code != "" {
			t.Fatalf("got %s", code)
		}
		return got
	}
	if got, want := cancelled(), (schema.CancelReply{OrderID: "A", TerminalID: "T1", Status: "created"}); got != want {
		t.Errorf("queued: got %+v, want %+v", got, want)
	}
	s.claim(d, payment.ClaimOpen)
	who.cancel = func(context.Context, string, string) (string, *schema.Error) {
		return "", schema.NewError(schema.ProviderRejected, "too late")
	}
	if got := s.send("pos.payment.cancel", askA).failed(schema.ProviderRejected); got.Message != "too late" {
		t.Errorf("got %+v", got)
	}
	s.publish(d, "completed", 1)
	who.cancel = nil // nobody may be asked
	if got := cancelled(); got.Status != "completed" {
		t.Errorf("over: got %+v", got)
	}
}

// get, list and start never wait behind cancels, and other terminals' cancels do
// not either.
func TestCommandsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	who := &owner{cancel: func(_ context.Context, terminal, _ string) (string, *schema.Error) {
		if terminal == "T1" {
			<-release
		}
		return "cancelled", nil
	}}
	s := setup(t, func(o *Options) { o.Owner = who })
	s.open("T1", "A")
	s.open("T2", "B")
	var stuck []reply
	for range 20 {
		stuck = append(stuck, s.send("pos.payment.cancel", askA))
	}
	refused := 0
	for refused < 20-8 {
		for _, r := range stuck {
			if n, _, _ := r.sub.Pending(); n > 0 {
				r.failed(schema.OutcomeUnknown)
				refused++
			}
		}
	}
	s.get()
	var list schema.ListReply
	if code := s.send("pos.payment.list", "").receive(&list); code != "" || len(list.Sessions) != 2 {
		t.Errorf("list: got %s %+v", code, list)
	}
	var got schema.CancelReply
	if code := s.send("pos.payment.cancel", `{"terminal_id":"T2","order_id":"B"}`).receive(&got); code != "" || got.Status != "cancelled" {
		t.Errorf("cancel on another terminal: got %s %+v", code, got)
	}
	s.start("T3", "C")
	s.queued("T3", "C")
	close(release)
}

func TestList(t *testing.T) {
	t.Parallel()
	s := setup(t)
	list := func() []schema.Session {
		t.Helper()
		var got schema.ListReply
		if code := s.send("pos.payment.list", "{}").receive(&got); code != "" {
			t.Fatalf("got %s", code)
		}
		if !slices.Equal(got.Terminals, []string{"T1", "T2"}) {
			t.Errorf("got terminals %q, want T1 and T2", got.Terminals)
		}
		return got.Sessions
	}
	if got := list(); got == nil || len(got) > 0 {
		t.Errorf("got %v, want an empty list", got)
	}
	s.open("T2", "B")
	d := s.open("T1", "A")
	s.over("T3", "C", "completed")
	s.publish(d, "initialized", 1)
	got := list()
	if len(got) != 2 || got[0] != s.get() || got[1].OrderID != "B" {
		t.Errorf("got %+v, want A as get shows it and B", got)
	}
	s.send("pos.payment.list", `{"all":true}`).failed(schema.InvalidRequest)
}

// A list has everything that was stored when it was asked for.
func TestListWaitsForWhatIsStored(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	s := setup(t, func(o *Options) {
		b := o.Bus.(*bus.Bus)
		o.Bus = oddBus{Bus: b, lastSeq: func(ctx context.Context) (uint64, error) {
			seq, err := b.LastSeq(ctx)
			asked <- struct{}{}
			return seq + 1, err // one message that the board cannot have yet
		}}
	})
	r := s.send("pos.payment.list", "{}")
	<-asked
	r.silent()
	s.open("T1", "A")
	var got schema.ListReply
	if code := r.receive(&got); code != "" || len(got.Sessions) != 1 {
		t.Errorf("got %s %+v, want the session", code, got)
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	fail := &receipts{}
	s := setup(t, func(o *Options) { o.Provider = fail })
	s.send("pos.payment.receipt", askA).failed(schema.NotFound)
	d := s.over("T1", "A", "completed")
	s.claim(d, payment.ClaimOpen, func(c *payment.Claim) { c.Session.Group, c.Epoch = "of the order", 2 })
	var got schema.ReceiptReply
	if code := s.send("pos.T1.payment.receipt", `{"order_id":"A"}`).receive(&got); code != "" || got.OrderID != "A" || got.TerminalID != "T1" {
		t.Fatalf("got %s %+v", code, got)
	}
	if want := "A with key-of the order"; got.Receipt.Merchant.Name != want {
		t.Errorf("got %q, want %q", got.Receipt.Merchant.Name, want)
	}
	if want := "EUR"; got.Receipt.Order.Currency != want {
		t.Errorf("got currency %q, want the order's, %q", got.Receipt.Order.Currency, want)
	}
	s.send("pos.T2.payment.receipt", `{"order_id":"A"}`).failed(schema.NotFound)
}

// Every failure of the provider has its code.
func TestProviderFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind            multisafepay.Kind
		lookup, receipt schema.Code
	}{
		{multisafepay.KindUnreachable, schema.ProviderUnavailable, schema.ProviderUnavailable},
		{multisafepay.KindLost, schema.ProviderUnavailable, schema.ProviderUnavailable},
		{multisafepay.KindTimeout, schema.ProviderUnavailable, schema.ProviderUnavailable},
		{multisafepay.KindUnavailable, schema.ProviderUnavailable, schema.ProviderUnavailable},
		{multisafepay.KindLimited, schema.ProviderUnavailable, schema.ProviderUnavailable},
		{multisafepay.KindRejected, schema.ProviderUnavailable, schema.ProviderRejected},
		{multisafepay.KindNotFound, schema.ProviderUnavailable, schema.NotFound},
		{multisafepay.KindKey, schema.ProviderError, schema.ProviderError},
		{multisafepay.KindNonsense, schema.ProviderUnavailable, schema.ProviderError},
		{multisafepay.KindCancelled, schema.ProviderUnavailable, schema.ProviderUnavailable},
	}
	for _, tt := range tests {
		err := &multisafepay.Error{Kind: tt.kind, Status: 418, Code: 1234, Info: "why"}
		want := schema.ProviderAnswer{HTTPStatus: 418, ErrorCode: 1234, ErrorInfo: "why"}
		for _, f := range []struct {
			what string
			got  *schema.Error
			want schema.Code
		}{{"lookup", lookupFailure("T1", err), tt.lookup}, {"receipt", receiptFailure(err), tt.receipt}} {
			if f.got.Code != f.want || f.got.Provider == nil || *f.got.Provider != want {
				t.Errorf("%s, %s: got %+v, want %s", f.what, tt.kind, f.got, f.want)
			}
		}
	}
	for text, err := range map[string]error{
		"no terminal group's key serves terminal T1": terminalgroups.ErrUnknownTerminal,
		"(a, b): in the groups file, name it":        &terminalgroups.SharedError{Terminal: "T1", Groups: []string{"a", "b"}},
		"name it in the groups file":                 &terminalgroups.UnservedError{Terminal: "T1"},
	} {
		if got := lookupFailure("T1", err); got.Code != schema.UnknownTerminal || !strings.Contains(got.Message, text) {
			t.Errorf("got %+v, want %q", got, text)
		}
	}
	if got := receiptFailure(errors.New("no answer at all")); got.Code != schema.ProviderUnavailable || got.Provider != nil {
		t.Errorf("got %+v", got)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	claim := func(phase payment.ClaimPhase, hash string, seq uint64) *payment.Claim {
		return &payment.Claim{Phase: phase, Session: payment.Session{Hash: hash}, QueueSeq: seq}
	}
	queued := func(hash string, seq uint64) bus.Delivery {
		return bus.Delivery{Seq: seq, Session: payment.Session{Hash: hash}}
	}
	status := func(name, hash string) []payment.Status {
		return []payment.Status{{Hash: hash, Event: schema.StatusEvent{Status: name, Final: schema.IsFinal(name)}}}
	}
	none := bus.Delivery{}
	tests := []struct {
		name   string
		log    payment.Log
		queued bus.Delivery
		want   standing
	}{
		{"nothing", payment.Log{}, none, absent},
		{"queued", payment.Log{}, queued("h", 5), pending},
		{"queued with other content", payment.Log{}, queued("x", 5), differs},
		{"creating", payment.Log{Claim: claim(payment.ClaimCreating, "h", 5)}, queued("h", 5), pending},
		{"creating, not in the queue", payment.Log{Claim: claim(payment.ClaimCreating, "h", 5)}, none, pending},
		{"creating with other content", payment.Log{Claim: claim(payment.ClaimCreating, "x", 5)}, queued("x", 5), differs},
		{"open", payment.Log{Claim: claim(payment.ClaimOpen, "h", 5)}, queued("h", 5), exists},
		{"open with other content", payment.Log{Claim: claim(payment.ClaimOpen, "x", 5)}, none, differs},
		{"open, with a status", payment.Log{Claim: claim(payment.ClaimOpen, "h", 5), Statuses: status("initialized", "h")}, none, exists},
		{"over, its claim has expired", payment.Log{Statuses: status("completed", "h")}, none, exists},
		{"over with other content", payment.Log{Statuses: status("completed", "x")}, none, differs},
		{"closed", payment.Log{Claim: claim(payment.ClaimClosed, "h", 5)}, queued("h", 5), ended},
		{"closed with other content", payment.Log{Claim: claim(payment.ClaimClosed, "x", 5)}, queued("x", 5), ended},
		{"closed and unlocked", payment.Log{Claim: claim(payment.ClaimClosed, "h", 5)}, none, absent},
		{"closed, a new session is queued", payment.Log{Claim: claim(payment.ClaimClosed, "x", 5)}, queued("h", 6), pending},
		{"closed, a new session with other content is queued", payment.Log{Claim: claim(payment.ClaimClosed, "h", 5)}, queued("x", 6), differs},
		{"not created", payment.Log{Claim: claim(payment.ClaimClosed, "h", 5), Statuses: status("not_created", "h")}, none, exists},
	}
	for _, tt := range tests {
		if got := standingOf(tt.log, tt.queued, "h"); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestStandstill(t *testing.T) {
	t.Parallel()
	var s standstill
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	after := func(d, want time.Duration) {
		t.Helper()
		at = at.Add(d)
		if got := s.age(at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	after(0, 0)
	after(beatEvery, 0)
	after(stoodStill, 0)
	after(40*time.Second, 40*time.Second) // stopped, and a request is the first to notice
	after(aftermath/2, 40*time.Second+aftermath/2)
	after(10*time.Second, 50*time.Second+aftermath/2) // stopped again before everything was read
	after(aftermath, 0)
}
