package payment

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/posbridge/bridge/schema"
)

func seenBy(source, status, tx string) Observation {
	return Observation{Source: source, Status: status, Transaction: tx, At: epoch}
}

func TestFold(t *testing.T) {
	t.Parallel()
	stream := func(status, tx string) Observation { return seenBy(schema.SourceStream, status, tx) }
	bridge := func(status string) Observation { return seenBy(schema.SourceBridge, status, "") }
	charged := func(status string, amount int64) Observation {
		o := seenBy(schema.SourceReconcile, status, "")
		o.Charged = amount
		return o
	}
	tests := []struct {
		name string
		seen []Observation
		want []string
	}{
		{"the first status is a change", []Observation{stream("initialized", "1")}, []string{"initialized"}},
		{"a repeat is none", []Observation{stream("initialized", "1"), stream("initialized", "1")}, []string{"initialized"}},
		{"an attempt after a decline", []Observation{stream("declined", "1"), stream("declined", "2")}, []string{"declined", "declined"}},
		{"a decline without a transaction is a repeat", []Observation{stream("declined", "1"), stream("declined", "")}, []string{"declined"}},
		{"open again before the end", []Observation{stream("declined", "1"), stream("initialized", "2")}, []string{"declined", "initialized"}},
		{
			"nothing goes back after the end",
			[]Observation{stream("completed", "1"), stream("initialized", "1"), stream("declined", "1")},
			[]string{"completed final"},
		},
		{
			"cancelled, void and expired are one end",
			[]Observation{stream("void", ""), stream("cancelled", ""), stream("expired", "")},
			[]string{"void final"},
		},
		{"paid after all", []Observation{stream("cancelled", ""), stream("completed", "2")}, []string{"cancelled final", "completed final"}},
		{"reversed", []Observation{stream("completed", "1"), stream("reversed", "1")}, []string{"completed final", "reversed final"}},
		{"what follows an end is final, whatever its name", []Observation{stream("completed", ""), stream("shipped", "")}, []string{"completed final", "shipped final"}},
		{"nothing follows unresolved", []Observation{bridge("unresolved"), stream("completed", "1")}, []string{"unresolved final"}},
		{"nothing follows not_created", []Observation{bridge("not_created"), stream("completed", "1")}, []string{"not_created final"}},
		{"the bridge has no word after the end", []Observation{stream("completed", "1"), bridge("unresolved")}, []string{"completed final"}},
		{"unknown names pass", []Observation{stream("pondering", "")}, []string{"pondering"}},
		{"a tip at once", []Observation{charged("completed", 1247)}, []string{"completed final 1247"}},
		{"a tip later", []Observation{stream("completed", "1"), charged("completed", 1247)}, []string{"completed final", "completed final 1247"}},
		{"the same amount is no news", []Observation{stream("completed", "1"), charged("completed", 1000)}, []string{"completed final"}},
		{"a tip twice", []Observation{charged("completed", 1247), charged("completed", 1247)}, []string{"completed final 1247"}},
		{"an open order's amount is the requested one", []Observation{charged("initialized", 1247)}, []string{"initialized"}},
		{"a refund's amount is none", []Observation{charged("completed", 1247), charged("refunded", 5)}, []string{"completed final 1247", "refunded final 1247"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s State
			var got []string
			for _, o := range tt.seen {
				next, news := Fold(s, 1000, o)
				s = next
				if news {
					got = append(got, words(next.Status, when(next.Final, "final"), when(next.AmountCharged != 0, strconv.FormatInt(next.AmountCharged, 10))))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What is no news still brings the newest ids.
func TestFoldKeepsIDs(t *testing.T) {
	t.Parallel()
	s, _ := Fold(State{}, 1000, seenBy(schema.SourceStream, "initialized", "1"))
	repeat := Observation{Source: schema.SourceReconcile, Status: "initialized", Financial: "open", Transaction: "2", SessionID: "S1"}
	got, news := Fold(s, 1000, repeat)
	want := s
	want.FinancialStatus, want.TransactionID, want.SessionID = "open", "2", "S1"
	if news || got != want || got.Sequence != 1 {
		t.Errorf("got %+v and %v, want %+v and no news", got, news, want)
	}
}

var anyStatus = rapid.SampledFrom([]string{
	"initialized", "declined", "completed", "cancelled", "void", "expired", "reversed", "refunded", "chargeback", "shipped", "unresolved", "not_created", "new",
})

var anyObservation = rapid.Custom(func(t *rapid.T) Observation {
	o := Observation{
		Source: rapid.SampledFrom([]string{schema.SourceStream, schema.SourceReconcile}).Draw(t, "source"), Status: anyStatus.Draw(t, "status"),
		Transaction: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "tx"), Charged: rapid.SampledFrom([]int64{0, 1000, 1247}).Draw(t, "charged"), At: epoch,
	}
	if o.Status == schema.StatusUnresolved || o.Status == schema.StatusNotCreated {
		o.Source = schema.SourceBridge
	}
	return o
})

// Whatever comes, the contract's rules of a sequence of events hold.
func TestFoldProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s State
		var events []schema.StatusEvent
		for _, o := range rapid.SliceOfN(anyObservation, 0, 20).Draw(t, "observations") {
			next, news := Fold(s, 1000, o)
			again, more := Fold(next, 1000, o)
			if more || again != next {
				t.Fatalf("%+v twice is news: %+v", o, more)
			}
			if !news {
				if next.Sequence != s.Sequence || next.Final != s.Final || next.Status != s.Status || next.AmountCharged != s.AmountCharged {
					t.Fatalf("no event, and %+v became %+v", s, next)
				}
			} else {
				events = append(events, next.StatusEvent)
			}
			s = next
		}
		var before schema.StatusEvent
		for i, e := range events {
			switch {
			case e.Sequence != uint64(i+1), e.PreviousStatus != before.Status, before.Final && !e.Final:
				t.Fatalf("%+v after %+v", e, before)
			case before.Status == schema.StatusUnresolved, before.Status == schema.StatusNotCreated:
				t.Fatalf("%s follows %s", e.Status, before.Status)
			case before.Final && (e.Status == "initialized" || e.Status == "declined" || e.Source == schema.SourceBridge):
				t.Fatalf("%s follows an end", e.Status)
			case EndsUnpaid(before.Status) && EndsUnpaid(e.Status):
				t.Fatalf("two ends: %s, %s", before.Status, e.Status)
			case e.Final != (before.Final || schema.IsFinal(e.Status)):
				t.Fatalf("%s is final: %v", e.Status, e.Final)
			case e.Status == before.Status && e.Status != "declined" && e.AmountCharged == before.AmountCharged:
				t.Fatalf("%s twice", e.Status)
			}
			before = e
		}
	})
}
