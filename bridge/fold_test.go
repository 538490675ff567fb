package bridge

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posbridge/bridge/schema"
)

var foldTime = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))

// Every rule of the contract's section "Status event", one by one.
func TestFold(t *testing.T) {
	t.Parallel()
	seen := func(status string) Observation {
		return Observation{Source: schema.SourceStream, Status: status, FinancialStatus: "f-" + status, TransactionID: "7", SessionID: "s", At: foldTime}
	}
	asked := func(status string, after uint64) Observation {
		return Observation{Source: schema.SourceReconcile, Status: status, FinancialStatus: "g-" + status, TransactionID: "7", AskedAfter: after, At: foldTime}
	}
	gaveUp := Observation{Source: schema.SourceBridge, Status: schema.StatusUnresolved, At: foldTime}
	at := func(status string, sequence, heard uint64) State {
		return State{
			Status: status, FinancialStatus: "f-" + status, TransactionID: "7", SessionID: "s", Sequence: sequence, Heard: heard,
			Final: schema.IsFinal(status),
		}
	}
	event := func(source, status, financial, previous string, sequence uint64, final bool) *schema.StatusEvent {
		return &schema.StatusEvent{
			SessionID: "s", TransactionID: "7", Status: status, FinancialStatus: financial, PreviousStatus: previous,
			Final: final, Sequence: sequence, Source: source, ObservedAt: foldTime.UTC(),
		}
	}
	for _, tt := range []struct {
		name    string
		state   State
		o       Observation
		verdict Verdict
		next    State
		change  *schema.StatusEvent
	}{
		{
			"the first status is a change",
			State{},
			seen("initialized"), News,
			at("initialized", 1, 1), event("stream", "initialized", "f-initialized", "", 1, false),
		},
		{
			"the first status is a change when it was asked for",
			State{SessionID: "s"},
			asked("initialized", 0), News,
			State{Status: "initialized", FinancialStatus: "g-initialized", TransactionID: "7", SessionID: "s", Sequence: 1},
			event("reconcile", "initialized", "g-initialized", "", 1, false),
		},
		{
			"the first status is a final one",
			State{},
			seen("completed"), News,
			at("completed", 1, 1), event("stream", "completed", "f-completed", "", 1, true),
		},
		{
			"a soft decline is no end", at("initialized", 1, 1), seen("declined"), News,
			at("declined", 2, 2), event("stream", "declined", "f-declined", "initialized", 2, false),
		},
		{
			"the customer tries again", at("declined", 2, 2), seen("initialized"), News,
			at("initialized", 3, 3), event("stream", "initialized", "f-initialized", "declined", 3, false),
		},
		{"a repeated status is no change", at("declined", 2, 2), seen("declined"), Repeat, at("declined", 2, 3), nil},
		{"a repeated status is no change when it was asked for", at("declined", 2, 2), asked("declined", 2), Repeat, at("declined", 2, 2), nil},
		{"a repeated final status is no change", at("completed", 2, 2), seen("completed"), Repeat, at("completed", 2, 3), nil},
		{"an answer older than the stream's news is no news", at("declined", 2, 2), asked("initialized", 1), Stale, at("declined", 2, 2), nil},
		{"an old answer that says the same is no news either", at("declined", 2, 2), asked("declined", 0), Stale, at("declined", 2, 2), nil},
		{
			"an answer of the same age is news", at("initialized", 1, 1), asked("completed", 1), News,
			State{Status: "completed", FinancialStatus: "g-completed", TransactionID: "7", SessionID: "s", Sequence: 2, Final: true, Heard: 1},
			event("reconcile", "completed", "g-completed", "initialized", 2, true),
		},
		{"nothing goes back to initialized", at("completed", 2, 2), seen("initialized"), Late, at("completed", 2, 3), nil},
		{"nothing goes back to declined", at("cancelled", 2, 2), seen("declined"), Late, at("cancelled", 2, 3), nil},
		{"nothing goes back when asked for", at("expired", 2, 2), asked("initialized", 2), Late, at("expired", 2, 2), nil},
		{"nothing goes back after a reversal", at("reversed", 3, 3), seen("declined"), Late, at("reversed", 3, 4), nil},
		{
			"a reversal follows, and is final", at("completed", 2, 2), seen("reversed"), News,
			at("reversed", 3, 3), event("stream", "reversed", "f-reversed", "completed", 3, true),
		},
		{
			"an unknown name passes through", at("initialized", 1, 1), seen("awaiting customer"), News,
			at("awaiting customer", 2, 2), event("stream", "awaiting customer", "f-awaiting customer", "initialized", 2, false),
		},
		{
			"an unknown name that follows a final status is final", at("completed", 2, 2), seen("shipped"), News,
			State{Status: "shipped", FinancialStatus: "f-shipped", TransactionID: "7", SessionID: "s", Sequence: 3, Final: true, Heard: 3},
			event("stream", "shipped", "f-shipped", "completed", 3, true),
		},
		{
			"the bridge gives up", at("declined", 2, 2), gaveUp, News,
			State{Status: "unresolved", FinancialStatus: "f-declined", TransactionID: "7", SessionID: "s", Sequence: 3, Final: true, Heard: 2},
			event("bridge", "unresolved", "f-declined", "declined", 3, true),
		},
		{
			"the bridge gives up what it never heard of",
			State{},
			gaveUp, News,
			State{Status: "unresolved", Sequence: 1, Final: true},
			&schema.StatusEvent{Status: "unresolved", Final: true, Sequence: 1, Source: "bridge", ObservedAt: foldTime.UTC()},
		},
		{"the bridge does not give up what is over", at("completed", 2, 2), gaveUp, Late, at("completed", 2, 2), nil},
		{"nothing follows unresolved", at("unresolved", 3, 2), seen("completed"), Late, at("unresolved", 3, 3), nil},
		{"nothing follows unresolved when asked for", at("unresolved", 3, 2), asked("completed", 2), Late, at("unresolved", 3, 2), nil},
		{"the bridge gives up once", at("unresolved", 3, 2), gaveUp, Late, at("unresolved", 3, 2), nil},
		{
			"what is not told again stays known", at("initialized", 1, 1),
			Observation{Source: schema.SourceStream, Status: "declined", At: foldTime},
			News,
			State{Status: "declined", TransactionID: "7", SessionID: "s", Sequence: 2, Heard: 2},
			event("stream", "declined", "", "initialized", 2, false),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next, change, verdict := Fold(tt.state, tt.o)
			if verdict != tt.verdict {
				t.Errorf("verdict %s, want %s", verdict, tt.verdict)
			}
			next.Shown = tt.next.Shown // see TestShown
			if !reflect.DeepEqual(next, tt.next) {
				t.Errorf("next state\n%+v, want\n%+v", next, tt.next)
			}
			switch {
			case (change == nil) != (tt.change == nil):
				t.Errorf("change %+v, want %+v", change, tt.change)
			case change != nil && *change != *tt.change:
				t.Errorf("change\n%+v, want\n%+v", *change, *tt.change)
			}
		})
	}
}

