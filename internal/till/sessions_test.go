package till_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func sessionsOf(start time.Time) []schema.Session {
	one := bridgetest.Session(bridgetest.Event("SIM00002", "pay-20261123-AB12CD", 1, "initialized"))
	one.StartedAt = start.Add(-65 * time.Second)
	two := bridgetest.Session(bridgetest.Event("SIM00001", "x", 0, "created\x1b[2J"))
	two.Amount, two.Currency, two.StartedAt, two.Replica = 123456789, "JPY", start.Add(-4200*time.Millisecond), "replica-with-a-name"
	return []schema.Session{one, two}
}

func show(t *testing.T, s stand, change func(*till.Sessions)) (string, error) {
	t.Helper()
	out := &bridgetest.Output{}
	sessions := till.Sessions{Till: s.till, Screen: till.NewScreen(out, &bridgetest.Output{}, env{}.get), Now: newClock().Now}
	change(&sessions)
	err := sessions.Run(limited(t))
	return out.String(), err
}

func TestSessions(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	s := setup(t, bridgetest.Handlers{List: func() (any, error) {
		return schema.ListReply{Sessions: sessionsOf(now)}, nil
	}}, bridgetest.Options{NoStream: true})
	for name, test := range map[string]struct {
		change func(*till.Sessions)
		want   string
	}{
		"all": {func(*till.Sessions) {}, `TERMINAL  ORDER                       AMOUNT  STATUS         AGE  REPLICA
SIM00001  x                    123456789 JPY  created` + "\uFFFD" + `[2J   4.2s  replica-with-a-name
SIM00002  pay-20261123-AB12CD      12.50 EUR  initialized  1m05s  replica-1
`},
		"a terminal": {func(s *till.Sessions) { s.Filter.Terminal = "SIM00002" }, `TERMINAL  ORDER                   AMOUNT  STATUS         AGE  REPLICA
SIM00002  pay-20261123-AB12CD  12.50 EUR  initialized  1m05s  replica-1
`},
		"a free terminal":         {func(s *till.Sessions) { s.Filter.Terminal = "SIM00003" }, "no open payments\n"},
		"a free terminal as JSON": {func(s *till.Sessions) { s.Filter.Terminal, s.JSON = "SIM00003", true }, `{"sessions":[]}` + "\n"},
	} {
		got, err := show(t, s, test.change)
		if err != nil || got != test.want {
			t.Errorf("%s: got %v\n%s\nwant\n%s", name, err, got, test.want)
		}
	}
}

// A payment that was paid and then refunded is not shown as paid.
func TestAllSessions(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	now := newClock().Now()
	store := func(order string, sequence uint64, status string, ago time.Duration) {
		e := bridgetest.Event("T1", order, sequence, status)
		e.ObservedAt = now.Add(-ago)
		s.bridge.Store(e)
	}
	store("a", 1, "completed", 3*time.Hour)
	store("b", 1, "initialized", 2*time.Hour)
	store("a", 2, "refunded", time.Minute)
	s.bridge.StoreClaim("T1", "c")
	all := func(o *till.Sessions) { o.All = true }
	got, err := show(t, s, all)
	want := `TERMINAL  ORDER     AMOUNT  STATUS         CHANGED  MEANING
T1        b      12.50 EUR  initialized  2h00m ago  under way: the card is asked for, or being processed
T1        a      12.50 EUR  refunded     1m00s ago  refunded, the money goes back to the customer
`
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	got, err = show(t, s, func(o *till.Sessions) { o.All, o.JSON, o.Filter.Terminal = true, true, "T1" })
	if err != nil || !strings.HasPrefix(got, `{"events":[{"order_id":"b",`) || strings.Count(got, "\n") != 1 || !strings.Contains(got, `"status":"refunded"`) {
		t.Errorf("got %v\n%s", err, got)
	}
	got, err = show(t, s, func(o *till.Sessions) { o.All, o.Filter.Terminal = true, "T2" })
	if err != nil || got != "no payment has changed within the last day\n" {
		t.Errorf("got %v\n%s", err, got)
	}
}

// JSON is what the bridge said, with fields that this version does not know.
func TestSessionsAsJSON(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{List: func() (any, error) {
		return []byte(`{"sessions": [{"terminal_id":"T1","new":1}, {"terminal_id":"T2","new":2}]}`), nil
	}}, bridgetest.Options{NoStream: true})
	got, err := show(t, s, func(s *till.Sessions) { s.JSON = true })
	if want := `{"sessions":[{"terminal_id":"T1","new":1},{"terminal_id":"T2","new":2}]}` + "\n"; err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	got, err = show(t, s, func(s *till.Sessions) { s.JSON, s.Filter.Terminal = true, "T2" })
	if want := `{"sessions":[{"terminal_id":"T2","new":2}]}` + "\n"; err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

