package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// recorder is a core subscriber of everything that the bridge publishes about
// orders.
type recorder struct {
	t     *testing.T
	space subjects.Space

	mu       sync.Mutex
	statuses []seen
	invalid  []schema.InvalidEvent
	wakes    []chan struct{}
	// missed is set when the subscriber was cut off for a while: then it need
	// not have seen all that is stored.
	missed bool
	// forgotten is set when the stream no longer has all that was stored.
	forgotten bool
}

// seen is a status event as it came, and its place in the stream.
type seen struct {
	schema.StatusEvent
	msg *nats.Msg
	seq uint64
}

// record subscribes; it sees what is published from now on.
func record(t *testing.T, nc *nats.Conn, space subjects.Space) *recorder {
	t.Helper()
	r := &recorder{t: t, space: space}
	for subject, handle := range map[string]nats.MsgHandler{
		space.All(subjects.Status): r.onStatus, space.All(subjects.Invalid): r.onInvalid,
	} {
		if _, err := nc.Subscribe(subject, handle); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *recorder) onStatus(m *nats.Msg) {
	s := seen{msg: m}
	s.seq, _ = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err := json.Unmarshal(m.Data, &s.StatusEvent); err != nil {
		r.t.Errorf("%s: %v in %s", m.Subject, err, m.Data)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses = append(r.statuses, s)
	r.wake()
}

func (r *recorder) onInvalid(m *nats.Msg) {
	var e schema.InvalidEvent
	strictly(r.t, m.Data, &e)
	fits(r.t, "invalid-event", m.Data)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.invalid = append(r.invalid, e)
	r.wake()
}

// wake wakes who waits. r.mu is held.
func (r *recorder) wake() {
	for _, ch := range r.wakes {
		close(ch)
	}
	r.wakes = nil
}

// wait waits until holds, which is called with r.mu held, is true.
func (r *recorder) wait(what func() string, holds func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		if holds() {
			r.mu.Unlock()
			return
		}
		ch := make(chan struct{})
		r.wakes = append(r.wakes, ch)
		r.mu.Unlock()
		select {
		case <-ch:
		case <-deadline.C:
			r.t.Fatalf("it did not come in %s: %s", patience, what())
		}
	}
}

// events are the status events of an order that were seen so far.
func (r *recorder) events(order string) []schema.StatusEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.eventsOf(order)
}

func (r *recorder) eventsOf(order string) []schema.StatusEvent {
	var events []schema.StatusEvent
	for _, s := range r.statuses {
		if s.OrderID == order {
			events = append(events, s.StatusEvent)
		}
	}
	return events
}

// await waits until the statuses of an order are exactly these, and returns
// their events.
func (r *recorder) await(order string, want ...string) []schema.StatusEvent {
	r.t.Helper()
	var got []schema.StatusEvent
	r.wait(func() string { return fmt.Sprintf("statuses of %s are %q, want %q", order, namesOf(got), want) }, func() bool {
		got = r.eventsOf(order)
		return len(got) >= len(want)
	})
	if !slices.Equal(namesOf(got), want) {
		r.t.Fatalf("statuses of %s are %q, want %q", order, namesOf(got), want)
	}
	return got
}

// awaitLast waits until the last status of an order is this one.
func (r *recorder) awaitLast(order, status string) {
	r.t.Helper()
	r.wait(func() string { return order + " is " + status }, func() bool { return last(r.eventsOf(order)) == status })
}

// awaitInvalid waits for n invalid events.
func (r *recorder) awaitInvalid(n int) []schema.InvalidEvent {
	r.t.Helper()
	var got []schema.InvalidEvent
	r.wait(func() string { return fmt.Sprintf("%d invalid events, want %d", len(got), n) }, func() bool {
		got = slices.Clone(r.invalid)
		return len(got) >= n
	})
	return got
}

// miss says that the subscriber will be cut off: it may see less than is stored.
func (r *recorder) miss() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missed = true
}

// forget says that the stream will not have all that was stored.
func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten = true
}