func TestFinishes(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{
		"completed": true, "cancelled": true, "expired": true, "void": true, "unresolved": true,
		"reversed": true, "refunded": true, "partial_refunded": true, "chargedback": true,
		"initialized": false, "declined": false, "reserved": false, "uncleared": false, "shipped": false, "created": false, "": false, "Completed": false,
	} {
		if got := schema.IsFinal(status); got != want {
			t.Errorf("schema.IsFinal(%q) = %v", status, got)
		}
	}
}

// statuses that observations are drawn from: the provider's, the bridge's own,
// and one that nobody knows.
var foldStatuses = []string{"initialized", "declined", "completed", "cancelled", "expired", "void", "reversed", "refunded", "shipped", "somethingnew"}

func drawObservation(t *rapid.T) Observation {
	o := Observation{
		Source:          rapid.SampledFrom([]string{schema.SourceStream, schema.SourceReconcile, schema.SourceStream, schema.SourceBridge}).Draw(t, "source"),
		Status:          rapid.SampledFrom(foldStatuses).Draw(t, "status"),
		FinancialStatus: rapid.SampledFrom([]string{"", "initialized", "completed"}).Draw(t, "financial"),
		TransactionID:   rapid.SampledFrom([]string{"", "1"}).Draw(t, "transaction"),
		SessionID:       rapid.SampledFrom([]string{"", "s"}).Draw(t, "session"),
		At:              foldTime.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "at")) * time.Second),
	}
	switch o.Source {
	case schema.SourceReconcile:
		o.AskedAfter = rapid.Uint64Range(0, 8).Draw(t, "asked after")
	case schema.SourceBridge:
		o.Status = schema.StatusUnresolved
	}
	return o
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// checkChange holds one step of the fold to everything that must be true of
// every step.
func checkChange(t fataler, s, next State, o Observation, change *schema.StatusEvent, verdict Verdict) {
	t.Helper()
	if (change != nil) != (verdict == News) {
		t.Fatalf("verdict %s with change %+v", verdict, change)
	}
	heard := s.Heard
	if o.Source == schema.SourceStream {
		heard++
	}
	if next.Heard != heard {
		t.Fatalf("heard %d, want %d", next.Heard, heard)
	}
	if change == nil {
		next.Heard, next.Ahead, next.Shown = s.Heard, s.Ahead, s.Shown
		if !reflect.DeepEqual(next, s) {
			t.Fatalf("nothing is news, but the state went from %+v to %+v", s, next)
		}
		return
	}
	switch {
	case change.Sequence != s.Sequence+1 || next.Sequence != change.Sequence:
		t.Fatalf("sequence %d follows %d", change.Sequence, s.Sequence)
	case change.PreviousStatus != s.Status:
		t.Fatalf("previous status %q, want %q", change.PreviousStatus, s.Status)
	case change.Status == s.Status:
		t.Fatalf("%q was published twice in a row", s.Status)
	case change.Status != o.Status || next.Status != o.Status:
		t.Fatalf("%q became %q", o.Status, change.Status)
	case s.Status == schema.StatusUnresolved:
		t.Fatalf("%q follows unresolved", change.Status)
	case s.Final && !change.Final:
		t.Fatalf("%q is not final after a final status", change.Status)
	case s.Final && (change.Status == "initialized" || change.Status == "declined"):
		t.Fatalf("%q follows a final status", change.Status)
	case s.Final && change.Source == schema.SourceBridge:
		t.Fatal("the bridge gave up a payment that was over")
	case next.Final != change.Final || schema.IsFinal(o.Status) && !change.Final:
		t.Fatalf("%q: final is %v", o.Status, change.Final)
	case o.Source == schema.SourceReconcile && s.Heard > o.AskedAfter:
		t.Fatal("an answer older than the stream's news was news")
	case change.Source != o.Source || !change.ObservedAt.Equal(o.At):
		t.Fatalf("got %+v of %+v", change, o)
	case change.SessionID == "" && s.SessionID != "" || change.TransactionID == "" && s.TransactionID != "":
		t.Fatal("an id was forgotten")
	}
}

func TestFoldProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s State
		for range rapid.IntRange(1, 30).Draw(t, "observations") {
			o := drawObservation(t)
			next, change, verdict := Fold(s, o)
			again, changeAgain, verdictAgain := Fold(s, o)
			if !reflect.DeepEqual(next, again) || verdict != verdictAgain || (change == nil) != (changeAgain == nil) || change != nil && *change != *changeAgain {
				t.Fatal("the same input gave another output")
			}
			checkChange(t, s, next, o, change, verdict)
			if change != nil { // the very same news cannot be news twice
				if _, change, _ := Fold(s.Rebase(*change), o); change != nil {
					t.Fatalf("news again after what another replica published: %+v", change)
				}
				rebased := s.Rebase(*change)
				rebased.Heard = next.Heard
				rebased.Shown = next.Shown // its own stream has shown it
				if !reflect.DeepEqual(rebased, next) {
					t.Fatalf("another replica continues from %+v, this one from %+v", rebased, next)
				}
			}
			s = next
		}
	})
}

// modelReplica is what one replica of the models below knows.
type modelReplica struct {
	state   State
	stored  int // events of the journal that it knows of
	arrived uint64
	at      int // what of the stream it has read
	pending []Observation
}

// read reads the stream up to a place in it.
func (r *modelReplica) read(truth []string, to int) {
	for ; r.at < to; r.at++ {
		r.pending = append(r.pending, Observation{Source: schema.SourceStream, Status: truth[r.at], At: foldTime})
		r.arrived++
	}
}

