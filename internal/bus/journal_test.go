package bus_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// A status is published once, to the letter of the contract's headers, and
// reads back as it was written.
func TestAppendAndLast(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	published, err := b.nc.SubscribeSync("pos.>")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, b.nc)
	s := status("a/1.x", "initialized", 1)
	s.Trace = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	if s.Seq, err = b.Append(t.Context(), s, 0); err != nil {
		t.Fatal(err)
	}
	got, err := b.Last(t.Context(), "T1", "a/1.x")
	s.Trace = nil // not read back
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", s) || got.Event != s.Event {
		t.Errorf("got %+v, %v, want %+v", got, err, s)
	}
	msg := next(t, published)
	for msg.Subject != "pos.T1.a%2F1%2Ex.status" { // the journal may be seen by whoever may listen there
		msg = next(t, published)
	}
	for name, want := range map[string]string{
		"Nats-Msg-Id": "T1.a%2F1%2Ex.1", "ce-id": "T1.a%2F1%2Ex.1", "ce-specversion": "1.0", "ce-source": "/pos/T1",
		"ce-type": "com.multisafepay.session.order", "ce-subject": "a/1.x", "ce-time": "2026-11-23T12:00:00.000000005Z",
		"content-type": "application/json", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		if values := msg.Header[name]; len(values) != 1 || values[0] != want {
			t.Errorf("header %s is %q, want %q", name, values, want)
		}
	}
	if _, err := b.Last(t.Context(), "T1", "other"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("an order without statuses: %v", err)
	}
	if _, err := b.Last(t.Context(), "T1", "*"); !errors.Is(err, subjects.ErrOrder) {
		t.Errorf("an order that is none: %v", err)
	}
	if _, err := b.Append(t.Context(), status(">", "initialized", 1), 0); !errors.Is(err, subjects.ErrOrder) {
		t.Errorf("an order that is none: %v", err)
	}
}

// The fence and the dedupe work on the stored subject, and whoever listens sees
// exactly what is stored: on one server, and on three.
func TestSubscribersSeeWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, replicas := range map[string]int{"one server": 1, "three servers": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := ""
			if replicas > 1 {
				url = natstest.RunCluster(t, replicas).URL()
			}
			b := ready(t, url, func(o *bus.Options) { o.Replicas = replicas })
			zombie := b.another()
			published, err := b.nc.SubscribeSync("pos.*.*.status")
			if err != nil {
				t.Fatal(err)
			}
			flush(t, b.nc)

			first := status("o", "initialized", 1)
			after, err := b.Append(t.Context(), first, 0)
			if err != nil {
				t.Fatal(err)
			}
			for name, err := range map[string]error{
				"the same again":                 second(b.Append(t.Context(), first, 0)),
				"the same again, by another":     second(zombie.Append(t.Context(), first, 0)),
				"other news at the same place":   second(zombie.Append(t.Context(), status("o", "cancelled", 1), 0)),
				"the same id at the right place": second(b.Append(t.Context(), status("o", "cancelled", 1), after)),
				"news behind what is there":      second(zombie.Append(t.Context(), status("o", "cancelled", 2), 0)),
				"news ahead of what is there":    second(zombie.Append(t.Context(), status("o", "cancelled", 3), after+1)),
			} {
				if !errors.Is(err, bus.ErrConflict) {
					t.Errorf("%s: got %v, want a conflict", name, err)
				}
			}
			if after, err = b.Append(t.Context(), status("o", "declined", 2), after); err != nil {
				t.Fatal(err)
			}
			if _, err := zombie.Append(t.Context(), status("o", "completed", 3), after); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Append(t.Context(), status("p", "initialized", 1), 0); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"T1.o.1", "T1.o.2", "T1.o.3", "T1.p.1"} {
				if got := next(t, published).Header.Get("Nats-Msg-Id"); got != want {
					t.Errorf("seen %s, want %s", got, want)
				}
			}
			flush(t, b.nc)
			if pending, _, _ := published.Pending(); pending > 0 {
				t.Errorf("%d more were seen", pending)
			}
			since, _, err := b.Since(t.Context(), "T1", "o", 0)
			if err != nil || len(since) != 3 || since[0].Event.Status != "initialized" || since[2].Event.Status != "completed" {
				t.Errorf("got %+v, %v", since, err)
			}
			if since, _, err := b.Since(t.Context(), "T1", "o", since[2].Seq); err != nil || len(since) != 0 {
				t.Errorf("after the last: got %+v, %v", since, err)
			}
		})
	}
}

// second returns the error of a call with two results.
func second[T any](_ T, err error) error { return err }

func TestAppendInvalid(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	published, err := b.nc.SubscribeSync("pos.*.*.invalid")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, b.nc)
	e := schema.InvalidEvent{OrderID: "a.1", TerminalID: "T1", Reason: "why", Event: "session.order", Data: "x", ObservedAt: time.Now().UTC()}
	for range 2 { // the same twice is two
		if err := b.AppendInvalid(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if msg := next(t, published); msg.Subject != "pos.T1.a%2E1.invalid" || msg.Header.Get("content-type") != "application/json" {
			t.Errorf("got %s: %v", msg.Subject, msg.Header)
		}
	}
	s, err := b.js.Stream(t.Context(), "POS_STATUS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetLastMsgForSubject(t.Context(), "pos.T1.a%2E1.invalid"); err != nil {
		t.Errorf("it is not stored: %v", err)
	}
	if _, err := b.Last(t.Context(), "T1", "a.1"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("it counts as a status: %v", err)
	}
}

// What stands in the stream and was not written by a bridge is passed over: no
// status, but the place of the next one is behind it.
func TestLastOfNonsense(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	if _, err := b.js.Publish(t.Context(), "pos.T1.o.journal", []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	if last, err := b.Last(t.Context(), "T1", "o"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("got %+v, %v", last, err)
	}
	statuses, end, err := b.Since(t.Context(), "T1", "o", 0)
	if err != nil || len(statuses) != 0 || end == 0 {
		t.Fatalf("got %+v, %d, %v", statuses, end, err)
	}
	first := bus.Status{Event: schema.StatusEvent{TerminalID: "T1", OrderID: "o", Status: "initialized", Sequence: 1}}
	if _, err := b.Append(t.Context(), first, end); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.Publish(t.Context(), "pos.T1.o.journal", []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	last, err := b.Last(t.Context(), "T1", "o")
	if err != nil || last.Event.Status != "initialized" {
		t.Fatalf("got %+v, %v", last, err)
	}
	second := first
	second.Event.Status, second.Event.Sequence = "completed", 2
	if _, err := b.Append(t.Context(), second, last.Seq); err != nil {
		t.Errorf("the place behind the nonsense is not the last one's: %v", err)
	}
}

func next(t *testing.T, s *nats.Subscription) *nats.Msg {
	t.Helper()
	msg, err := s.NextMsg(20 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// flush waits until the server has taken what was sent.
func flush(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}
