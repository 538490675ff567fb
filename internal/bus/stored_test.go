package bus_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// message is what a bridge has published.
type message struct {
	Subject string
	Header  nats.Header
	Data    string
}

// stored is one of each kind of message that replicas leave for each other, as
// they stand in testdata/stored: byte for byte what an earlier bridge wrote. A
// file is never changed; whoever changes what is written adds one.
type stored struct{ Session, Record, Status message }

func readStored(t *testing.T, name string) (s stored) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "stored", name+".json"))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put publishes messages as they are.
func (b *bundle) put(messages ...message) {
	b.t.Helper()
	for _, m := range messages {
		if _, err := b.js.PublishMsg(b.t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: []byte(m.Data)}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// body returns what stands last under a subject of a stream.
func (b *bundle) body(stream, subject string) string {
	b.t.Helper()
	s, err := b.js.Stream(b.t.Context(), stream)
	var m *jetstream.RawStreamMsg
	if err == nil {
		m, err = s.GetLastMsgForSubject(b.t.Context(), subject)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return string(m.Data)
}

func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

// What the messages of testdata/stored say: all are about the same payment.
const (
	storedOrder = "A/1.b-7"
	storedHash  = "cece40c89b7a747d5487dbb16fd170fcd386148ef8fd3cb98618923ef39b53c4"
)

func storedRequest() schema.StartRequest {
	return schema.StartRequest{
		OrderID: storedOrder, TerminalID: "T00001", Amount: 1250, Currency: "EUR", Description: "two coffees",
		Customer:        &schema.Customer{Locale: "nl_NL", Email: "a@example.com", Phone: "0612345678", FirstName: "Ada", LastName: "Bo"},
		NotificationURL: "https://till.example.com/n",
		CustomInfo:      &schema.CustomInfo{Custom1: "one", Custom2: "two", Custom3: "three"},
	}
}

// said is what a file of testdata/stored says.
type said struct {
	session bus.Session
	record  bus.Record
	status  bus.Status
}

var storedFormats = map[string]said{
	// Before the first release.
	"1": {
		bus.Session{
			Request: storedRequest(), Hash: storedHash, Nonce: "PAXFQNNZGCLULRQNAGKNJZ2MOD", Reply: "_INBOX.vlcRqPUTo3Tacipic9mZ6m.2xgE4w8p",
			StartedAt: moment("2026-11-25T21:53:43.939345365Z"), Deadline: moment("2026-11-25T21:54:13.939345365Z"),
		},
		bus.Record{
			Seq: 1795643623897, Order: storedOrder, Hash: storedHash, Phase: bus.Open, Replica: "a", Epoch: 1, Answered: true,
			SessionID: "H0SLBJIF1u1GYVRxI886jgmnmE7baCn4JvtYBBC", Group: "default", Amount: 1250, Currency: "EUR",
			StartedAt: moment("2026-11-25T21:53:43.939345365Z"), UpdatedAt: moment("2026-11-25T21:53:46.949214434Z"),
			Status: "declined", FinancialStatus: "declined", TransactionID: "17956436239435330", Sequence: 1, Stream: "reconnecting",
			CancelAskedAt: moment("2026-11-25T21:53:46.949214134Z"),
		},
		bus.Status{
			Event: schema.StatusEvent{
				OrderID: storedOrder, TerminalID: "T00001", SessionID: "H0SLBJIF1u1GYVRxI886jgmnmE7baCn4JvtYBBC", TransactionID: "17956436239435330",
				Status: "declined", FinancialStatus: "declined", Sequence: 1, Source: schema.SourceReconcile,
				Amount: 1250, Currency: "EUR", ObservedAt: moment("2026-11-25T21:53:44.09892756Z"),
			},
			Hash: storedHash, Replica: "a", StartedAt: moment("2026-11-25T21:53:43.939345365Z"),
		},
	},
	// Sessions that are queued again say so; statuses tell the claim that they were
	// published under.
	"2": {
		bus.Session{
			Request: storedRequest(), Hash: storedHash, Nonce: "VLQCJPHZ5GWY5EBUDB3R4VUUJX", Reply: "_INBOX.vZ7MVJyvBAGY3AMxHzS5zr.56GPFry3",
			StartedAt: moment("2026-11-25T21:47:44.215913547Z"), Deadline: moment("2026-11-25T21:48:14.215913547Z"), Requeued: true,
		},
		bus.Record{
			Seq: 1795643267200, Order: storedOrder, Hash: storedHash, Phase: bus.Open, Replica: "a", Epoch: 1, Answered: true,
			SessionID: "KewNMonLGa8sPEMG4K4yjzHZRCOxzh5FW6JEtYU", Group: "default", Amount: 1250, Currency: "EUR",
			StartedAt: moment("2026-11-25T21:47:44.215913547Z"), UpdatedAt: moment("2026-11-25T21:47:47.225740297Z"),
			Status: "declined", FinancialStatus: "declined", TransactionID: "17956432642211080", Sequence: 1, Stream: "reconnecting",
			CancelAskedAt: moment("2026-11-25T21:47:47.225739556Z"),
		},
		bus.Status{
			Event: schema.StatusEvent{
				OrderID: storedOrder, TerminalID: "T00001", SessionID: "KewNMonLGa8sPEMG4K4yjzHZRCOxzh5FW6JEtYU", TransactionID: "17956432642211080",
				Status: "declined", FinancialStatus: "declined", Sequence: 1, Source: schema.SourceReconcile,
				Amount: 1250, Currency: "EUR", ObservedAt: moment("2026-11-25T21:47:44.374454429Z"),
			},
			Hash: storedHash, Replica: "a", Epoch: 1, StartedAt: moment("2026-11-25T21:47:44.215913547Z"),
		},
	},
	// Records tell what was seen while holding back.
	"3": {
		bus.Session{
			Request: storedRequest(), Hash: storedHash, Nonce: "VLQCJPHZ5GWY5EBUDB3R4VUUJX", Reply: "_INBOX.vZ7MVJyvBAGY3AMxHzS5zr.56GPFry3",
			StartedAt: moment("2026-11-25T21:47:44.215913547Z"), Deadline: moment("2026-11-25T21:48:14.215913547Z"), Requeued: true,
		},
		bus.Record{
			Seq: 1795643267200, Order: storedOrder, Hash: storedHash, Phase: bus.Open, Replica: "a", Epoch: 1, Answered: true,
			SessionID: "KewNMonLGa8sPEMG4K4yjzHZRCOxzh5FW6JEtYU", Group: "default", Amount: 1250, Currency: "EUR",
			StartedAt: moment("2026-11-25T21:47:44.215913547Z"), UpdatedAt: moment("2026-11-25T21:47:47.225740297Z"),
			Status: "declined", FinancialStatus: "declined", TransactionID: "17956432642211080", Sequence: 1, Stream: "reconnecting",
			CancelAskedAt: moment("2026-11-25T21:47:47.225739556Z"),
			Seen: []bus.Seen{
				{
					Status: "declined", FinancialStatus: "declined", TransactionID: "17956432642211080",
					SessionID: "KewNMonLGa8sPEMG4K4yjzHZRCOxzh5FW6JEtYU", At: moment("2026-11-25T21:47:47.6Z"), NotBefore: moment("2026-11-25T21:47:47.5Z"),
				},
				{Status: "initialized", At: moment("2026-11-25T21:47:48Z"), NotBefore: moment("2026-11-25T21:47:48Z")},
			},
			SeenAfter: 1795643264190,
		},
		bus.Status{
			Event: schema.StatusEvent{
				OrderID: storedOrder, TerminalID: "T00001", SessionID: "KewNMonLGa8sPEMG4K4yjzHZRCOxzh5FW6JEtYU", TransactionID: "17956432642211080",
				Status: "declined", FinancialStatus: "declined", Sequence: 1, Source: schema.SourceReconcile,
				Amount: 1250, Currency: "EUR", ObservedAt: moment("2026-11-25T21:47:44.374454429Z"),
			},
			Hash: storedHash, Replica: "a", Epoch: 1, StartedAt: moment("2026-11-25T21:47:44.215913547Z"),
		},
	},
}

// newestStored is the file that tells what is written today.
const newestStored = "3"

// What an earlier bridge has left on the bus is read as it was meant, for ever: a
// rolling update meets it, and so does who goes back.
func TestStoredFormats(t *testing.T) {
	t.Parallel()
	for name, want := range storedFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := ready(t, "")
			kept := readStored(t, name)
			b.put(kept.Session, kept.Record, kept.Status)
			if got, _, err := b.Queued(t.Context(), "T00001"); err != nil || !reflect.DeepEqual(got, want.session) {
				t.Errorf("session in the queue:\n got %+v, %v\nwant %+v", got, err, want.session)
			}
			taken, _ := consume(t, b.Bus)
			if got := wait(t, taken); !reflect.DeepEqual(got.Session, want.session) {
				t.Errorf("session handed over:\n got %+v\nwant %+v", got.Session, want.session)
			}
			got, _, err := b.Record(t.Context(), "T00001")
			if len(got.Sealed) == 0 {
				t.Error("the record has no sealed stream")
			}
			got.Sealed = nil // package bridge opens it
			if err != nil || !reflect.DeepEqual(got, want.record) {
				t.Errorf("record:\n got %+v, %v\nwant %+v", got, err, want.record)
			}
			last, err := b.Last(t.Context(), "T00001", storedOrder)
			last.Seq = 0
			if err != nil || !reflect.DeepEqual(last, want.status) {
				t.Errorf("status:\n got %+v, %v\nwant %+v", last, err, want.status)
			}
		})
	}
	if files, err := filepath.Glob("testdata/stored/*.json"); err != nil || len(files) != len(storedFormats) {
		t.Errorf("%d formats are looked at, the files are %v, %v", len(storedFormats), files, err)
	}
}

