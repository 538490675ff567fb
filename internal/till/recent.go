package till

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/posbridge/bridge/subjects"
)

// Recent is how far back Sessions.All looks.
const Recent = 24 * time.Hour

// Recent returns the last status event of every order that has changed since a
// time, the order that changed last at the end.
func (t *Till) Recent(ctx context.Context, f Filter, from time.Time) ([]StatusUpdate, error) {
	following := Following{till: t}
	last := map[string]StatusUpdate{}
	_, err := t.read(ctx, f.subject(t.settings.Space, subjects.Status), since{at: from}, func(m stored) error {
		if e, problem := following.statusOf(m.subject, m.data); problem == nil {
			last[orderKey(e.TerminalID, e.OrderID)] = StatusUpdate{e, m.data}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	events := make([]StatusUpdate, 0, len(last))
	for _, e := range last {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b StatusUpdate) int {
		return cmp.Or(a.ObservedAt.Compare(b.ObservedAt), cmp.Compare(a.TerminalID, b.TerminalID), cmp.Compare(a.OrderID, b.OrderID))
	})
	return events, nil
}

// all shows the orders that have changed lately.
func (s Sessions) all(ctx context.Context) error {
	events, err := s.Till.Recent(ctx, s.Filter, s.Now().Add(-Recent))
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
