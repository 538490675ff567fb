package simulator_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/scenario"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// setFault sets a fault and fails the test if it cannot be set.
func (b *bundle) setFault(f fault.Fault) {
	b.t.Helper()
	if _, err := b.SetFault(f); err != nil {
		b.t.Fatal(err)
	}
}

// payment makes an order, opens its stream, and plays a soft decline and an
// approval by hand, one step after the other, so that every step goes out by
// itself. It returns what the stream sent until it ended.
func (b *bundle) payment(id string, over fields) (text string, clean bool) {
	b.t.Helper()
	s := b.open(b.create(id, "SIM00001", over))
	for _, action := range []scenario.Action{scenario.ActDecline, scenario.ActApprove} {
		b.act("SIM00001", action)
	}
	return s.rest()
}

// orderEvents parses a stream as the standard says and returns the statuses of
// the order's events; others are given as "other:<type>", "other order" or "garbage".
func orderEvents(t *testing.T, id, text string) []string {
	t.Helper()
	got := []string{}
	for e, err := range sse.Read(strings.NewReader(text), &sse.ReadConfig{MaxEventSize: 4 << 20}) {
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("read events: %v", err)
			}
			break
		}
		if e.Type != "session.order" {
			got = append(got, "other:"+e.Type)
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(e.Data))
		var joined []string
		for {
			var data struct {
				Order  string `json:"order_id"`
				Status string `json:"status"`
			}
			err := decoder.Decode(&data)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				joined = []string{"garbage"}
				break
			}
			if data.Order != id {
				data.Status = "other order"
			}
			joined = append(joined, data.Status)
		}
		got = append(got, strings.Join(joined, "+"))
	}
	return got
}

// What each fault does to the events initialized, declined, initialized,
// completed, set as a global fault, for the order, and by the order itself.
func TestEventFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault fault.Fault
		asked string // the same in custom_2
		want  string // statuses with blanks between
		cut   bool   // the stream does not end cleanly
	}{
		"none":                   {fault.Fault{}, "", "initialized declined initialized completed", false},
		"lose":                   {fault.Fault{Name: fault.LoseEvents}, "fault:lose_events", "declined initialized completed", false},
		"lose the third":         {fault.Fault{Name: fault.LoseEvents, After: 2}, "fault:lose_events:after=2", "initialized declined completed", false},
		"lose three":             {fault.Fault{Name: fault.LoseEvents, Count: 3}, "fault:lose_events:count=3", "completed", false},
		"lose all":               {fault.Fault{Name: fault.LoseEvents, Count: fault.Always}, "fault:lose_events:count=-1", "", false},
		"duplicate":              {fault.Fault{Name: fault.DuplicateEvents, Count: 2}, "fault:duplicate_events:count=2", "initialized initialized declined declined initialized completed", false},
		"duplicate the last":     {fault.Fault{Name: fault.DuplicateEvents, After: 3}, "fault:duplicate_events:after=3", "initialized declined initialized completed completed", false},
		"out of order":           {fault.Fault{Name: fault.OutOfOrderEvents}, "fault:out_of_order_events", "declined initialized initialized completed", false},
		"out of order final":     {fault.Fault{Name: fault.OutOfOrderEvents, After: 2}, "fault:out_of_order_events:after=2", "initialized declined completed initialized", false},
		"joined":                 {fault.Fault{Name: fault.JoinedEvents}, "fault:joined_events", "initialized+declined initialized completed", false},
		"joined always":          {fault.Fault{Name: fault.JoinedEvents, Count: fault.Always}, "fault:joined_events:count=-1", "initialized+declined initialized+completed", false},
		"other order":            {fault.Fault{Name: fault.OtherOrderEvent, After: 1}, "fault:other_order_event:after=1", "initialized other order declined initialized completed", false},
		"other type":             {fault.Fault{Name: fault.OtherEventType}, "fault:other_event_type", "other:session.qr initialized declined initialized completed", false},
		"garbage":                {fault.Fault{Name: fault.GarbageEvent}, "fault:garbage_event", "garbage initialized declined initialized completed", false},
		"huge":                   {fault.Fault{Name: fault.HugeEvent, Count: 2}, "fault:huge_event:count=2", "initialized declined initialized completed", false},
		"unterminated":           {fault.Fault{Name: fault.UnterminatedEvent}, "fault:unterminated_event", "initialized declined initialized", false},
		"drop at once":           {fault.Fault{Name: fault.DropStream}, "fault:drop_stream", "", true},
		"drop after two":         {fault.Fault{Name: fault.DropStream, After: 2}, "fault:drop_stream:after=2", "initialized declined", true},
		"drop after two cleanly": {fault.Fault{Name: fault.DropStream, After: 2, Clean: true}, "fault:drop_stream:after=2,clean", "initialized declined", false},
		"drop after the last":    {fault.Fault{Name: fault.DropStream, After: 4}, "fault:drop_stream:after=4", "initialized declined initialized completed", true},
		"silent":                 {fault.Fault{Name: fault.SilentStream}, "fault:silent_stream", "", false},
		"silent after two":       {fault.Fault{Name: fault.SilentStream, After: 2}, "fault:silent_stream:after=2", "initialized declined", false},
	} {
		check := func(t *testing.T, text string, clean bool) {
			t.Helper()
			if got := strings.Join(orderEvents(t, "order", text), " "); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if clean == tc.cut {
				t.Errorf("clean end: got %t, want %t", clean, !tc.cut)
			}
		}
		o := simulator.Options{Manual: true, Linger: 10 * time.Millisecond}
		t.Run(name+" for all", func(t *testing.T) {
			t.Parallel()
			b := setup(t, o)
			if tc.fault.Name != "" {
				b.setFault(tc.fault)
			}
			text, clean := b.payment("order", nil)
			check(t, text, clean)
		})
		t.Run(name+" for the order", func(t *testing.T) {
			t.Parallel()
			b := setup(t, o)
			if tc.fault.Name != "" {
				for _, f := range []fault.Fault{{Order: "order"}, {Terminal: "SIM00001"}, {Order: "somebody"}, {Terminal: "SIM00002"}} {
					fault := tc.fault
					fault.Order, fault.Terminal = f.Order, f.Terminal
					if f.Terminal == "SIM00001" {
						continue // the order's own is enough
					}
					b.setFault(fault)
				}
			}
			text, clean := b.payment("order", nil)
			check(t, text, clean)
		})
		t.Run(name+" asked for", func(t *testing.T) {
			t.Parallel()
			b := setup(t, o)
			text, clean := b.payment("order", fields{"custom_info": fields{"custom_2": tc.asked}})
			check(t, text, clean)
		})
	}
}

