package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
)

// with puts another field into a JSON object.
func with(object, field string) string { return "{" + field + "," + object[1:] }

// A later version may add fields. They are ignored, and what is written back has
// them still.
func TestFieldsOfALaterVersion(t *testing.T) {
	t.Parallel()
	const more = `"later":{"a":[1,"<b>"]}`
	b := ready(t, "")
	kept, want := readStored(t, "2"), storedFormats["2"]
	kept.Session.Data = with(kept.Session.Data, more)
	kept.Record.Data = with(kept.Record.Data, more)
	kept.Status.Data = with(kept.Status.Data, more)
	kept.Status.Header.Set("Bridge-Later", "x")
	b.put(kept.Session, kept.Record, kept.Status)
	keeps := func(what, body string) {
		t.Helper()
		var got struct {
			Later struct{ A []any } `json:"later"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || !reflect.DeepEqual(got.Later.A, []any{1.0, "<b>"}) {
			t.Errorf("%s has lost what a later version wrote: %s", what, body)
		}
	}

	record, revision, err := b.Record(t.Context(), "T00001")
	if err != nil || record.Order != storedOrder || record.Epoch != 1 {
		t.Fatalf("record: got %+v, %v", record, err)
	}
	record.Epoch, record.Replica = 2, "b"
	if _, err := b.PutRecord(t.Context(), "T00001", record, revision); err != nil {
		t.Fatal(err)
	}
	keeps("a record", b.body("KV_pos_sessions", kept.Record.Subject))
	if again, _, err := b.Record(t.Context(), "T00001"); err != nil || again.Epoch != 2 || again.Replica != "b" {
		t.Errorf("the changed record: got %+v, %v", again, err)
	}

	if last, err := b.Last(t.Context(), "T00001", storedOrder); err != nil || last.Event != want.status.Event || last.Epoch != 1 {
		t.Errorf("status: got %+v, %v", last, err)
	}

	taken, _ := consume(t, b.Bus)
	d := wait(t, taken)
	if d.Session.Hash != storedHash || d.Session.Order() != storedOrder {
		t.Errorf("session: got %+v", d.Session)
	}
	if err := d.Handle.Done(t.Context()); err != nil { // as if the queue were lost
		t.Fatal(err)
	}
	d.Session.Nonce += "again"
	if _, err := b.Enqueue(t.Context(), d.Session); err != nil {
		t.Fatal(err)
	}
	keeps("a session that is queued again", b.body("POS_SESSIONS", kept.Session.Subject))
}

// What says to be of a newer format is not this version's to go on with: the
// session stays in the queue, though it cannot even be read, and the record as it
// is.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	kept := readStored(t, "2")
	kept.Session.Data = `{"format":2,"hash":{"sha":"x"},"request":{"terminal_id":"T00001","order_id":"o"}}`
	kept.Record.Data = `{"format":2,"seq":7,"order_id":"o","epoch":"a word"}`
	b.put(kept.Session, kept.Record)

	ctx, cancel := context.WithCancel(t.Context())
	reported, done := make(chan error, 64), make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Consume(ctx, func(d bus.Delivery) { t.Errorf("handed over: %+v", d) }, func(err error) { reported <- err })
	}()
	for range 2 { // it comes back: another replica may be newer
		if err := wait(t, reported); !errors.Is(err, bus.ErrNewer) {
			t.Errorf("reported %v", err)
		}
	}
	cancel()
	<-done
	if got := b.body("POS_SESSIONS", kept.Session.Subject); got != kept.Session.Data {
		t.Errorf("the session is now %s", got)
	}
	if s, seq, err := b.Queued(t.Context(), "T00001"); err != nil || seq == 0 || !s.Newer() || s.Order() != "o" {
		t.Errorf("queued: got %+v at %d, %v", s, seq, err)
	}
	if _, err := b.Enqueue(t.Context(), session("T00001", "p")); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("another start: got %v, want a conflict", err)
	}

	record, revision, err := b.Record(t.Context(), "T00001")
	if err != nil || !record.Newer() || record.Seq != 7 {
		t.Errorf("record: got %+v at %d, %v", record, revision, err)
	}
	if _, err := b.PutRecord(t.Context(), "T00001", record, revision); !errors.Is(err, bus.ErrNewer) {
		t.Errorf("a change to it: got %v", err)
	}
	if got := b.body("KV_pos_sessions", kept.Record.Subject); got != kept.Record.Data {
		t.Errorf("the record is now %s", got)
	}
}