// publish folds what is pending and appends to the shared journal, as long as
// nobody else has; else it catches up. Reading what another has published takes
// two round trips, so that by then the stream has told this replica too: told
// is how far any replica has read.
func (r *modelReplica) publish(journal *[]schema.StatusEvent, truth []string, told int) {
	for len(r.pending) > 0 {
		next, change, _ := Fold(r.state, r.pending[0])
		if change == nil {
			r.state, r.pending = next, r.pending[1:]
			continue
		}
		if r.stored < len(*journal) {
			r.read(truth, told)
			r.arrived += uint64(len((*journal)[r.stored:]))
			r.state, r.pending = r.state.CatchUp((*journal)[r.stored:], r.pending)
			r.stored = len(*journal)
			return // the rest another time
		}
		*journal = append(*journal, *change)
		r.state, r.pending, r.stored = next, r.pending[1:], len(*journal)
	}
}

// Two replicas that both believe to own a session read the same stream and
// publish to the same fenced journal: no status is lost, none is there twice.
func TestTwoReplicasOnOneJournal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := drawTruth(t)
		var journal []schema.StatusEvent
		a, b := &modelReplica{}, &modelReplica{}
		replicas := []*modelReplica{a, b}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			r := rapid.SampledFrom(replicas).Draw(t, "replica")
			if rapid.Bool().Draw(t, "read") {
				r.read(truth, min(r.at+1, len(truth)))
			} else {
				r.publish(&journal, truth, max(a.at, b.at))
			}
		}
		for _, r := range replicas { // and then everything is read and published
			r.read(truth, len(truth))
			for len(r.pending) > 0 {
				r.publish(&journal, truth, len(truth))
			}
		}
		var got []string
		for i, e := range journal {
			got = append(got, e.Status)
			if e.Sequence != uint64(i+1) {
				t.Fatalf("sequence %d at %d", e.Sequence, i+1)
			}
		}
		if want := slices.Compact(slices.Clone(truth)); !slices.Equal(got, want) {
			t.Fatalf("published %q, want %q", got, want)
		}
	})
}

// drawTruth draws what a provider shows of one payment: soft declines, an end,
// perhaps a reversal, repeats.
func drawTruth(t *rapid.T) []string {
	var truth []string
	say := func(status string) {
		for range rapid.IntRange(1, 2).Draw(t, "repeats") {
			truth = append(truth, status)
		}
	}
	say("initialized")
	for range rapid.IntRange(0, 3).Draw(t, "declines") {
		say("declined")
		say("initialized")
	}
	say(rapid.SampledFrom([]string{"completed", "cancelled", "expired"}).Draw(t, "end"))
	if rapid.Bool().Draw(t, "reversal") {
		say("reversed")
	}
	return truth
}

// Two replicas with gaps in what they read, and answers in between: what is
// published stays in order, nothing stands there twice in a row, and one fresh
// answer in the end brings the truth.
func TestTwoReplicasWithGaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := drawTruth(t)
		now := 0 // what the provider has come to
		var journal []schema.StatusEvent
		a, b := &modelReplica{}, &modelReplica{}
		ask := func(r *modelReplica) {
			r.pending = append(r.pending, Observation{Source: schema.SourceReconcile, Status: truth[now], AskedAfter: r.state.Heard, At: foldTime})
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			r := rapid.SampledFrom([]*modelReplica{a, b}).Draw(t, "replica")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				now = min(now+1, len(truth)-1)
			case 1: // the stream tells
				r.read(truth, min(r.at+1, now+1))
			case 2: // a gap in the stream
				r.at = min(r.at+1, now+1)
			case 3: // the provider is asked
				if len(r.pending) == 0 {
					ask(r)
				}
			case 4:
				r.publish(&journal, truth, r.at)
			}
		}
		now = len(truth) - 1
		for range 2 { // the first answer may be dropped while catching up
			for _, r := range []*modelReplica{a, b} {
				for len(r.pending) > 0 {
					r.publish(&journal, truth, r.at)
				}
				ask(r)
				for len(r.pending) > 0 {
					r.publish(&journal, truth, r.at)
				}
			}
		}
		before := schema.StatusEvent{}
		for i, e := range journal {
			if e.Sequence != uint64(i+1) || e.Status == before.Status || e.PreviousStatus != before.Status || before.Final && !e.Final {
				t.Fatalf("%+v follows %+v", e, before)
			}
			before = e
		}
		if before.Status != truth[now] {
			t.Fatalf("the last status is %q, want %q", before.Status, truth[now])
		}
	})
}

