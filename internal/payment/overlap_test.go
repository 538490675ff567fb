package payment

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parse reads "initialized/1 declined/1#7": status, transaction and event id. A status
// with a question mark was told by an answer.
func parse(text string) []Seen {
	var seen []Seen
	for _, f := range strings.Fields(text) {
		f, id, _ := strings.Cut(f, "#")
		status, tx, _ := strings.Cut(f, "/")
		status, asked := strings.CutSuffix(status, "?")
		seen = append(seen, Seen{Status: status, Transaction: tx, EventID: id, Asked: asked})
	}
	return seen
}

func observe(s Seen) Observation {
	return Observation{Status: s.Status, Transaction: s.Transaction, EventID: s.EventID}
}

// connect shows events on a new connection and settles it at the end.
func connect(known []Seen, shown []Seen) []Seen {
	var c Connection
	var got []Seen
	take := func(news []Observation) {
		for _, o := range news {
			got = append(got, o.seen())
		}
	}
	for _, s := range shown {
		var news []Observation
		c, news = c.show(slices.Concat(known, got), observe(s))
		take(news)
	}
	_, news := c.settle(slices.Concat(known, got))
	take(news)
	return got
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, known, shown, news string }{
		{"the first connection", "", "i/1 d/1", "i/1 d/1"},
		{"nothing on connecting", "i/1", "d/1", "d/1"},
		{"the present state", "i/1 d/1", "d/1 i/2", "i/2"},
		{"the whole history", "i/1 d/1 i/2", "i/1 d/1 i/2 c/2", "c/2"},
		{"history without transactions", "i d i", "i d i c", "c"},
		{"history with ids", "i#1 d#2", "i#1 d#2 i#3", "i#3"},
		{"ids win over equal statuses", "i#1 d#2 i#3", "i#4 d#5", "i#4 d#5"},
		{"history with what was missed", "i/1", "i/1 d/1 i/2", "d/1 i/2"},
		{"history of which the middle was missed", "i/1 i/3", "i/1 d/1 i/2 d/2 i/3 c/3", "c/3"},
		{"history of which the beginning was missed", "i/3", "i/1 d/1 i/2 d/2 i/3", ""},
		{"the attempt after the last one", "d/1 i/2", "d/2 i/3", "d/2 i/3"},
		{"the same status again, alone", "i d", "i", "i"},
		{"the newest event twice", "i/1", "i/1 i/1 d/1", "d/1"},
		{"a decline with another transaction", "d/1", "d/2", "d/2"},
		{"a transaction that one side does not know", "i d", "d/1 i/2", "i/2"},
		{"a longer overlap wins", "i d i d", "i d i d i", "i"},
		{"an answer with another transaction", "i?/9 d/1 i/1", "i/1 d/1 i/1 c/1", "c/1"},
		{"an answer with another transaction, and more", "i?/9 d/1 i/1", "i/1 d/1 i/1 d/1 c/1", "d/1 c/1"},
		{"an answer from the middle", "i?/3", "i/1 d/1 i/2 d/2 i/3", ""},
		{"an answer from the middle, and more", "i?/3 d/3", "i/1 d/1 i/2 d/2 i/3 d/3 c/3", "c/3"},
		{"history from its middle", "i/1 d/1 i/2 d/2", "i/2 d/2 i/3", "i/3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, want := connect(parse(tt.known), parse(tt.shown)), parse(tt.news); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A connection that repeats a suffix of what is known and goes on shows exactly
// what goes on as news, as long as transactions tell the attempts apart.
func TestOverlapProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := attempts(rapid.IntRange(1, 6).Draw(t, "attempts"), rapid.Bool().Draw(t, "ids"))
		known := rapid.IntRange(0, len(history)).Draw(t, "known")
		from := rapid.IntRange(0, known).Draw(t, "from")
		if got, want := connect(history[:known], history[from:]), history[known:]; !slices.Equal(got, want) {
			t.Fatalf("known %v, shown from %d: got %v, want %v", history[:known], from, got, want)
		}
	})
}

// attempts is the history of an order that is declined again and again.
func attempts(n int, ids bool) []Seen {
	var history []Seen
	add := func(status string, tx int) {
		s := Seen{Status: status, Transaction: string(rune('a' + tx))}
		if ids {
			s.EventID = string(rune('A' + len(history)))
		}
		history = append(history, s)
	}
	for tx := range n {
		add("initialized", tx)
		add("declined", tx)
	}
	return history
}
