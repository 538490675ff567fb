package processtest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// An auditor that does not see a loss is worth nothing: this is what it must
// say of histories whose faults are known.
func TestWeigh(t *testing.T) {
	t.Parallel()
	const (
		I, D, C, X = "initialized", "declined", "completed", "cancelled"
	)
	tests := []struct {
		name      string
		published string
		shown     string // a status in brackets need not be published
		lost      []string
		unseen    int
		forged    bool
	}{
		{name: "everything", published: "I D I C", shown: "I D I C"},
		{name: "nothing", published: "", shown: ""},
		{name: "one lost in the middle", published: "I I C", shown: "I D I C", lost: []string{D}},
		{name: "two lost in the middle", published: "I C", shown: "I D I C", lost: []string{D}},
		{name: "the last one lost", published: "I D I", shown: "I D I C", lost: []string{C}},
		{name: "the first one lost", published: "D I C", shown: "I D I C", lost: []string{I}},
		{name: "all lost", published: "", shown: "I C", lost: []string{I, C}},
		{name: "repeated", published: "I D D I C", shown: "I D I C", forged: true},
		{name: "one cycle too many", published: "I D I D I C", shown: "I D I C", forged: true},
		{name: "out of order", published: "I C D", shown: "I D C", forged: true},
		{name: "never shown", published: "I X", shown: "I C", forged: true},
		{name: "unseen and not published", published: "D C", shown: "D (I) (X) C", unseen: 2},
		{name: "unseen and published all the same", published: "I D I C", shown: "I (D) (I) C"},
		{name: "what is the same without the unseen one is one status", published: "I C", shown: "I (D) I C", unseen: 1},
		{name: "asked for before anything happened", published: "I X", shown: "(I) X"},
		{name: "not asked for before anything happened", published: "X", shown: "(I) X", unseen: 1},
		{name: "first status learnt by asking, then by the stream", published: "I D X", shown: "(I) I D X"},
	}
	letters := map[string]string{"I": I, "D": D, "C": C, "X": X}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var published []string
			for s := range strings.FieldsSeq(tt.published) {
				published = append(published, letters[s])
			}
			var changes []Change
			free := map[int]bool{}
			for s := range strings.FieldsSeq(tt.shown) {
				if letter, ok := strings.CutPrefix(s, "("); ok {
					s = strings.TrimSuffix(letter, ")")
					free[len(changes)] = true
				}
				changes = append(changes, Change{Status: letters[s]})
			}
			got := weigh(published, changes, func(i int) bool { return !free[i] })
			var lost []string
			for _, l := range got.Lost {
				lost = append(lost, strings.Fields(l)[0])
			}
			if !slices.Equal(lost, tt.lost) || len(got.Unseen) != tt.unseen || got.Forged != tt.forged {
				t.Errorf("got lost %v, %d unseen, forged %v; want lost %v, %d unseen, forged %v",
					lost, len(got.Unseen), got.Forged, tt.lost, tt.unseen, tt.forged)
			}
		})
	}
}

func TestObligation(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(-time.Hour)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	seen := func(replica string, seconds int) []Witness { return []Witness{{replica, at(seconds)}} }
	excuse := Excuse{Replica: "a", From: at(10), To: at(20)}
	tests := []struct {
		name    string
		changes []Change
		index   int
		want    bool
	}{
		{"shown to a replica that lived", []Change{{"declined", at(5), seen("a", 5)}, {"completed", at(6), nil}}, 0, true},
		{"shown to a replica that was killed", []Change{{"declined", at(15), seen("a", 15)}, {"completed", at(16), nil}}, 0, false},
		{"shown to another replica as well", []Change{{"declined", at(15), append(seen("a", 15), seen("b", 15)...)}, {"completed", at(16), nil}}, 0, true},
		{"shown to nobody, and soon over", []Change{{"declined", at(5), nil}, {"completed", at(6), nil}}, 0, false},
		{"shown to nobody, and stood long", []Change{{"declined", at(5), nil}, {"completed", at(65), nil}}, 0, true},
		{"a final one is still shown when asked", []Change{{"declined", at(5), nil}, {"completed", at(6), nil}}, 1, true},
		{"also when it was shown to the dead", []Change{{"completed", at(15), seen("a", 15)}}, 0, true},
		{"after a final one nobody asks", []Change{{"completed", at(5), seen("a", 5)}, {"reversed", at(15), nil}}, 1, false},
		{"unless it was shown", []Change{{"completed", at(5), seen("a", 5)}, {"reversed", at(6), seen("a", 6)}}, 1, true},
		{"an open one that stood to the end", []Change{{"declined", at(5), nil}}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := obligation{changes: tt.changes, excuses: []Excuse{excuse}, patience: 30 * time.Second}
			if got := o.must(tt.index); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