// What was read long after the other replica's last news is newer, though it
// has the same names.
func TestCatchUpByTime(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(1000, 0).Add(time.Duration(seconds) * time.Second) }
	published := []schema.StatusEvent{{Status: "declined", Sequence: 2, ObservedAt: at(0)}}
	pending := []Observation{
		{Source: schema.SourceStream, Status: "initialized", NotBefore: at(6)},
		{Source: schema.SourceStream, Status: "declined", NotBefore: at(7)},
	}
	_, rest := State{Status: "initialized", Sequence: 1}.CatchUp(published, pending)
	if !slices.Equal(rest, pending) {
		t.Errorf("rest %+v, want all of it", rest)
	}
	// A replica that stood still reads late what it was shown long before.
	for i := range pending {
		pending[i].NotBefore = at(-1)
	}
	_, rest = State{Status: "initialized", Sequence: 1}.CatchUp(published, pending)
	if len(rest) > 0 {
		t.Errorf("rest %+v, want nothing: all of it was published by the other one", rest)
	}
}

// What the stream has shown, and what another replica is ahead of it.
func TestShownAndAhead(t *testing.T) {
	t.Parallel()
	event := func(status string, at time.Duration) Observation {
		return Observation{Source: schema.SourceStream, Status: status, NotBefore: foldTime.Add(at)}
	}
	published := []schema.StatusEvent{
		{Status: "declined", Sequence: 2, ObservedAt: foldTime}, {Status: "initialized", Sequence: 3, ObservedAt: foldTime},
	}
	behind, _ := State{Status: "initialized", Sequence: 1}.CatchUp(published, nil)
	once, _ := State{Status: "initialized", Sequence: 1}.CatchUp(published[:1], nil)
	shown := once
	shown.Shown = true
	more, _ := behind.CatchUp([]schema.StatusEvent{{Status: "declined", Sequence: 4, ObservedAt: foldTime}}, []Observation{event("declined", 0)})
	for _, tt := range []struct {
		name    string
		s       State
		o       Observation
		verdict Verdict
		shown   bool
		ahead   []string
	}{
		{"the stream's news", State{Status: "initialized"}, event("declined", 0), News, true, nil},
		{"an answer's news", State{Status: "initialized", Shown: true}, Observation{Source: schema.SourceReconcile, Status: "declined"}, News, false, nil},
		{"the stream repeats an answer", State{Status: "declined"}, event("declined", 0), Repeat, true, nil},
		{"what another published first", behind, event("declined", sameEvent), Repeat, true, []string{"declined", "initialized"}},
		{"and later than the other", behind, event("declined", sameEvent+1), News, true, behind.Ahead},
		{"something else", behind, event("completed", 0), News, true, behind.Ahead},
		{"back to what was before", once, event("initialized", 0), News, true, once.Ahead},
		{"what was before, repeated", shown, event("initialized", 0), Repeat, true, once.Ahead},
		{"the second that was ahead", more, event("initialized", 0), Repeat, true, []string{"initialized", "declined"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next, _, verdict := Fold(tt.s, tt.o)
			if verdict != tt.verdict || next.Shown != tt.shown || !slices.Equal(next.Ahead, tt.ahead) {
				t.Errorf("verdict %s, next state %+v", verdict, next)
			}
		})
	}
}

