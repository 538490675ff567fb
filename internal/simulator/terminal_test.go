package simulator_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

func TestActions(t *testing.T) {
	t.Parallel()
	type action = scenario.Action
	for name, tc := range map[string]struct {
		actions []action
		want    []string // statuses
		screen  orders.Screen
		busy    bool
	}{
		"nothing":             {nil, []string{}, orders.ScreenAmountDue, true},
		"tap":                 {[]action{scenario.ActTap}, []string{"initialized"}, orders.ScreenProcessing, true},
		"tap twice":           {[]action{scenario.ActTap, scenario.ActTap}, []string{"initialized"}, orders.ScreenProcessing, true},
		"insert":              {[]action{scenario.ActInsert}, []string{}, orders.ScreenPIN, true},
		"insert and PIN":      {[]action{scenario.ActInsert, scenario.ActPIN}, []string{"initialized"}, orders.ScreenProcessing, true},
		"approve":             {[]action{scenario.ActApprove}, []string{"initialized", "completed"}, orders.ScreenApproved, false},
		"tap, approve":        {[]action{scenario.ActTap, scenario.ActApprove}, []string{"initialized", "completed"}, orders.ScreenApproved, false},
		"decline":             {[]action{scenario.ActDecline}, []string{"initialized", "declined"}, orders.ScreenDeclined, true},
		"decline, approve":    {[]action{scenario.ActDecline, scenario.ActApprove}, []string{"initialized", "declined", "initialized", "completed"}, orders.ScreenApproved, false},
		"cancel":              {[]action{scenario.ActCancel}, []string{"cancelled"}, orders.ScreenCancelled, false},
		"tap, cancel":         {[]action{scenario.ActTap, scenario.ActCancel}, []string{"initialized", "cancelled"}, orders.ScreenCancelled, false},
		"walk away":           {[]action{scenario.ActWalkAway}, []string{}, orders.ScreenAmountDue, true},
		"approve and refund":  {[]action{scenario.ActApprove, scenario.ActRefund}, []string{"initialized", "completed", "refunded"}, orders.ScreenReversed, false},
		"chargeback":          {[]action{scenario.ActApprove, scenario.ActChargeback}, []string{"initialized", "completed", "chargeback"}, orders.ScreenReversed, false},
		"approve and reverse": {[]action{scenario.ActApprove, scenario.ActReverse}, []string{"initialized", "completed", "reversed"}, orders.ScreenReversed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true, Pace: 0.01})
			b.create("order", "SIM00001", nil)
			b.act("SIM00001", tc.actions...)
			o, _ := b.Order("order")
			if got := o.Statuses(); !slices.Equal(got, tc.want) {
				t.Errorf("statuses: got %v, want %v", got, tc.want)
			}
			terminal, err := b.Terminal("SIM00001")
			if err != nil {
				t.Fatal(err)
			}
			if terminal.Screen != tc.screen || terminal.Busy != tc.busy || (terminal.Deadline != nil) != tc.busy {
				t.Errorf("terminal: got %+v, want screen %s, busy %t", terminal, tc.screen, tc.busy)
			}
		})
	}
}

func TestActErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	b.act("SIM00001", scenario.ActCancel)
	for name, tc := range map[string]struct {
		terminal string
		action   scenario.Action
		want     error
	}{
		"unknown terminal":     {"NOBODY", scenario.ActTap, orders.ErrUnknownTerminal},
		"unknown action":       {"SIM00001", "dance", orders.ErrUnknownAction},
		"idle terminal":        {"SIM00002", scenario.ActTap, orders.ErrNoPayment},
		"payment is over":      {"SIM00001", scenario.ActApprove, orders.ErrNoPayment},
		"reverse nothing":      {"SIM00002", scenario.ActReverse, orders.ErrNoPayment},
		"reverse no completed": {"SIM00001", scenario.ActReverse, orders.ErrNoPayment},
	} {
		if _, err := b.Act(tc.terminal, tc.action); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// Screens with a result go away by themselves.
func TestScreensRevert(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Pace: 1000})
	b.create("order", "SIM00001", nil)
	wait := func(screen orders.Screen) {
		t.Helper()
		seq := uint64(0)
		for {
			terminal, err := b.Terminal("SIM00001")
			if err != nil {
				t.Fatal(err)
			}
			if terminal.Screen == screen {
				return
			}
			e, err := b.WaitEntry(b.ctx, seq, func(e journal.Entry) bool { return e.Kind == journal.KindTerminal })
			if err != nil {
				t.Fatal(err)
			}
			seq = e.Seq
		}
	}
	b.act("SIM00001", scenario.ActDecline)
	wait(orders.ScreenAmountDue)
	b.act("SIM00001", scenario.ActApprove)
	wait(orders.ScreenIdle)
}