// last is the last status of events.
func last(events []schema.StatusEvent) string {
	if len(events) == 0 {
		return ""
	}
	return events[len(events)-1].Status
}

func namesOf(events []schema.StatusEvent) []string {
	names := []string{}
	for _, e := range events {
		names = append(names, e.Status)
	}
	return names
}

// stored are an order's statuses as the stream has them.
func (b *bundle) stored(terminal, order string) []string {
	stream, err := b.js.Stream(b.ctx, b.space.StatusStream())
	if err != nil {
		return nil
	}
	subject, _ := b.space.Of(terminal, order, subjects.Status)
	names := []string{}
	for seq := uint64(1); ; seq++ {
		msg, err := stream.GetMsg(b.ctx, seq, jetstream.WithGetMsgSubject(subject))
		if err != nil {
			return names
		}
		seq = msg.Sequence
		var e schema.StatusEvent
		_ = json.Unmarshal(msg.Data, &e) // checkJournal reads it strictly
		names = append(names, e.Status)
	}
}

// awaitStored waits until the stream has exactly these statuses of an order:
// for what a subscriber may have missed.
func (b *bundle) awaitStored(terminal, order string, want ...string) {
	b.t.Helper()
	var got []string
	eventually(b.t, fmt.Sprintf("%q are stored of %s", want, order), func() bool {
		got = b.stored(terminal, order)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: %q are stored, want %q", order, got, want)
	}
}

// awaitFinal waits until the payment is over.
func (b *bundle) awaitFinal(terminal, order string) {
	b.t.Helper()
	eventually(b.t, order+" is over", func() bool {
		names := b.stored(terminal, order)
		return len(names) > 0 && slices.Contains([]string{"completed", "cancelled", "unresolved"}, names[len(names)-1])
	})
}

// checkJournal holds what is stored to the contract's rules for status events,
// and what was seen to what is stored.
func (b *bundle) checkJournal() {
	b.recorder.mu.Lock()
	forgotten := b.forgotten
	b.recorder.mu.Unlock()
	if forgotten {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := b.js.Stream(ctx, b.space.StatusStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrNoResponders) {
		return
	}
	if err != nil {
		b.t.Errorf("look at the status stream: %v", err)
		return
	}
	stored := map[uint64]*jetstream.RawStreamMsg{}
	before := map[string]schema.StatusEvent{}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
		msg, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a claim that a later one has replaced
		}
		if err != nil {
			b.t.Errorf("read message %d of the status stream: %v", seq, err)
			return
		}
		_, order, kind, err := b.space.Parse(msg.Subject)
		if err != nil || kind == subjects.Journal {
			b.t.Errorf("message %d is stored under %s: %v", seq, msg.Subject, err)
		}
		if kind != subjects.Status {
			continue
		}
		stored[seq] = msg
		before[order] = b.checkEvent(msg, before[order])
	}
	b.checkSeen(stored)
}

