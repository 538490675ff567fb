package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	other := b.another()
	if _, revision, err := b.Record(t.Context(), "T1"); !errors.Is(err, bus.ErrNotFound) || revision != 0 {
		t.Fatalf("got revision %d, %v", revision, err)
	}
	r := bus.Record{
		Seq: 7, Order: "o", Hash: "h", Phase: bus.Refused, Replica: "a", Epoch: 2, Answered: true, SessionID: "s", Group: "g",
		Error: schema.NewError(schema.ProviderRejected, "no"), Sealed: []byte{1, 2}, Amount: 5, Currency: "EUR",
		StartedAt: time.Now().UTC().Round(0), UpdatedAt: time.Now().UTC().Round(0), Status: "declined", Final: true, Sequence: 3, Stream: "polling",
		CancelAskedAt: time.Now().UTC().Round(0),
	}
	first, err := b.PutRecord(t.Context(), "T1", r, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, revision, err := other.Record(t.Context(), "T1")
	if err != nil || revision != first || got.Order != "o" || got.Error.Code != schema.ProviderRejected || string(got.Sealed) != "\x01\x02" ||
		!got.CancelAskedAt.Equal(r.CancelAskedAt) || got.Epoch != 2 || got.Phase != bus.Refused {
		t.Errorf("got %+v at %d, %v", got, revision, err)
	}
	for name, revision := range map[string]uint64{"none": 0, "an old one": first - 1, "a new one": first + 1} {
		if _, err := other.PutRecord(t.Context(), "T1", r, revision); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("a write at revision %s: got %v, want a conflict", name, err)
		}
		if err := other.DeleteRecord(t.Context(), "T1", revision); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("a deletion at revision %s: got %v, want a conflict", name, err)
		}
	}
	second, err := other.PutRecord(t.Context(), "T1", r, first)
	if err != nil || second <= first {
		t.Fatalf("got revision %d, %v", second, err)
	}
	if latest, err := b.RecordsRevision(t.Context()); err != nil || latest != second {
		t.Errorf("the latest revision is %d, %v, want %d", latest, err, second)
	}
	if err := b.DeleteRecord(t.Context(), "T1", second); err != nil {
		t.Fatal(err)
	}
	_, revision, err = b.Record(t.Context(), "T1")
	if !errors.Is(err, bus.ErrNotFound) || revision <= second {
		t.Fatalf("after deletion: got revision %d, %v", revision, err)
	}
	if _, err := b.PutRecord(t.Context(), "T1", r, revision); err != nil { // the next session of the terminal
		t.Error(err)
	}
}

// A watch tells what is there, says that it is in step, and goes on telling;
// what nobody could have written counts as no record.
func TestWatchRecords(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	one, err := b.PutRecord(t.Context(), "T1", bus.Record{Order: "a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes, inStep, ended := make(chan bus.RecordChange, 16), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- b.WatchRecords(ctx, func(c bus.RecordChange) { changes <- c }, func() { close(inStep) })
	}()
	if c := wait(t, changes); c.Terminal != "T1" || c.Record == nil || c.Record.Order != "a" || c.Revision != one {
		t.Errorf("got %+v", c)
	}
	wait(t, inStep)
	two, err := b.PutRecord(t.Context(), "T2", bus.Record{Order: "b"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := wait(t, changes); c.Terminal != "T2" || c.Record == nil || c.Revision != two {
		t.Errorf("got %+v", c)
	}
	if err := b.DeleteRecord(t.Context(), "T2", two); err != nil {
		t.Fatal(err)
	}
	if c := wait(t, changes); c.Terminal != "T2" || c.Record != nil || c.Revision <= two {
		t.Errorf("got %+v", c)
	}
	if _, err := b.js.Publish(t.Context(), "$KV.pos_sessions.T3", []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	if c := wait(t, changes); c.Terminal != "T3" || c.Record != nil {
		t.Errorf("got %+v", c)
	}
	cancel()
	if err := wait(t, ended); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	inbox := b.nc.NewInbox()
	answers, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, b.nc)
	if err := b.Reply(inbox, map[string]string{"Nats-Service-Error-Code": "404"}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if msg := next(t, answers); msg.Header["Nats-Service-Error-Code"][0] != "404" || string(msg.Data) != "{}" {
		t.Errorf("got %v %s", msg.Header, msg.Data)
	}
	if err := b.Reply("", nil, []byte("{}")); err != nil {
		t.Errorf("nobody waits: %v", err)
	}
}