func TestSessionsOfOneOrder(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	s := setup(t, bridgetest.Handlers{Get: func(r schema.OrderRequest) (any, error) {
		if r != (schema.OrderRequest{TerminalID: "T1", OrderID: "a/b"}) {
			return nil, schema.NewError(schema.NotFound, "order a is not known")
		}
		session := bridgetest.Session(event("a/b", 2, "completed"))
		session.FinancialStatus = "reserved"
		session.StartedAt, session.UpdatedAt = now.Add(-3*time.Hour), now.Add(-65*time.Second)
		return session, nil
	}}, bridgetest.Options{NoStream: true})
	got, err := show(t, s, func(s *till.Sessions) { s.Filter = client.Filter{Terminal: "T1", Order: "a/b"} })
	want := `order             a/b
terminal          T1
amount            12.50 EUR
status            completed: paid
financial status  reserved
session           over
session id        session-1
transaction       4051823
status events     2
started           2026-11-23 11:05:06, 3h00m ago
changed           2026-11-23 14:04:01, 1m05s ago
replica           replica-1
`
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	if _, err = show(t, s, func(s *till.Sessions) { s.Filter = client.Filter{Terminal: "T1", Order: "a"} }); !refusedWith(err, schema.NotFound) {
		t.Errorf("got %v, want %s", err, schema.NotFound)
	}
	if _, err := show(t, s, func(s *till.Sessions) { s.Filter = client.Filter{Terminal: "*", Order: "a"} }); err == nil {
		t.Error("a hostile terminal: got no error")
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		outcome schema.Outcome
		text    string
	}{
		"cancelled":   {schema.Unpaid, "order a on terminal T1: cancelled: cancelled, nothing was charged\n"},
		"completed":   {schema.Paid, "order a on terminal T1: completed: paid\n"},
		"refunded":    {schema.Returned, "order a on terminal T1: refunded: refunded, the money goes back to the customer\n"},
		"initialized": {schema.Open, "order a on terminal T1: initialized: under way: the card is asked for, or being processed\n"},
	} {
		s := setup(t, bridgetest.Handlers{Cancel: func(r schema.OrderRequest) (any, error) {
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: status}, nil
		}}, bridgetest.Options{NoStream: true})
		out := &bridgetest.Output{}
		c := till.Cancellation{Till: s.till, Screen: till.NewScreen(out, out, env{}.get), Terminal: "T1", Order: "a"}
		if got, err := c.Run(limited(t)); err != nil || got.Outcome != want.outcome || out.String() != want.text {
			t.Errorf("%s: got %+v, %v, %q, want %+v", status, got, err, out, want)
		}
	}
}

// The advice is the one of the command that was refused.
func TestAdviceNamesTheNextStep(t *testing.T) {
	t.Parallel()
	refused := func(command subjects.Command, code schema.Code) error {
		e := schema.NewError(code, "why")
		e.Provider = &schema.ProviderAnswer{HTTPStatus: 422, ErrorCode: 1006, ErrorInfo: "used\x1b"}
		return &client.Error{Reply: *e, Command: command}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{refused(subjects.Start, schema.TerminalBusy), "see it: pos-bridge sessions --terminal T1"},
		{refused(subjects.Start, schema.TerminalBusy), "MultiSafepay answered HTTP 422, error 1006: used\uFFFD"},
		{refused(subjects.Start, schema.ShuttingDown), "Send it again at once"},
		{refused(subjects.Start, schema.OutcomeUnknown), "follow it: pos-bridge watch --terminal T1 --order a --since 1h"},
		{refused(subjects.Start, schema.OrderConflict), "look at it: pos-bridge sessions --terminal T1 --order a"},
		{refused(subjects.Cancel, schema.ProviderRejected), "follow it: pos-bridge watch --terminal T1 --order a --since 1h"},
		{refused(subjects.Get, schema.NotFound), "what is open now: pos-bridge sessions --terminal T1"},
		{&till.NoBridgeError{}, "pos-bridge serve"},
		{&till.ConnectError{Err: errPipe}, "BRIDGE_NATS_URL"},
		{&client.DeniedError{Subject: "x"}, "connect as another user"},
		{client.ErrNoReply, "pos-bridge sessions --terminal T1 --order a"},
	} {
		if got := strings.Join(new(till.Screen).Advice(test.err, "T1", "a"), "\n"); !strings.Contains(got, test.want) {
			t.Errorf("%v: got advice\n%s\nwant %q", test.err, got, test.want)
		}
	}
	for _, command := range subjects.Commands() {
		for _, code := range schema.Codes() {
			want, _ := schema.AdviceOn(command, code)
			if got := strings.Join(new(till.Screen).Advice(refused(command, code), "T1", "a"), "\n"); !strings.Contains(got, want.Means+"\n"+want.Do) {
				t.Errorf("%s %s: got advice\n%s\nwant %+v", command, code, got, want)
			}
		}
	}
	screen := &till.Screen{Program: "go run -C /src ./cmd/bridge", Flags: "--context shop"}
	want := "cancel it: go run -C /src ./cmd/bridge cancel --terminal T1 --order THAT_ORDER --context shop"
	if got := screen.Advice(refused(subjects.Start, schema.TerminalBusy), "T1", "a"); !slices.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	if got := new(till.Screen).Advice(errors.New("other"), "T1", "a"); got != nil {
		t.Errorf("got advice %q on an error that nothing is known of", got)
	}
}
