package till

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Sessions shows the open payments, or one order.
type Sessions struct {
	Till   *Till
	Screen *Screen
	// Filter: with a terminal alone, that terminal's open payment; with terminal
	// and order, that order, open or over.
	Filter client.Filter
	// All shows every order that has changed within Recent, open or over, as the
	// status stream has it; as JSON, the last event of each.
	All bool
	// JSON writes the bridge's reply as one line instead of a table.
	JSON bool
	// Now is the clock for ages; time.Now if nil.
	Now func() time.Time
}

// Run asks the bridge and shows its answer.
func (s Sessions) Run(ctx context.Context) error {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Filter.Order != "" {
		session, body, err := askOrder[schema.Session](ctx, s.Till, subjects.Get, s.Filter.Terminal, s.Filter.Order)
		if err != nil {
			return err
		}
		if s.JSON {
			s.Screen.JSON(body)
			return s.Screen.Err()
		}
		s.one(session)
		return s.Screen.Err()
	}
	if s.All {
		s.Till.checkTerminal(ctx, s.Screen, s.Filter.Terminal)
		return s.all(ctx)
	}
	list, body, err := s.Till.List(ctx)
	if err != nil {
		return err
	}
	if text := unknown(s.Filter.Terminal, list.Terminals); text != "" {
		s.Screen.Note(text)
	}
	if s.Filter.Terminal != "" {
		list.Sessions = slices.DeleteFunc(list.Sessions, func(o schema.Session) bool { return o.TerminalID != s.Filter.Terminal })
		if body, err = onlyTerminal(body, s.Filter.Terminal); err != nil {
			return err
		}
	}
	if s.JSON {
		s.Screen.JSON(body)
		return s.Screen.Err()
	}
	s.table(list.Sessions)
	return s.Screen.Err()
}

// onlyTerminal drops the other terminals' sessions from a list reply and leaves
// what it keeps as it came, with fields that this version does not know.
func onlyTerminal(body []byte, terminal string) ([]byte, error) {
	var list struct {
		Sessions []json.RawMessage `json:"sessions"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, client.ErrBadReply
	}
	kept := make([]json.RawMessage, 0, 1)
	for _, raw := range list.Sessions {
		var session schema.Session
		if json.Unmarshal(raw, &session) == nil && session.TerminalID == terminal {
			kept = append(kept, raw)
		}
	}
	list.Sessions = kept
	return json.Marshal(list)
}

// table shows open sessions, by terminal.
func (s Sessions) table(sessions []schema.Session) {
	if len(sessions) == 0 {
		s.Screen.Line("no open payments")
		return
	}
	slices.SortFunc(sessions, func(a, b schema.Session) int {
		return cmp.Or(cmp.Compare(a.TerminalID, b.TerminalID), cmp.Compare(a.OrderID, b.OrderID))
	})
	t := table{right: []bool{2: true, 4: true}}
	t.add("TERMINAL", "ORDER", "AMOUNT", "STATUS", "AGE", "REPLICA")
	for _, o := range sessions {
		t.add(
			Printable(o.TerminalID, 32),
			Printable(o.OrderID, 50),
			FormatAmount(o.Amount, o.Currency),
			Printable(o.Status, 40),
			formatElapsed(s.Now().Sub(o.StartedAt)),
			Printable(o.Replica, 64),
		)
	}
	for i, line := range t.lines() {
		if i == 0 {
			line = s.Screen.dim(line)
		}
		s.Screen.Line(line)
	}
}

// one shows all that is known of an order.
func (s Sessions) one(o schema.Session) {
	m := meaningOf(o.Status, o.Final)
	state := "over"
	if o.Active {
		state = "open, the terminal is taken"
	}
	var t table
	add := func(name, value string) {
		if value != "" {
			t.add(name, value)
		}
	}
	add("order", Printable(o.OrderID, 50))
	add("terminal", Printable(o.TerminalID, 32))
	add("amount", FormatAmount(o.Amount, o.Currency))
	if o.AmountCharged != 0 {
		add("charged", FormatAmount(o.AmountCharged, o.Currency))
	}
	add("status", fmt.Sprintf("%s: %s", s.Screen.paint(m.mood, Printable(o.Status, 40)), m.Means))
	if o.FinancialStatus != o.Status {
		add("financial status", Printable(o.FinancialStatus, 40))
	}
	add("session", state)
	add("session id", Printable(o.SessionID, 100))
	add("transaction", Printable(o.TransactionID, 50))
	add("status events", strconv.FormatUint(o.Sequence, 10))
	add("started", s.when(o.StartedAt))
	add("changed", s.when(o.UpdatedAt))
	add("replica", Printable(o.Replica, 64))
	for _, line := range t.lines() {
		s.Screen.Line(line)
	}
}

// when is a time with its distance from now; empty for no time.
func (s Sessions) when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	now := s.Now()
	return at.In(now.Location()).Format(time.DateTime) + ", " + formatElapsed(now.Sub(at)) + " ago"
}

// Recent is how far back Sessions.All looks.
const Recent = 24 * time.Hour

// recent returns the last status event of every order that has changed since a
// time, the order that changed last at the end.
func (t *Till) recent(ctx context.Context, f client.Filter, from time.Time) ([]client.Status, error) {
	bus, err := t.client(client.Options{})
	if err != nil {
		return nil, err
	}
	last := map[[2]string]client.Status{}
	for status, err := range bus.Stored(ctx, f, from) {
		if err != nil {
			return nil, err
		}
		last[[2]string{status.TerminalID, status.OrderID}] = status
	}
	return slices.SortedFunc(maps.Values(last), func(a, b client.Status) int {
		return cmp.Or(a.ObservedAt.Compare(b.ObservedAt), cmp.Compare(a.TerminalID, b.TerminalID), cmp.Compare(a.OrderID, b.OrderID))
	}), nil
}

// all shows the orders that have changed lately.
func (s Sessions) all(ctx context.Context) error {
	events, err := s.Till.recent(ctx, s.Filter, s.Now().Add(-Recent))
	if err != nil {
		return err
	}
	if s.JSON {
		bodies := make([]json.RawMessage, 0, len(events))
		for _, e := range events {
			bodies = append(bodies, e.Body)
		}
		body, err := json.Marshal(map[string]any{"events": bodies})
		if err != nil {
			return err
		}
		s.Screen.JSON(body)
		return s.Screen.Err()
	}
	if len(events) == 0 {
		s.Screen.Line("no payment has changed within the last day")
		return s.Screen.Err()
	}
	t := table{right: []bool{2: true, 4: true}}
	t.add("TERMINAL", "ORDER", "AMOUNT", "STATUS", "CHANGED", "MEANING")
	for _, e := range events {
		t.add(
			Printable(e.TerminalID, 32), Printable(e.OrderID, 50), charged(e.Amount, e.AmountCharged, e.Currency), Printable(e.Status, 40),
			formatElapsed(s.Now().Sub(e.ObservedAt))+" ago", meaningOf(e.Status, e.Final).Means,
		)
	}
	for i, line := range t.lines() {
		if i == 0 {
			line = s.Screen.dim(line)
		}
		s.Screen.Line(line)
	}
	return s.Screen.Err()
}
