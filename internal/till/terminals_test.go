package till_test

import (
	"fmt"
	"testing"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// A mistyped terminal is no terminal without payments.
func TestUnknownTerminals(t *testing.T) {
	t.Parallel()
	var many []string
	for n := range 20 {
		many = append(many, fmt.Sprintf("T%02d", n))
	}
	for name, test := range map[string]struct {
		known    []string
		terminal string
		want     string
	}{
		"one that is known":         {[]string{"T1", "T2"}, "T1", ""},
		"one that is not":           {[]string{"T1", "T2"}, "T3", "the bridge does not know terminal T3; it knows T1, T2\n"},
		"one of many":               {many, "T3", "the bridge does not know terminal T3; it knows T00, T01, T02, T03, T04, T05, T06, T07 and 12 more\n"},
		"a bridge that cannot tell": {nil, "T3", ""},
		"all terminals":             {[]string{"T1"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, bridgetest.Handlers{List: func() (any, error) {
				return schema.ListReply{Sessions: []schema.Session{}, Terminals: test.known}, nil
			}}, bridgetest.Options{})
			for _, all := range []bool{false, true} {
				notes := &bridgetest.Output{}
				err := till.Sessions{
					Till: s.till, Screen: till.NewScreen(&bridgetest.Output{}, notes, env{}.get), All: all,
					Filter: client.Filter{Terminal: test.terminal},
				}.Run(limited(t))
				if got := notes.String(); err != nil || got != test.want {
					t.Errorf("sessions, all %t: got %q, %v, want %q", all, got, err, test.want)
				}
			}
			w := watch(t, s, func(w *till.Watch) { w.Filter.Terminal = test.terminal })
			w.notes.Await(t, test.want+"watching ")
			if err := w.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whoever may not ask for all terminals can watch one all the same.
func TestWatchOneTerminalWithFewRights(t *testing.T) {
	t.Parallel()
	bus, _ := rights(t, []string{"pos.T1.payment.*"}, []string{"pos.T1.*.status", "_INBOX.>"})
	w := watch(t, stand{till: bus}, func(w *till.Watch) { w.Filter.Terminal = "T1" })
	w.notes.Await(t, "watching terminal T1")
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}
