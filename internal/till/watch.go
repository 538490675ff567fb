package till

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// Watch shows the status events of many orders as they come.
type Watch struct {
	Till   *Till
	Screen *Screen
	Filter client.Filter
	// Since goes back in time first; 0 shows live events alone.
	Since time.Duration
	// JSON writes every message as a line instead of words.
	JSON bool
	// Now is the clock for dates and for Since; time.Now if nil.
	Now func() time.Time
	// Every is client.Options.Every.
	Every time.Duration
}

// Run shows events until ctx ends, and returns nil then. It fails when it cannot
// subscribe, when a replay is wanted and the stream cannot be read, when the
// output cannot be written, and with client.ErrClosed.
func (w Watch) Run(ctx context.Context) error {
	if w.Now == nil {
		w.Now = time.Now
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bus, err := w.Till.client(client.Options{Every: w.Every})
	if err != nil {
		return err
	}
	options := client.FollowOptions{Filter: w.Filter}
	if w.Since > 0 {
		options.Replay = w.Now().Add(-w.Since)
	}
	following, err := bus.Follow(ctx, options)
	if err != nil {
		return err
	}
	w.Till.checkTerminal(ctx, w.Screen, w.Filter.Terminal)
	w.Screen.Note("watching " + describe(w.Filter) + " at " + w.Till.Server() + "; Ctrl-C ends")
	trouble := ""
	for update := range following.Updates() {
		if t, ok := update.(client.Trouble); ok {
			if text := Describe(t.Err); text != trouble {
				trouble = text
				w.Screen.Note(text)
			}
			continue
		}
		w.show(update)
		if err := w.Screen.Err(); err != nil {
			cancel()
			_ = following.Err() // it ends with ctx
			return err
		}
	}
	if err := following.Err(); errors.Is(err, client.ErrClosed) {
		return err
	}
	return nil
}

// describe names what a filter lets through.
func describe(f client.Filter) string {
	switch {
	case f.Terminal == "" && f.Order == "":
		return "all terminals"
	case f.Order == "":
		return "terminal " + f.Terminal
	case f.Terminal == "":
		return "order " + f.Order
	}
	return "order " + f.Order + " on terminal " + f.Terminal
}

func (w Watch) show(update client.Update) {
	switch u := update.(type) {
	case client.Status:
		if u.Missed > 0 {
			w.Screen.Note(missed(u))
		}
		if w.JSON {
			w.Screen.JSON(u.Body)
			break
		}
		m := meaningOf(u.Status, u.Final)
		text := m.Means
		if u.Source == schema.SourceReconcile {
			text += w.Screen.dim(" (learnt by asking)")
		}
		status := fmt.Sprintf("%-11s", Printable(u.Status, 40))
		w.line(u.ObservedAt, u.TerminalID, u.OrderID, w.Screen.paint(m.mood, status), charged(u.Amount, u.AmountCharged, u.Currency), text)
	case client.Invalid:
		if w.JSON {
			w.Screen.JSON(u.Body)
			break
		}
		status := w.Screen.paint(warning, fmt.Sprintf("%-11s", "invalid"))
		w.line(u.ObservedAt, u.TerminalID, u.OrderID, status, "", "not understood: "+Printable(u.Reason, maxShown))
	case client.Link:
		w.Screen.Note(linkText(u))
	}
}

// line is one event. Its columns have room for common ids: the events before
// cannot know how long the next ones are.
func (w Watch) line(at time.Time, terminal, order, status, amount, text string) {
	w.Screen.Line(fmt.Sprintf("%s  %-10s  %-20s  %s  %12s  %s", w.clock(at), terminal, order, status, amount, text))
}

// clock is a time of day, with its date unless that is today's.
func (w Watch) clock(at time.Time) string {
	now := w.Now()
	at = at.In(now.Location())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}
