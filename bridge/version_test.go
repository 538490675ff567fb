package bridge_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// rawRecord returns a terminal's record as it stands in the bucket, and the
// revision.
func (b *bundle) rawRecord(terminal string) (string, uint64) {
	b.t.Helper()
	kv, err := b.js.KeyValue(b.ctx, b.space.SessionBucket())
	if err != nil {
		b.t.Fatal(err)
	}
	entry, err := kv.Get(b.ctx, terminal)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(entry.Value()), entry.Revision()
}

// rewrite changes a terminal's record as a replica of another version may, and
// returns what is written.
func (b *bundle) rewrite(terminal string, change func(fields)) string {
	b.t.Helper()
	kv, err := b.js.KeyValue(b.ctx, b.space.SessionBucket())
	if err != nil {
		b.t.Fatal(err)
	}
	var written string
	eventually(b.t, "the record is changed", func() bool { // the follower may write in between
		text, revision := b.rawRecord(terminal)
		record := fields{}
		numbers := json.NewDecoder(strings.NewReader(text))
		numbers.UseNumber()
		if err := numbers.Decode(&record); err != nil {
			b.t.Fatal(err)
		}
		change(record)
		body, err := json.Marshal(record)
		if err != nil {
			b.t.Fatal(err)
		}
		written = string(body)
		_, err = kv.Update(b.ctx, terminal, body, revision)
		return err == nil
	})
	return written
}

// What a later version has put into a record stays there, whoever writes to it:
// its follower, and who takes the session on.
func TestRecordOfALaterVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.rewrite(terminal1, func(r fields) { r["later"] = "kept" })
	kept := func(when, proof string) {
		t.Helper()
		var record string
		eventually(t, when, func() bool {
			record, _ = b.rawRecord(terminal1)
			return strings.Contains(record, proof)
		})
		if !strings.Contains(record, `"later":"kept"`) {
			t.Errorf("%s, and what a later version wrote is gone: %s", when, record)
		}
	}
	b.act(terminal1, simulator.ActDecline)
	kept("the follower has shown the status", `"status":"declined"`)
	second := b.run()
	first.drain()
	kept("the session is the other's", `"replica":"`+second.id)
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "declined", "initialized", "completed")
	b.waitFree(terminal1)
}

// What says to be of a newer format is left to a newer replica: the session stays
// where it is, the record as it is, and the terminal locked.
func TestNewerFormats(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	reads := func(status string) {
		t.Helper()
		eventually(t, "the replica reads the stream, and has said all", func() bool {
			record, _ := b.rawRecord(terminal1)
			return strings.Contains(record, `"stream":"connected"`) && strings.Contains(record, `"status":"`+status+`"`)
		})
	}
	replica := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	reads("initialized")
	written := b.rewrite(terminal1, func(r fields) { r["format"] = 2 })
	subject, err := b.space.Session(terminal2)
	if err != nil {
		t.Fatal(err)
	}
	session := `{"format":2,"request":{"terminal_id":"` + terminal2 + `","order_id":"n"},"hash":{"sha256":"x"}}`
	if _, err := b.js.Publish(b.ctx, subject, []byte(session)); err != nil {
		t.Fatal(err)
	}
	b.act(terminal1, simulator.ActDecline)
	untouched := func(left int) {
		t.Helper()
		replica.logs.wait(t, "Left the session where it is", left)
		if got, _ := b.rawRecord(terminal1); got != written {
			t.Errorf("the record was\n%s, and is now\n%s", written, got)
		}
		if got := b.queued(); got != 2 {
			t.Errorf("%d sessions are queued, want 2", got)
		}
	}
	untouched(2) // by its follower, and when it came back
	replica.logs.wait(t, "A session is left to a newer replica", 1)
	for _, terminal := range []string{terminal1, terminal2} {
		b.do("pos.payment.start", order("b", terminal)).failed(schema.TerminalBusy)
	}
	written = b.rewrite(terminal1, func(r fields) { r["phase"] = "refused" })
	untouched(4)
	replica.waitReady(200)

	// The newer replica leaves what this one can go on with.
	b.rewrite(terminal1, func(r fields) {
		delete(r, "format")
		r["phase"], r["stream"] = "open", ""
	})
	reads("declined")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "declined", "initialized", "completed")
	b.waitFree(terminal1)
}