func TestCatchUp(t *testing.T) {
	t.Parallel()
	stream := func(statuses ...string) (o []Observation) {
		for _, s := range statuses {
			o = append(o, Observation{Source: schema.SourceStream, Status: s})
		}
		return o
	}
	answer := Observation{Source: schema.SourceReconcile, Status: "completed"}
	opening := Observation{Source: schema.SourceStream, Status: "x", Opening: true}
	gaveUp := Observation{Source: schema.SourceBridge, Status: schema.StatusUnresolved}
	for _, tt := range []struct {
		name      string
		published []string
		pending   []Observation
		rest      []Observation
		heard     uint64
	}{
		{"nothing is pending", []string{"initialized"}, nil, nil, 0},
		{"all of it was published", []string{"initialized", "declined"}, stream("initialized", "declined"), nil, 2},
		{"the other knows more", []string{"initialized", "declined", "initialized"}, stream("initialized", "declined"), nil, 2},
		{"this one knows more", []string{"initialized"}, stream("initialized", "declined", "initialized"), stream("declined", "initialized"), 1},
		{"the other skipped some", []string{"completed"}, stream("initialized", "declined", "completed", "reversed"), stream("reversed"), 3},
		{"nothing in common", []string{"declined"}, stream("completed"), stream("completed"), 0},
		{"this one repeats what was before", []string{"declined"}, slices.Concat([]Observation{opening}, stream("x")), nil, 2},
		{"back to what was before", []string{"declined"}, stream("x"), stream("x"), 0},
		{"the news comes back", []string{"initialized", "declined"}, stream("x", "initialized", "declined", "initialized"), stream("initialized"), 3},
		{
			"an answer between two repeats",
			[]string{"initialized", "declined", "initialized"},
			slices.Concat(stream("initialized"), []Observation{answer}, stream("initialized", "declined", "initialized")), nil, 4,
		},
		{"an answer is dropped", []string{"initialized"}, []Observation{answer}, nil, 0},
		{"giving up is not", []string{"initialized"}, []Observation{gaveUp}, []Observation{gaveUp}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var published []schema.StatusEvent
			for i, status := range tt.published {
				published = append(published, schema.StatusEvent{Status: status, Sequence: uint64(i + 5), SessionID: "s"})
			}
			next, rest := State{Status: "x", Sequence: 4}.CatchUp(published, tt.pending)
			last := published[len(published)-1]
			if next.Status != last.Status || next.Sequence != last.Sequence || next.SessionID != "s" || next.Heard != tt.heard+uint64(len(published)) {
				t.Errorf("next state %+v", next)
			}
			if !slices.Equal(rest, tt.rest) {
				t.Errorf("rest %+v, want %+v", rest, tt.rest)
			}
		})
	}
}

// Whatever is observed, the fold keeps its promises. Every three bytes are one
// observation; "go test -fuzz FuzzFold ./bridge" looks for more.
func FuzzFold(f *testing.F) {
	f.Add([]byte("a0\x00b0\x00c0\x00"))
	f.Add([]byte{0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2, 0})
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 6, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s State
		for ; len(data) >= 3; data = data[3:] {
			o := Observation{
				Source: []string{schema.SourceStream, schema.SourceReconcile, schema.SourceBridge}[data[0]%3],
				Status: foldStatuses[int(data[1])%len(foldStatuses)], AskedAfter: uint64(data[2]), At: foldTime,
			}
			if o.Source == schema.SourceBridge {
				o.Status = schema.StatusUnresolved
			}
			next, change, verdict := Fold(s, o)
			checkChange(t, s, next, o, change, verdict)
			s = next
		}
	})
}

func BenchmarkFold(b *testing.B) {
	course := []Observation{
		{Source: schema.SourceStream, Status: "initialized", At: foldTime},
		{Source: schema.SourceReconcile, Status: "initialized", AskedAfter: 1, At: foldTime},
		{Source: schema.SourceStream, Status: "declined", At: foldTime},
		{Source: schema.SourceStream, Status: "initialized", At: foldTime},
		{Source: schema.SourceStream, Status: "completed", At: foldTime},
	}
	b.ReportAllocs()
	for b.Loop() {
		var s State
		for _, o := range course {
			s, _, _ = Fold(s, o)
		}
	}
}
