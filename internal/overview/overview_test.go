package overview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestNotesAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	n := NewNotes()
	a := board.Ref{Terminal: "T1", Order: "a"}
	for i := range 3 {
		at := start.Add(time.Duration(i) * time.Second)
		n.Noted("T1", "a", payment.Note{Kind: payment.NoteAnswer, Text: "asked"}, at)
		n.Noted("T1", "a", payment.Note{Kind: payment.NoteTrouble, Text: "lost"}, at)
	}
	got := n.Of(a)
	if len(got) != 2 || got[0].Count != 3 || got[1].Count != 3 || got[0].Until != start.Add(2*time.Second) {
		t.Errorf("repeats: %+v", got)
	}
	for i := range 2 * maxNotes {
		n.Noted("T1", "a", payment.Note{Kind: payment.NoteAnswer, Text: fmt.Sprint("step ", i)}, start)
	}
	got = n.Of(a)
	if len(got) != maxNotes || got[0].Text != "asked" || got[maxNotes-1].Text != fmt.Sprint("step ", 2*maxNotes-1) {
		t.Errorf("%d notes, from %q to %q", len(got), got[0].Text, got[len(got)-1].Text)
	}
	for i := range maxNotedOrders {
		n.Noted("T2", fmt.Sprint(i), payment.Note{Text: "begun"}, start)
	}
	if len(n.Of(a)) != 0 || len(n.Of(board.Ref{Terminal: "T2", Order: "0"})) != 1 {
		t.Error("the oldest order is not the one that was forgotten")
	}
}

func TestHealthOfTheProvider(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ok := call{at: now, took: 40 * time.Millisecond}
	failed, refused, old := call{at: now, failed: true}, call{at: now, refused: true}, call{at: now.Add(-2 * time.Minute), failed: true}
	for name, tt := range map[string]struct {
		made         []call
		state, words string
	}{
		"nothing asked":         {nil, console.Unknown, "No requests in the last minute"},
		"long ago":              {[]call{old}, console.Unknown, "No requests in the last minute"},
		"one":                   {[]call{old, ok}, console.Good, "1 answer in the last minute"},
		"well":                  {[]call{ok, ok, ok}, console.Good, "3 answers a minute, half within 40 ms"},
		"now and then":          {[]call{ok, failed, ok}, console.Trouble, "1 of 3 requests of the last minute failed"},
		"gone":                  {[]call{ok, failed, failed, failed}, console.Bad, "The last 3 requests failed or got no answer"},
		"a key is refused":      {[]call{ok, refused}, console.Trouble, "The provider refused a key or token once in the last minute"},
		"keys are refused":      {[]call{refused, ok, refused}, console.Trouble, "The provider refused a key or token 2 times in the last minute"},
		"more than is kept":     {append(make([]call, maxCalls), ok), console.Good, "1 answer in the last minute"},
		"back after a pause":    {[]call{failed, failed, failed, ok}, console.Trouble, "3 of 4 requests of the last minute failed"},
		"streams are not timed": {[]call{{at: now, stream: true, took: time.Hour}, ok}, console.Good, "2 answers a minute"},
	} {
		var c calls
		for _, made := range tt.made {
			c.note(made)
		}
		if h := c.health(now); h.State != tt.state || h.Words != tt.words {
			t.Errorf("%s: got %s, %q, want %s, %q", name, h.State, h.Words, tt.state, tt.words)
		}
	}
	for code, want := range map[string]call{
		"200": {}, "404": {}, "error": {failed: true}, "503": {failed: true}, "429": {failed: true}, "401": {refused: true},
	} {
		if got := callOf("get", code, 0); got.failed != want.failed || got.refused != want.refused {
			t.Errorf("%s: got %+v", code, got)
		}
	}
}

// orders is a board with given content.
type orders struct{ open, over, silent []board.Entry }

func (o orders) Active() []board.Entry          { return o.open }
func (o orders) Over(int) []board.Entry         { return o.over }
func (o orders) Silent(time.Time) []board.Entry { return o.silent }
func (o orders) Terminals() []string            { return []string{"T1", "T2"} }

func (o orders) At(terminal string) (board.Entry, bool) {
	for _, e := range slices.Concat(o.open, o.over) {
		if e.Terminal == terminal {
			return e, true
		}
	}
	return board.Entry{}, false
}

// past is the stream.
type past struct {
	log  payment.Log
	fail error
}

func (p past) ReadLogFast(_ context.Context, _, _ string, all bool) (payment.Log, error) {
	if !all {
		return payment.Log{}, errors.New("the course needs every status")
	}
	return p.log, p.fail
}

func (p past) TerminalOf(_ context.Context, order string) (string, error) {
	if order != "A" {
		return "", bus.ErrNotFound
	}
	return "T1", nil
}

func (past) Now() time.Time { return start }