// checkEvent holds one stored event to the one before it.
func (b *bundle) checkEvent(msg *jetstream.RawStreamMsg, before schema.StatusEvent) schema.StatusEvent {
	var e schema.StatusEvent
	fits(b.t, "status-event", msg.Data)
	strictly(b.t, msg.Data, &e)
	var raw map[string]any
	_ = json.Unmarshal(msg.Data, &raw) // strictly has read it
	for _, name := range []string{
		"order_id", "terminal_id", "transaction_id", "status", "financial_status", "previous_status", "final",
		"sequence", "source", "amount", "currency", "observed_at",
	} {
		if _, ok := raw[name]; !ok {
			b.t.Errorf("%s: no %s in %s", msg.Subject, name, msg.Data)
		}
	}
	wrong := func(format string, args ...any) {
		b.t.Errorf("%s %d: "+format, append([]any{msg.Subject, e.Sequence}, args...)...)
	}
	if e.Sequence != before.Sequence+1 {
		wrong("sequence follows %d", before.Sequence)
	}
	again := e.AmountCharged != before.AmountCharged || e.Status == "declined" && e.TransactionID != before.TransactionID
	if e.PreviousStatus != before.Status || e.Status == before.Status && !again {
		wrong("%q says that %q was before, after %q", e.Status, e.PreviousStatus, before.Status)
	}
	if before.Final && !e.Final {
		wrong("%q is not final after a final status", e.Status)
	}
	if before.Final && (e.Status == "initialized" || e.Status == "declined") {
		wrong("%q follows a final status", e.Status)
	}
	if before.Status == schema.StatusUnresolved {
		wrong("%q follows unresolved", e.Status)
	}
	if _, offset := e.ObservedAt.Zone(); offset != 0 {
		wrong("observed_at is not in UTC")
	}
	id := e.TerminalID + "." + subjects.OrderToken(e.OrderID) + "." + strconv.FormatUint(e.Sequence, 10)
	subject, err := b.space.Of(e.TerminalID, e.OrderID, subjects.Status)
	if err != nil || subject != msg.Subject {
		wrong("the event belongs on %s", subject)
	}
	for name, want := range map[string]string{
		"Nats-Msg-Id": id, "ce-id": id, "ce-specversion": "1.0", "ce-type": "com.multisafepay.session.order",
		"ce-time": e.ObservedAt.Format(time.RFC3339Nano), "content-type": "application/json",
	} {
		if got := msg.Header[name]; len(got) != 1 || got[0] != want {
			wrong("header %s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"ce-source", "ce-subject"} {
		if got := msg.Header[name]; len(got) != 1 || got[0] == "" {
			wrong("header %s is %q", name, got)
		}
	}
	return e
}

// checkSeen holds what the subscriber saw to what is stored: each once, in order.
func (b *bundle) checkSeen(stored map[uint64]*jetstream.RawStreamMsg) {
	b.recorder.mu.Lock()
	missed := b.missed
	b.recorder.mu.Unlock()
	if !missed {
		b.wait(func() string { return fmt.Sprintf("%d status events are stored, fewer were seen", len(stored)) }, func() bool {
			return len(b.statuses) >= len(stored)
		})
	}
	b.recorder.mu.Lock()
	defer b.recorder.mu.Unlock()
	if !missed && len(b.statuses) != len(stored) {
		b.t.Errorf("%d status events were seen, %d are stored", len(b.statuses), len(stored))
	}
	var before uint64
	for _, s := range b.statuses {
		msg := stored[s.seq]
		switch {
		case msg == nil:
			b.t.Errorf("seen, but not stored: %s", s.msg.Data)
		case s.seq <= before:
			b.t.Errorf("seen again or out of order: %s", s.msg.Data)
		case s.msg.Subject != msg.Subject || !bytes.Equal(s.msg.Data, msg.Data) || s.msg.Header.Get("Nats-Msg-Id") != msg.Header.Get("Nats-Msg-Id"):
			b.t.Errorf("seen on %s: %s\nstored under %s: %s", s.msg.Subject, s.msg.Data, msg.Subject, msg.Data)
		}
		before = s.seq
	}
}

// schemas are compiled once: the JSON Schema of every message.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ids := map[string]string{}
	for _, name := range schema.Names() {
		content, err := fs.ReadFile(schema.Files(), name+".json")
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		ids[name], _ = document.(map[string]any)["$id"].(string)
		if err := c.AddResource(ids[name], document); err != nil {
			return nil, err
		}
	}
	all := map[string]*jsonschema.Schema{}
	for name, id := range ids {
		s, err := c.Compile(id)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
})

// fits holds a message to its JSON Schema.
func fits(t testing.TB, name string, data []byte) {
	t.Helper()
	all, err := schemas()
	if err != nil {
		t.Fatalf("compile schemas: %v", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s is not JSON: %s", name, data)
	}
	if err := all[name].Validate(value); err != nil {
		t.Errorf("%s does not fit its schema: %v\n%s", name, err, data)
	}
}

// newServer runs an HTTP server until the test ends. Connections that are still
// open then are cut.
func newServer(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}