// A fault is spent after its count: the next connection is in order again.
func TestFaultsAreSpent(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.RefuseStream, Status: 503, RetryAfter: "7", Count: 2})
	created := b.create("order", "SIM00001", nil)
	for range 2 {
		resp := b.connect(created)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("got %d with Retry-After %q, want 503 with 7", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	if got := b.Faults(); len(got) != 0 {
		t.Errorf("faults left: %v", got)
	}
	b.open(created)
	if got, want := b.Calls("order").Stream, 3; got != want {
		t.Errorf("streams counted: got %d, want %d", got, want)
	}
}

// A fault that is set while a stream is open befalls that stream.
func TestDropFaultOnOpenStream(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	s := b.open(b.create("order", "SIM00001", nil))
	b.setFault(fault.Fault{Name: fault.DropStream, Order: "order"})
	if _, clean := s.rest(); clean {
		t.Error("the stream ended cleanly, want it cut")
	}
}

func TestSilentStreamHasNoHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Heartbeat: time.Millisecond, Linger: 30 * time.Millisecond})
	text, clean := b.payment("order", fields{"custom_info": fields{"custom_2": "fault:silent_stream"}})
	if text != "" || !clean {
		t.Errorf("got %q, clean %t; want nothing", text, clean)
	}
}

func TestHangStream(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.HangStream})
	created := b.create("order", "SIM00001", nil)
	req := newStreamRequest(b, created)
	failed := make(chan error)
	go func() {
		resp, err := b.client.Do(req)
		if err == nil {
			resp.Body.Close()
			err = errors.New("it was answered")
		}
		failed <- err
	}()
	if _, err := b.WaitEntry(b.ctx, 0, func(e journal.Entry) bool {
		return e.Kind == journal.KindStream && strings.Contains(e.Text, "never answered")
	}); err != nil {
		t.Fatal(err)
	}
	b.Close() // the simulator's end is the only thing that ends it
	if err := <-failed; err == nil || err.Error() == "it was answered" {
		t.Errorf("got %v, want a cut connection", err)
	}
}