func status(name string, sequence uint64, replica string) payment.Status {
	at := start.Add(time.Duration(sequence) * time.Second)
	return payment.Status{
		Event: schema.StatusEvent{
			TerminalID: "T1", OrderID: "A", SessionID: "S", Status: name, FinancialStatus: "f", TransactionID: "4711", Sequence: sequence,
			Final: schema.IsFinal(name), Source: schema.SourceStream, Amount: 1250, Currency: "EUR", ObservedAt: at,
		},
		Replica: replica, StartedAt: start, Seq: sequence, At: at.Add(4 * time.Millisecond),
	}
}

func entry(terminal, order string, s payment.Status) board.Entry {
	return board.Entry{
		Ref: board.Ref{Terminal: terminal, Order: order}, Last: s.Event, Replica: s.Replica, StartedAt: start, Seq: s.Seq, StatusSeq: s.Seq,
		Claim: board.Claim{Owner: "process", Replica: s.Replica, Epoch: 1, Phase: payment.ClaimOpen, StartedAt: start},
	}
}

func newPage(state State) *Page {
	return New(Options{
		Replica: "one", Version: "v1", Metrics: telemetry.NewMetrics("", "", ""),
		Groups: func() map[string]string { return map[string]string{"T1": "g", "T3": "g"} }, State: func() State { return state },
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	p := newPage(State{})
	if o := p.Overview(); o.Problem == "" {
		t.Error("there is nothing yet, and the page does not say so")
	}
	if got := p.Terminals(nil); len(got) != 2 || got[0] != (console.Terminal{ID: "T1", Group: "g"}) {
		t.Errorf("terminals of the groups: got %+v", got)
	}
	var changed []string
	stop := p.Watch(func(terminal string) { changed = append(changed, terminal) })
	p.Connect(orders{
		open:   []board.Entry{entry("T1", "A", status("initialized", 1, "two"))},
		over:   []board.Entry{entry("T2", "B", status("cancelled", 2, "one")), entry("T4", "C", status("completed", 3, "one"))},
		silent: []board.Entry{entry("T5", "late", payment.Status{})},
	}, past{})
	p.Noted("T1", "A", payment.Note{Kind: payment.NoteStream, Text: "event stream connected"}, start)
	p.Changed("T2")
	stop()
	p.Changed("T2")
	if want := []string{"", "T1", "T2"}; !slices.Equal(changed, want) {
		t.Errorf("changes: got %q, want %q", changed, want)
	}
	got := p.Terminals(nil)
	if len(got) != 3 || got[1] != (console.Terminal{ID: "T2", Seen: start.Add(2 * time.Second), Order: "B", Status: "cancelled"}) {
		t.Errorf("terminals: got %+v", got)
	}
	want := console.Session{Order: "A", Amount: 1250, Currency: "EUR", Status: "initialized", Started: start, Replica: "two", Stream: "connected"}
	if one := p.Terminals([]string{"T1"}); len(one) != 1 || one[0].Session == nil || *one[0].Session != want {
		t.Errorf("session: got %+v", one)
	}
	if got := p.Payments(2); len(got) != 1 || got[0] != (console.Payment{
		Revision: 3, Terminal: "T4", Order: "C", Status: "completed", Amount: 1250, Currency: "EUR", Started: start, At: start.Add(3 * time.Second),
	}) {
		t.Errorf("payments: got %+v", got)
	}
	time := p.glanceAt
	p.glanceAt = time.Add(-glancePause * 2)
	o := p.Overview()
	if o.Open != 1 || o.Problem != "" || o.Replica != "one" || o.Version != "v1" || len(o.Totals) != len(shownTotals)+1 {
		t.Errorf("overview: got %+v", o)
	}
	if h := o.Health[len(o.Health)-1]; h.State != console.Trouble || h.Words != "1 without any status for 90 s or more, such as order late on terminal T5" {
		t.Errorf("silent payments: got %+v", h)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state State
		at    int
		want  console.Health
	}{
		{State{}, 0, console.Health{Name: "NATS", State: console.Good, Words: "Connected"}},
		{State{NATS: "not connected"}, 0, console.Health{Name: "NATS", State: console.Bad, Words: "Not connected"}},
		{State{JetStream: "full"}, 1, console.Health{Name: "JetStream", State: console.Bad, Words: "Full"}},
		{State{Service: "not yet"}, 3, console.Health{Name: "This replica", State: console.Trouble, Words: "Not yet"}},
		{State{Stopping: true}, 3, console.Health{Name: "This replica", State: console.Trouble, Words: "This replica is draining"}},
	} {
		o := newPage(tt.state).Overview()
		if o.Health[tt.at] != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.state, o.Health[tt.at], tt.want)
		}
		if tt.state.NATS != "" && o.Problem == "" {
			t.Error("the page does not say that it may be old")
		}
	}
}