// A hand at the terminal sends the virtual customer away.
func TestHandTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.01, StreamGrace: -1})
	b.create("order", "SIM00001", inScenario(scenario.Approve))
	b.act("SIM00001", scenario.ActDecline, scenario.ActCancel)
	o, _ := b.Order("order")
	if got, want := o.Statuses(), []string{"initialized", "declined", "cancelled"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	for name, err := range map[string]error{
		"mode":     b.Configure("SIM00001", "sometimes", ""),
		"scenario": b.Configure("SIM00001", "", "nonsense"),
		"terminal": b.Configure("NOBODY", orders.Manual, ""),
	} {
		if err == nil {
			t.Errorf("wrong %s: got no error", name)
		}
	}
	if err := b.Configure("SIM00001", orders.Manual, scenario.DeclineThenCancel); err != nil {
		t.Fatal(err)
	}
	got, err := b.Terminal("SIM00001")
	if err != nil || got.Mode != orders.Manual || got.Scenario != scenario.DeclineThenCancel {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whoever is told to act does so for the open payment as well: the hand at once,
// the virtual customer if nobody has touched it.
func TestConfigureWithOpenPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.01, StreamGrace: -1})
	customer := func(terminal string) orders.Customer {
		t.Helper()
		got, err := b.Terminal(terminal)
		if err != nil {
			t.Fatal(err)
		}
		return got.Customer
	}
	configure := func(terminal string, mode orders.Mode) {
		t.Helper()
		if err := b.Configure(terminal, mode, ""); err != nil {
			t.Fatal(err)
		}
	}
	b.create("order-1", "SIM00001", nil)
	if got := customer("SIM00001"); got != orders.CustomerVirtual {
		t.Errorf("at first: got customer %q", got)
	}
	configure("SIM00001", orders.Manual)
	if got := customer("SIM00001"); got != orders.CustomerHand {
		t.Errorf("in the hand's mode: got customer %q", got)
	}
	configure("SIM00001", orders.Auto)
	if got := customer("SIM00001"); got != orders.CustomerVirtual {
		t.Errorf("by itself again: got customer %q", got)
	}
	b.act("SIM00001", scenario.ActTap)
	configure("SIM00001", orders.Auto)
	if got := customer("SIM00001"); got != orders.CustomerHand {
		t.Errorf("a payment that was touched: got customer %q", got)
	}
	b.act("SIM00001", scenario.ActWalkAway)
	if got := customer("SIM00001"); got != orders.CustomerLeft {
		t.Errorf("after walking away: got customer %q", got)
	}
	b.create("order-2", "SIM00002", inScenario(scenario.WalkAway))
	if got := customer("SIM00002"); got != orders.CustomerLeft {
		t.Errorf("the scenario walk_away: got customer %q", got)
	}
	if err := b.ConfigureAll(orders.Manual, scenario.DeclineThenCancel); err != nil {
		t.Fatal(err)
	}
	for _, got := range b.Terminals() {
		if got.Mode != orders.Manual || got.Scenario != scenario.DeclineThenCancel {
			t.Errorf("after setting all: got %+v", got)
		}
	}
	if err := b.ConfigureAll("sometimes", ""); err == nil {
		t.Error("a wrong mode for all: got no error")
	}
}

// The back office can give any status, also after the end; the terminal stays
// free.
func TestSetStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	s := b.open(b.create("order", "SIM00001", nil))
	for _, step := range []struct {
		status, financial string
		final             bool
	}{
		{"uncleared", "", false},
		{"brand_new", "other", false},
		{"completed", "", true},
		{"refunded", "completed", true},
		{"uncleared", "", true},
		{"completed", "", true},
	} {
		o, err := b.SetStatus("order", step.status, step.financial)
		if err != nil {
			t.Fatal(err)
		}
		financial := step.financial
		if financial == "" {
			financial = step.status
		}
		if o.Final != step.final || o.FinancialStatus != financial {
			t.Errorf("%s: got %+v, want final %t", step.status, o, step.final)
		}
		if got := s.event()["status"]; got != step.status {
			t.Errorf("event: got %v, want %s", got, step.status)
		}
	}
	if got := b.State().Finished; got != 1 {
		t.Errorf("finished orders: got %d, want 1", got)
	}
	b.create("next", "SIM00001", nil)
	if _, err := b.SetStatus("nobody", "completed", ""); !errors.Is(err, orders.ErrUnknownOrder) {
		t.Errorf("unknown order: got %v", err)
	}
	if _, err := b.SetStatus("order", "", ""); err == nil {
		t.Error("empty status: got no error")
	}
}

func TestTooManyChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.create("order", "SIM00001", nil)
	for range 500 {
		b.act("SIM00001", scenario.ActDecline)
	}
	if _, err := b.Act("SIM00001", scenario.ActDecline); !errors.Is(err, orders.ErrOrderFull) {
		t.Errorf("got %v, want %v", err, orders.ErrOrderFull)
	}
	if _, err := b.SetStatus("order", "completed", ""); !errors.Is(err, orders.ErrOrderFull) {
		t.Errorf("got %v, want %v", err, orders.ErrOrderFull)
	}
	// The provider can still end it.
	if status, _ := b.do("POST", "/v1/json/orders/order/cancel"+demoKey, nil); status != 200 {
		t.Errorf("cancel: got %d", status)
	}
}