func TestExpiredToken(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	expired := b.create("expired", "SIM00001", fields{"custom_info": fields{"custom_2": "fault:expired_token"}})
	if got := b.connect(expired).StatusCode; got != 401 {
		t.Errorf("expired token: got %d, want 401", got)
	}
	later := b.create("later", "SIM00002", fields{"custom_info": fields{"custom_2": "fault:expired_token:delay=1m"}})
	b.open(later)
}

func TestOtherHostStreamURL(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	b.setFault(fault.Fault{Name: fault.OtherHostStreamURL})
	got := b.create("a", "SIM00001", nil)["events_stream_url"].(string)
	if !strings.HasPrefix(got, "http://localhost:") || !strings.HasSuffix(got, "/events/stream/") {
		t.Errorf("got %s, want the same server as localhost", got)
	}
	b.setFault(fault.Fault{Name: fault.OtherHostStreamURL, URL: "https://evil.invalid/x"})
	if got := b.create("b", "SIM00002", nil)["events_stream_url"]; got != "https://evil.invalid/x" {
		t.Errorf("got %s", got)
	}
}

// Every framing says the same to a reader that knows the standard, and looks
// as it says.
func TestOddFramings(t *testing.T) {
	t.Parallel()
	kinds := fault.Kinds()
	var modes []string
	for _, k := range kinds {
		if k.Name == fault.OddFraming {
			modes = k.Modes
		}
	}
	marks := map[string]string{
		fault.FramingCR: "}\r\r", fault.FramingCRLF: "}\r\n\r\n", fault.FramingBOM: "\ufeffevent",
		fault.FramingComments: ": simulated\n", fault.FramingID: "id: 1\n", fault.FramingRetry: "retry: 10000\n",
		fault.FramingMultiline: ",\ndata: ", fault.FramingNoSpace: "event:session.order\ndata:{",
		fault.FramingDribble: "event: session.order\n", fault.FramingMixed: "\ufeff: simulated\r\nid: 1\r\nretry: 10000\r\nevent: session.order\r\n",
	}
	if len(modes) != len(marks) {
		t.Fatalf("got %d framings, want %d", len(modes), len(marks))
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
			text, _ := b.payment("order", fields{"custom_info": fields{"custom_2": "fault:odd_framing:mode=" + mode}})
			if !strings.Contains(text, marks[mode]) {
				t.Errorf("stream lacks %q:\n%q", marks[mode], text)
			}
			want := "initialized declined initialized completed"
			if got := strings.Join(orderEvents(t, "order", text), " "); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestHugeEventIsHuge(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
	for _, tc := range []struct {
		id, asked string
		want      int
	}{{"a", "fault:huge_event", 1 << 20}, {"b", "fault:huge_event:size=100000", 100_000}} {
		text, _ := b.payment(tc.id, fields{"custom_info": fields{"custom_2": tc.asked}})
		longest := 0
		lines := bufio.NewReader(strings.NewReader(text))
		for {
			line, err := lines.ReadString('\n')
			longest = max(longest, len(line))
			if err != nil {
				break
			}
		}
		if longest < tc.want || longest > tc.want+1000 {
			t.Errorf("%s: longest line has %d bytes, want about %d", tc.asked, longest, tc.want)
		}
	}
}

// The garbage holds what must not be passed on.
func TestGarbageHoldsSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true, Linger: 10 * time.Millisecond})
	b.setFault(fault.Fault{Name: fault.GarbageEvent})
	created := b.create("order", "SIM00001", nil)
	token := created["events_token"].(string)
	s := b.open(created)
	b.act("SIM00001", scenario.ActApprove)
	text, _ := s.rest()
	if !strings.Contains(text, token) || !strings.Contains(text, wire.CardPAN) {
		t.Errorf("stream lacks token or card number: %q", text)
	}
	b.setFault(fault.Fault{Name: fault.GarbageEvent, Data: "[1,2"})
	text, _ = b.payment("second", nil)
	if !strings.Contains(text, "data: [1,2\n") {
		t.Errorf("stream lacks the data that was given: %q", text)
	}
}