// The numbers are those of the metrics.
func TestTotals(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics("", "", "")
	m.StatusPublished("completed", schema.SourceStream)
	m.StatusPublished("declined", schema.SourceStream)
	m.SetSessionsWithoutStatus(3)
	m.Delivered(3 * time.Millisecond)
	got := map[string]string{}
	for _, n := range totals(m) {
		got[n.Metric] = n.Value
	}
	for metric, want := range map[string]string{
		"status_published_total": "2", `status_published_total{status="completed"}`: "1", "sessions_without_status": "3",
		"delivery_latency_seconds": "5 ms", "failovers_total": "0",
	} {
		if got[metric] != want {
			t.Errorf("%s: got %q, want %q", metric, got[metric], want)
		}
	}
}

func TestCourse(t *testing.T) {
	t.Parallel()
	p := newPage(State{})
	if _, err := p.Course(t.Context(), "T1", "A"); err == nil || errors.Is(err, console.ErrNotFound) {
		t.Errorf("without a board: got %v", err)
	}
	p.Connect(orders{}, past{})
	for _, terminal := range []string{"T1", ""} {
		if _, err := p.Course(t.Context(), terminal, "other"); !errors.Is(err, console.ErrNotFound) {
			t.Errorf("unknown: got %v", err)
		}
	}
	note := func(kind payment.NoteKind, text string, after time.Duration) {
		p.Noted("T1", "A", payment.Note{Kind: kind, Text: text}, start.Add(after))
	}
	note(payment.NoteStream, "event stream connected", time.Millisecond)
	note(payment.NoteTrouble, "event stream: idle", 1500*time.Millisecond)
	note(payment.NoteAnswer, "initialized", 1600*time.Millisecond)
	last := status("completed", 2, "two")
	p.Noted("T1", "A", payment.Note{Kind: payment.NoteStatus, Event: &last.Event}, last.Event.ObservedAt.Add(7*time.Millisecond))
	p.Connect(orders{}, past{log: payment.Log{Statuses: []payment.Status{status("initialized", 1, "one"), last}}})
	c, err := p.Course(t.Context(), "", "A")
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal != "T1" || c.Status != "completed" || !c.Final || c.SessionID != "S" || c.TransactionID != "4711" || c.Started != start || c.Amount != 1250 {
		t.Errorf("got %+v", c)
	}
	var got []string
	for _, s := range c.Steps {
		text := s.Kind + ": " + s.Text + s.Status
		if s.Latency != nil {
			text += fmt.Sprint(" ", *s.Latency)
		}
		got = append(got, text)
	}
	want := []string{
		"activity: Start accepted", "activity: Event stream connected", "status: initialized 4", "trouble: The event stream sent nothing for too long; connecting again",
		"activity: Asked the provider: initialized", "takeover: two continues instead of one", "status: completed 7",
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps:\ngot  %q\nwant %q", got, want)
	}
}

// A course says what it may lack, and a session that ended without an order is one
// that was refused.
func TestCourseOfOthers(t *testing.T) {
	t.Parallel()
	p := newPage(State{})
	log := payment.Log{Claim: &payment.Claim{Replica: "two", Epoch: 1, Phase: payment.ClaimOpen, Session: payment.Session{StartedAt: start, Request: schema.StartRequest{Amount: 5, Currency: "EUR"}}}}
	p.Connect(orders{}, past{log: log})
	c, err := p.Course(t.Context(), "T1", "A")
	if err != nil || c.Status != schema.StatusCreated || c.Replica != "two" || c.Note == "" {
		t.Errorf("got %+v, %v", c, err)
	}
	log.Claim.Phase = payment.ClaimClosed
	c, err = p.Course(t.Context(), "T1", "A")
	if err != nil || c.Status != "refused" || c.Replica != "" {
		t.Errorf("closed: got %+v, %v", c, err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	connected := Noted{Note: payment.Note{Kind: payment.NoteStream, Text: "event stream connected"}}
	polling := Noted{Note: payment.Note{Kind: payment.NoteStream, Text: "there is no event stream; the bridge polls the provider"}}
	lost := Noted{Note: payment.Note{Kind: payment.NoteTrouble, Text: "event stream: ended"}}
	other := Noted{Note: payment.Note{Kind: payment.NoteFailed, Text: "no usable answer"}}
	for _, tt := range []struct {
		notes []Noted
		want  string
	}{
		{nil, ""},
		{[]Noted{other}, ""},
		{[]Noted{connected, other}, "connected"},
		{[]Noted{connected, lost}, "reconnecting"},
		{[]Noted{lost, connected}, "connected"},
		{[]Noted{polling}, "polling"},
	} {
		if got := stream(tt.notes); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.notes, got, tt.want)
		}
	}
}
