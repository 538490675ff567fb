package processtest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// An auditor that does not see a loss is worth nothing: this is what it must say
// of histories whose faults are known.
func TestWeigh(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		published string
		shown     string // a status in brackets went to a replica that was killed
		missing   string
		forged    bool
	}{
		{name: "everything", published: "I D I C", shown: "I D I C"},
		{name: "nothing"},
		{name: "one lost in the middle", published: "I I C", shown: "I D I C", missing: "D"},
		{name: "two lost in the middle", published: "I C", shown: "I D I C", missing: "D"},
		{name: "the last one lost", published: "I D I", shown: "I D I C", missing: "C"},
		{name: "the first one lost", published: "D I C", shown: "I D I C", missing: "I"},
		{name: "all lost", shown: "I C", missing: "I C"},
		{name: "repeated", published: "I D D I C", shown: "I D I C", forged: true},
		{name: "one cycle too many", published: "I D I D I C", shown: "I D I C", forged: true},
		{name: "out of order", published: "I C D", shown: "I D C", forged: true},
		{name: "never shown", published: "I X", shown: "I C", forged: true},
		{name: "excused and not published", published: "D C", shown: "D (I) (X) C", missing: "I X"},
		{name: "excused and published all the same", published: "I D I C", shown: "I (D) (I) C"},
		{name: "the loss that is excused explains it", published: "I C", shown: "I (D) I C", missing: "D"},
		{name: "asked for before anything happened", published: "I X", shown: "(I) X"},
		{name: "first status by asking, then by the stream", published: "I D X", shown: "(I) I D X"},
	}
	letters := map[string]string{"I": "initialized", "D": "declined", "C": "completed", "X": "cancelled"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var published []string
			for s := range strings.FieldsSeq(tt.published) {
				published = append(published, letters[s])
			}
			var changes []Change
			now := time.Now()
			for s := range strings.FieldsSeq(tt.shown) {
				w := Witness{Replica: "alive", At: now}
				if strings.HasPrefix(s, "(") {
					w.Replica = "killed"
				}
				changes = append(changes, Change{letters[strings.Trim(s, "()")], now, []Witness{w}})
			}
			missing, possible := weigh(published, changes, []Excuse{{"killed", now, now}})
			var got []string
			for _, i := range missing {
				got = append(got, strings.ToUpper(changes[i].Status[:1]))
				if changes[i].Status == "cancelled" {
					got[len(got)-1] = "X"
				}
			}
			if possible == tt.forged || possible && !slices.Equal(got, strings.Fields(tt.missing)) {
				t.Errorf("missing %v, possible %v; want %s, %v", got, possible, tt.missing, !tt.forged)
			}
		})
	}
}

func TestDuty(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(-time.Hour)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	seen := func(replica string, seconds int) []Witness { return []Witness{{replica, at(seconds)}} }
	excuse := Excuse{Replica: "a", From: at(10), To: at(20)}
	tests := []struct {
		name    string
		changes []Change
		index   int
		want    duty
	}{
		{"shown to a replica that lived", []Change{{"declined", at(5), seen("a", 5)}, {"completed", at(6), nil}}, 0, mustPublish},
		{"shown to a replica that was killed", []Change{{"declined", at(15), seen("a", 15)}, {"completed", at(16), nil}}, 0, excepted},
		{"shown to it, and lasted long", []Change{{"declined", at(15), seen("a", 15)}, {"completed", at(65), nil}}, 0, mustPublish},
		{"shown to another replica as well", []Change{{"declined", at(15), append(seen("a", 15), seen("b", 15)...)}, {"completed", at(16), nil}}, 0, mustPublish},
		{"shown to nobody, and soon over", []Change{{"declined", at(5), nil}, {"completed", at(6), nil}}, 0, unseen},
		{"shown to nobody, and lasted long", []Change{{"declined", at(5), nil}, {"completed", at(65), nil}}, 0, mustPublish},
		{"a final one is still shown when asked", []Change{{"declined", at(5), nil}, {"completed", at(6), nil}}, 1, mustPublish},
		{"also when it was shown to the dead", []Change{{"completed", at(15), seen("a", 15)}}, 0, mustPublish},
		{"after a final one nobody asks", []Change{{"completed", at(5), seen("a", 5)}, {"reversed", at(15), nil}}, 1, unseen},
		{"unless it was shown", []Change{{"completed", at(5), seen("a", 5)}, {"reversed", at(6), seen("a", 6)}}, 1, mustPublish},
		{"an open one that lasted to the end", []Change{{"declined", at(5), nil}}, 0, mustPublish},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := dutyOf(tt.changes, tt.index, []Excuse{excuse}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