// What is written today is what the newest file says, byte for byte. When this
// fails, other versions read something else than before: see that they can (an
// unknown field is ignored, a missing one is its zero value), and add a file.
func TestStoredToday(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	kept, want := readStored(t, newestStored), storedFormats[newestStored]
	sealed := bus.Record{}
	if err := json.Unmarshal([]byte(kept.Record.Data), &sealed); err != nil {
		t.Fatal(err)
	}
	want.record.Sealed = sealed.Sealed
	_, err := b.Enqueue(t.Context(), want.session)
	if err == nil {
		_, err = b.PutRecord(t.Context(), "T00001", want.record, 0)
	}
	if err == nil {
		_, err = b.Append(t.Context(), want.status, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		stream string
		want   message
	}{{"POS_SESSIONS", kept.Session}, {"KV_pos_sessions", kept.Record}, {"POS_STATUS", kept.Status}} {
		subject := strings.Replace(m.want.Subject, ".journal", ".status", 1)
		if got := b.body(m.stream, subject); got != m.want.Data {
			t.Errorf("%s:\n got %s\nwant %s", m.stream, got, m.want.Data)
		}
	}
	s, err := b.js.Stream(t.Context(), "POS_STATUS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), strings.Replace(kept.Status.Subject, ".journal", ".status", 1))
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(m.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") && name != "Nats-Msg-Id" })
	if !reflect.DeepEqual(m.Header, kept.Status.Header) {
		t.Errorf("headers of a status:\n got %v\nwant %v", m.Header, kept.Status.Header)
	}
}
